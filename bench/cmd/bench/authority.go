package main

import (
	"context"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"os"
	"path/filepath"
	"runtime"

	"newleaf/bench/internal/load"
	"newleaf/bench/internal/measure"
)

// contender is a server under the same load as the others.
type contender struct {
	program string
	args    []string
	server  *server
	target  *load.Server

	cpu, rate, p50, p99, spread []float64 // of each round
}

func (b *bench) authority(ctx context.Context) error {
	empty := &contender{program: "newleaf", args: []string{"ca", "--state", b.path("ca-empty"), "--listen", "127.0.0.1:0", "--challenge", "secret"}}
	full := &contender{program: "newleaf", args: []string{"ca", "--state", b.path("ca-full"), "--listen", "127.0.0.1:0", "--challenge", "secret"}}
	floor := &contender{program: "scepfloor", args: []string{"-store", b.path("floor.db")}}
	if err := b.issued(ctx, b.path("ca-full"), full, b.times(100_000)); err != nil {
		return err
	}
	all := []*contender{empty, floor, full}
	for _, c := range all {
		if err := b.begin(ctx, c); err != nil {
			return err
		}
		defer c.server.stop()
	}
	var units []float64
	for round := range b.times(9) + 1 {
		for i := range all { // each is the first in turn
			unit := measure.MS(measure.Unit(b.keys[0], runtime.GOMAXPROCS(0)))
			if err := b.load(ctx, all[(round+i)%len(all)], unit, round > 0); err != nil {
				return err
			}
			units = append(units, unit)
		}
	}
	b.told(groupAuthority, "the unit RSAu, all processors busy", "ms", measure.Of(units))
	b.most(groupAuthority, "durable enrollment", "RSAu", measure.Of(empty.cpu), 4)
	b.told(groupAuthority, "the floor: the least that Go can do", "RSAu", measure.Of(floor.cpu))
	b.most(groupAuthority, "enrollment over floor, of the same round", "ratio", measure.Of(measure.Ratios(empty.cpu, floor.cpu)), 1.1)
	b.told(groupAuthority, "32 requests under way: enrollments", "per second", measure.Of(empty.rate))
	b.told(groupAuthority, "likewise the floor", "per second", measure.Of(floor.rate))
	b.told(groupAuthority, "latency p50", "ms", measure.Of(empty.p50))
	b.told(groupAuthority, "latency p99", "ms", measure.Of(empty.p99))
	b.most(groupAuthority, "latency p99 over p50", "ratio", measure.Of(empty.spread), 2)
	b.told(groupAuthority, "likewise the floor", "ratio", measure.Of(floor.spread))
	b.least(groupAuthority, "rate with 100,000 issued over the empty one's", "ratio", measure.Of(measure.Ratios(full.rate, empty.rate)), .95)
	b.told(groupAuthority, "processor time with 100,000 issued over the empty one's", "ratio", measure.Of(measure.Ratios(full.cpu, empty.cpu)))
	return nil
}

// begin starts a contender and asks it who it is.
func (b *bench) begin(ctx context.Context, c *contender) (err error) {
	if c.server, err = b.serve(ctx, c.program, c.args...); err != nil {
		return err
	}
	c.target, err = load.Reach(ctx, c.server.address, "secret", nil)
	return err
}

// load is one round of a contender; the first only warms up.
func (b *bench) load(ctx context.Context, c *contender, unit float64, counts bool) error {
	r, err := c.target.Round(ctx, b.times(500), 32, c.server.pid(), b.keys)
	if err != nil || !counts {
		return err
	}
	c.cpu, c.rate = append(c.cpu, measure.MS(r.CPU)/unit), append(c.rate, r.Rate)
	c.p50, c.p99, c.spread = append(c.p50, r.P50), append(c.p99, r.P99), append(c.spread, r.P99/r.P50)
	return nil
}

// issued makes the state of an authority that has issued n certificates.
func (b *bench) issued(ctx context.Context, dir string, c *contender, n int) error {
	s, err := b.serve(ctx, c.program, c.args...)
	if err != nil {
		return err
	}
	s.stop()
	certificate, err := issuer(dir)
	if err != nil {
		return err
	}
	return load.Issued(ctx, filepath.Join(dir, "ca.db"), certificate.Raw, n)
}

// issuer reads the certificate of the authority in dir.
func issuer(dir string) (*x509.Certificate, error) {
	text, err := os.ReadFile(filepath.Join(dir, "issuer.pem"))
	if err != nil {
		return nil, err
	}
	block, _ := pem.Decode(text)
	if block == nil {
		return nil, errors.New("the authority has no certificate")
	}
	return x509.ParseCertificate(block.Bytes)
}
