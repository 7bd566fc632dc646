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
	if err := device.Fill(ctx, dir, device.Authority{URL: "http://127.0.0.1:1/scep", Issuer: b.former}, b.keys[:8]); err != nil {
		return "", err
	}
	return dir, device.Age(ctx, dir)
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
	const limit = 1.4 * 4 // of the 4 private operations of SCEP
	b.told(groupWalk, "the unit RSAu", "ms", measure.Of(r.UnitMS))
	b.most(groupWalk, "enrollment, the conversation: from the first byte to the checked answer", "RSAu", measure.Of(r.Exchange), limit)
	b.most(groupWalk, "enrollment, step 2: the same with three durable transactions", "RSAu", measure.Of(r.Steps[newleaf.StepRequest]), limit)
	b.most(groupWalk, "enrollment, the whole walk: stored, served, proven, the replaced destroyed", "RSAu", measure.Of(r.Issue), limit)
	for _, s := range newleaf.Steps() {
		b.told(groupWalk, fmt.Sprintf("of the walk, step %d %s", s.Number(), s), "RSAu", measure.Of(r.Steps[s]))
	}
	b.told(groupWalk, "update, the whole walk", "RSAu", measure.Of(r.Update))
	b.told(groupWalk, "making a key, not counted in any of these", "RSAu", measure.Of(r.Key))
	b.most(groupWalk, "\"update now\" until seen in use", "ms", measure.Of(r.InUseMS), 25)
	b.told(groupWalk, "\"update now\" until the replaced one is destroyed", "ms", measure.Of(r.ThroughMS))
	b.most(groupWalk, "new certificate until the first handshake that shows it, p99", "ms", one(measure.Quantile(r.FirstMS, .99)), 5)
	b.told(groupWalk, "the same, all", "ms", measure.Of(r.FirstMS))
	b.most(groupWalk, fmt.Sprintf("of %d handshakes during %d switches, all of which were seen from both sides", r.Handshakes, len(r.FirstMS)), "failures", one(float64(r.Failed)), 0)
	return os.RemoveAll(b.path("walk"))
}
