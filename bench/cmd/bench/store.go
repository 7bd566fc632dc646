package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"newleaf/bench/internal/device"
	"newleaf/bench/internal/measure"
)

// plans reads what go test -bench said of the plan of deletion.
func (b *bench) plans(context.Context) error {
	text, err := os.ReadFile(b.plan)
	if err != nil {
		return err
	}
	took := map[string][]float64{}
	for line := range strings.Lines(string(text)) {
		f := strings.Fields(line)
		if len(f) < 4 || f[3] != "ns/op" {
			continue
		}
		name, _, _ := strings.Cut(f[0], "-")
		ns, err := strconv.ParseFloat(f[2], 64)
		if err != nil {
			return err
		}
		took[name] = append(took[name], ns/1e6)
	}
	for _, p := range []struct {
		name, what string
		limit      float64
	}{{"BenchmarkPlan8", "plan of deletion for 8 certificates", .1}, {"BenchmarkPlan1000", "plan of deletion for 1,000 certificates", 1}} {
		if len(took[p.name]) == 0 {
			return fmt.Errorf("%s holds nothing of %s", b.plan, p.name)
		}
		b.most(groupStore, p.what, "ms", measure.Of(took[p.name]), p.limit)
	}
	return nil
}

// transaction compares the end of a renewal in the store, "add the new, delete
// the replaced", with a bare append and sync on the same disk, taken in turn.
func (b *bench) transaction(ctx context.Context) error {
	dir, err := b.fill(ctx, "transaction")
	if err != nil {
		return err
	}
	swap, err := device.Exchange(ctx, dir, b.keys)
	if err != nil {
		return err
	}
	raw, err := os.Create(b.path("raw"))
	if err != nil {
		return err
	}
	defer raw.Close()
	page := make([]byte, 4096)
	var ours, syncs []float64
	for range b.times(300) {
		start := time.Now()
		if err := swap.Do(ctx); err != nil {
			return err
		}
		ours = append(ours, measure.MS(time.Since(start)))
		start = time.Now()
		_, err := raw.Write(page)
		if err := errors.Join(err, raw.Sync()); err != nil {
			return err
		}
		syncs = append(syncs, measure.MS(time.Since(start)))
	}
	b.told(groupStore, "append of 4 KiB with fsync, the unit of the next", "ms", measure.Of(syncs))
	b.most(groupStore, "one durable transaction: add the new certificate and key, move the purpose, delete the replaced, tell the journal", "fsyncs",
		measure.Of(ours).Per(measure.Of(syncs).Median), 3)
	return swap.Close()
}
