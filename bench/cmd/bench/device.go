package main

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"newleaf"
	"newleaf/bench/internal/device"
	"newleaf/bench/internal/measure"
)

// The groups of the page.
const (
	groupWalk      = "The device: enroll, update, switch"
	groupRest      = "The device: size, start, rest"
	groupAuthority = "The lab authority"
	groupStore     = "Store and decisions"
)

func (b *bench) sizes(context.Context) error {
	for _, p := range []struct {
		program, what string
		limit         float64
	}{{"newleaf", "stripped binary with everything", 28}, {"newleaf-device", "stripped binary of a device (`-tags device`)", 20}} {
		mb, err := size(filepath.Join(b.bin, p.program))
		if err != nil {
			return err
		}
		b.most(groupRest, p.what, "MB", one(mb), p.limit)
	}
	return nil
}

// fill makes the state of a device with 8 certificates.
func (b *bench) fill(ctx context.Context, name string) (dir string, err error) {
	dir = b.path(name)
	if b.former == nil {
		ca, err := b.serve(ctx, "newleaf", "ca", "--state", b.path("ca-former"), "--listen", "127.0.0.1:0")
		if err != nil {
			return "", err
		}
		ca.stop()
		if b.former, err = issuer(b.path("ca-former")); err != nil {
			return "", err
		}
	}
	return dir, device.Fill(ctx, dir, device.Authority{URL: "http://127.0.0.1:1/scep", Issuer: b.former}, b.keys[:8])
}

// agent starts the product on the state in dir.
func (b *bench) agent(ctx context.Context, dir string) (*server, error) {
	return b.serve(ctx, "newleaf", "serve", "--state", dir, "--listen", "127.0.0.1:0")
}

// start takes the time from exec until the agent serves its store.
func (b *bench) start(ctx context.Context) error {
	dir, err := b.fill(ctx, "start")
	if err != nil {
		return err
	}
	var took []float64
	for i := range b.times(30) + 1 {
		s, err := b.agent(ctx, dir)
		if err != nil {
			return err
		}
		conn, err := tls.Dial("tcp", strings.TrimPrefix(s.address, "https://"), &tls.Config{InsecureSkipVerify: true}) // whether it answers counts
		if err == nil {
			err = conn.Close()
		}
		s.stop()
		if err != nil {
			return fmt.Errorf("it was ready but does not serve: %w", err)
		}
		if i > 0 { // the first one reads the program from the disk
			took = append(took, measure.MS(s.took))
		}
	}
	b.most(groupRest, "exec to serving, 8 certificates and a full journal in the store", "ms", measure.Of(took), 15)
	return nil
}

// idle is an agent that is left alone.
type idle struct {
	agent *server
	at    time.Time
	then  measure.Sample
	born  measure.Sample // once it served
}

// settle is left to the agent after its start before it counts as at rest.
const settle = 15 * time.Second

// restFrom starts an agent that restTo looks at after everything else.
func (b *bench) restFrom(ctx context.Context) (i idle, err error) {
	dir, err := b.fill(ctx, "rest")
	if err != nil {
		return i, err
	}
	if i.agent, err = b.agent(ctx, dir); err != nil {
		return i, err
	}
	time.Sleep(settle)
	i.at = time.Now()
	i.then, err = measure.Read(i.agent.pid())
	return i, err
}

// restTo reads what the agent did since restFrom.
func (b *bench) restTo(_ context.Context, i idle) error {
	if least := 3 * time.Minute; !b.short && time.Since(i.at) < least {
		time.Sleep(least - time.Since(i.at))
	}
	s, err := measure.Read(i.agent.pid())
	if err != nil {
		return err
	}
	span := time.Since(i.at)
	day := float64(24*time.Hour) / float64(span)
	b.most(groupRest, "anonymous memory at rest", "MiB", one(float64(s.AnonKiB)/1024), 8)
	b.most(groupRest, fmt.Sprintf("context switches at rest, over %.0f s", span.Seconds()), "per second", one(float64(s.Switches-i.then.Switches)/span.Seconds()), .1)
	b.most(groupRest, "written to the disk at rest, extrapolated", "kB per day", one(float64(s.Written-i.then.Written)*day/1e3), 64)
	b.told(groupRest, "processor time at rest", "ms per minute", one(measure.MS(s.CPU-i.then.CPU)/span.Minutes()))
	b.told(groupRest, "written from the start until at rest", "kB", one(float64(i.then.Written)/1e3))
	return nil
}

// walk measures the agent beside an authority.
func (b *bench) walk(ctx context.Context) error {
	ca, err := b.serve(ctx, "newleaf", "ca", "--state", b.path("ca-walk"), "--listen", "127.0.0.1:0", "--challenge", "secret")
	if err != nil {
		return err
	}
	defer ca.stop()
	n := fmt.Sprint(b.times(40))
	text, err := exec.CommandContext(ctx, filepath.Join(b.bin, "walk"), "-url", ca.address, "-state", b.path("walk"),
		"-issues", n, "-updates", n, "-swaps", fmt.Sprint(b.times(100))).Output()
	if e, ok := errors.AsType[*exec.ExitError](err); ok {
		return fmt.Errorf("%w: %s", err, e.Stderr)
	}
	if err != nil {
		return err
	}
	var r device.Result
	if err := json.Unmarshal(text, &r); err != nil {
		return err
	}
	unit := func(xs []float64) measure.Summary { return measure.Of(xs).Per(r.UnitMS) }
	b.told(groupWalk, "the unit RSAu", "ms", one(r.UnitMS))
	b.most(groupWalk, "enrollment: key stored, asked, answer checked and stored (step 2)", "RSAu", unit(r.StepCPU[newleaf.StepRequest]), 5.6)
	b.most(groupWalk, "enrollment, whole walk to the proof and the deletion (steps 1 to 7)", "RSAu", unit(r.IssueCPU), 5.6)
	b.told(groupWalk, "update, whole walk", "RSAu", unit(r.UpdateCPU))
	b.told(groupWalk, "making the key, not counted above", "RSAu", unit(r.KeyCPU))
	b.most(groupWalk, "\"update now\" until seen in use", "ms", measure.Of(r.InUse), 25)
	b.told(groupWalk, "until the replaced one is destroyed", "ms", measure.Of(r.Through))
	b.most(groupWalk, "new certificate until the first handshake that shows it, p99", "ms", one(measure.Quantile(r.First, .99)), 5)
	b.told(groupWalk, "the same, all", "ms", measure.Of(r.First))
	b.most(groupWalk, fmt.Sprintf("of %d handshakes during %d switches, each of which saw both", r.Handshakes, len(r.First)), "failures", one(float64(r.Failed)), 0)
	for _, s := range newleaf.Steps() {
		b.told(groupWalk, fmt.Sprintf("of this, step %d %s", s.Number(), s), "RSAu", unit(r.StepCPU[s]))
	}
	return os.RemoveAll(b.path("walk"))
}
