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
	o.meter = &device.Meter{}
	if o.device, err = device.Start(ctx, o.dir, device.Options{Meter: o.meter}); err != nil {
		return r, err
	}
	if _, err := o.issue(ctx, "web"); err != nil { // a first one warms everything up
		return r, err
	}
	runtime.GC()
	r.UnitMS = measure.MS(measure.Unit(keys[0], 1))
	r.StepCPU = map[newleaf.Step][]float64{}
	for i := range o.issues {
		w, err := o.issue(ctx, fmt.Sprintf("web %d", i))
		if err != nil {
			return r, err
		}
		r.IssueCPU = append(r.IssueCPU, measure.MS(w.CPU))
		for step, took := range w.Steps {
			r.StepCPU[step] = append(r.StepCPU[step], measure.MS(took))
		}
		r.KeyCPU = append(r.KeyCPU, measure.MS(w.Key))
	}
	for range o.updates {
		w, err := o.update(ctx)
		if err != nil {
			return r, err
		}
		r.UpdateCPU = append(r.UpdateCPU, measure.MS(w.CPU))
		r.InUse = append(r.InUse, measure.MS(w.Proven))
		r.Through = append(r.Through, measure.MS(w.Through))
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

// swap updates while clients make handshakes all the time.
func (o options) swap(ctx context.Context, r *device.Result) error {
	for range o.swaps {
		h := device.Shake(o.device.Address, 2)
		w, err := o.update(ctx)
		time.Sleep(20 * time.Millisecond)
		h.Stop()
		if err != nil {
			return err
		}
		first, both, failed := h.After(w.At["bind.trial"])
		r.Handshakes, r.Failed = r.Handshakes+h.Len(), r.Failed+failed
		if !both {
			return fmt.Errorf("the handshakes did not see both certificates: %d of %d failed", failed, h.Len())
		}
		r.First = append(r.First, measure.MS(first))
	}
	return nil
}
