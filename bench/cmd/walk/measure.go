package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"runtime"
	"slices"
	"strings"
	"time"

	"newleaf"
	"newleaf/bench/internal/device"
	"newleaf/bench/internal/load"
	"newleaf/bench/internal/measure"
)

// measure is the whole run.
func (o options) measure(ctx context.Context) (r device.Result, err error) {
	keys, err := load.Keys(7)
	if err != nil {
		return r, err
	}
	if err := device.Fill(ctx, o.dir, o.authority, keys); err != nil {
		return r, err
	}
	if err := device.Age(ctx, o.dir); err != nil {
		return r, err
	}
	o.meter = &device.Meter{}
	if o.device, err = device.Start(ctx, o.dir, device.Options{Meter: o.meter}); err != nil {
		return r, err
	}
	if _, err := o.issue(ctx, "web"); err != nil { // a first one warms everything up
		return r, err
	}
	runtime.GC()
	r.Steps = map[newleaf.Step][]float64{}
	for i := range o.issues {
		unit := measure.Unit(keys[0], 1)
		w, err := o.issue(ctx, fmt.Sprintf("web %d", i))
		if err != nil {
			return r, err
		}
		in := func(d time.Duration) float64 { return float64(d) / float64(unit) }
		r.UnitMS = append(r.UnitMS, measure.MS(unit))
		r.Issue, r.Exchange, r.Key = append(r.Issue, in(w.CPU)), append(r.Exchange, in(w.Exchange)), append(r.Key, in(w.Key))
		for step, took := range w.Steps {
			r.Steps[step] = append(r.Steps[step], in(took))
		}
	}
	for range o.updates {
		unit := measure.Unit(keys[0], 1)
		w, err := o.update(ctx)
		if err != nil {
			return r, err
		}
		r.Update = append(r.Update, float64(w.CPU)/float64(unit))
		r.InUseMS, r.ThroughMS = append(r.InUseMS, measure.MS(w.Proven)), append(r.ThroughMS, measure.MS(w.Through))
	}
	if err := o.swap(ctx, &r); err != nil {
		return r, err
	}
	return r, o.device.Close()
}

// issue enrolls with the password.
func (o options) issue(ctx context.Context, name string) (device.Walk, error) {
	return o.walk(ctx, func(newleaf.Listed) (newleaf.Renewal, error) {
		return o.device.Issue(ctx, device.Issue(name, o.challenge))
	})
}

// update updates the certificate in use.
func (o options) update(ctx context.Context) (device.Walk, error) {
	return o.walk(ctx, func(web newleaf.Listed) (newleaf.Renewal, error) {
		_, started, err := o.device.Update(ctx, []string{web.Name}, false)
		if err != nil || len(started) != 1 {
			return newleaf.Renewal{}, fmt.Errorf("updating %q: %d started: %w", web.Name, len(started), err)
		}
		return started[0], nil
	})
}

// walk replaces the certificate for TLS and has the authority revoke the one
// before, as it lets a subject hold no more than two.
func (o options) walk(ctx context.Context, start func(web newleaf.Listed) (newleaf.Renewal, error)) (w device.Walk, err error) {
	held, err := o.device.List(ctx)
	if err != nil {
		return w, err
	}
	web := held[slices.IndexFunc(held, func(c newleaf.Listed) bool { return slices.Contains(c.Purposes, newleaf.TLS) })]
	w, err = o.meter.Walk(ctx, o.device, func() (newleaf.Renewal, error) { return start(web) })
	if err != nil || strings.HasPrefix(web.Name, device.Former) {
		return w, err
	}
	return w, o.revoke(ctx, web.Serial)
}

func (o options) revoke(ctx context.Context, serial string) error {
	text, err := json.Marshal(map[string]string{"serial": serial})
	if err != nil {
		return err
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, o.lab+"/revoke", bytes.NewReader(text))
	if err != nil {
		return err
	}
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("revoking %s: %s", serial, response.Status)
	}
	return nil
}

// swap updates while clients make handshakes all the time, and one more as soon
// as the new certificate is served.
func (o options) swap(ctx context.Context, r *device.Result) error {
	for range o.swaps {
		h := device.Shake(o.device.Address, 2)
		h.Await(2)
		o.meter.Handed(h.Now)
		w, err := o.update(ctx)
		o.meter.Handed(nil)
		h.Await(2)
		h.Stop()
		if err != nil {
			return err
		}
		first, both, failed := h.After(w.At["bind.trial"])
		r.Handshakes, r.Failed = r.Handshakes+h.Len(), r.Failed+failed
		if !both {
			return fmt.Errorf("the handshakes did not see both certificates: %d of %d failed", failed, h.Len())
		}
		r.FirstMS = append(r.FirstMS, measure.MS(first))
	}
	return nil
}
