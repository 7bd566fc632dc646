package agent_test

import (
	"context"
	"testing"
	"time"

	"newleaf"
	"newleaf/internal/ca"
)

// TestSafetyNet: neither a person's cancel nor other settings that drop a retry
// leave a certificate to its end (TIM-30, TIM-46).
func TestSafetyNet(t *testing.T) {
	for _, tt := range []struct {
		name string
		drop func(*device)
	}{
		{"TIM-35 cancelled in its cycle", func(d *device) {
			_, err := d.CancelRenewal(context.Background(), d.last().ID)
			must(d.t, err)
		}},
		{"TIM-46 dropped by a longer cycle", func(d *device) {
			d.reserve(func(r *newleaf.Reservation) { r.Method, r.Every = newleaf.MethodEvery, 1000*day })
		}},
		{"TIM-46 dropped by another method", func(d *device) {
			d.reserve(func(r *newleaf.Reservation) { r.Method, r.Before = newleaf.MethodBefore, day })
		}},
		{"TIM-46 dropped by switching it off and on", func(d *device) {
			d.reserve(func(r *newleaf.Reservation) { r.Method = newleaf.MethodOff })
			d.after(time.Second)
			d.reserve(func(r *newleaf.Reservation) { r.Method, r.Every = newleaf.MethodEvery, 1000*day })
		}},
		{"and cancelled twice", func(d *device) {
			d.reserve(func(r *newleaf.Reservation) { r.Method, r.Every = newleaf.MethodEvery, 11*day })
			d.after(time.Second)
			d.after(day)
			_, err := d.CancelRenewal(context.Background(), d.last().ID)
			must(d.t, err)
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			d := newDevice(t, ca.Options{}, nil)
			d.issue("Xyz1", newleaf.TLS)
			end := d.named("Xyz1").NotAfter
			d.reserve(func(r *newleaf.Reservation) { r.Method, r.Every = newleaf.MethodEvery, 10*day })
			d.now = d.now.Add(10 * day)
			d.authority.Down = true
			d.tick()
			first := d.last()
			d.stands(first, newleaf.PhaseRetry, newleaf.CodeUnreachable)
			d.now = d.now.Add(time.Second)
			tt.drop(d)
			d.after(time.Second)
			d.stands(d.renewal(first.ID), newleaf.PhaseCancelled, newleaf.CodeCancelled)
			d.authority.Down = false
			d.until(end.Add(-14*day-time.Minute), day/2)
			d.holds("Xyz1:tls")
			d.after(time.Minute)
			d.holds("Xyz1", "Xyz1-2:tls")
		})
	}
}

// TestWrongClock: what a clock that was years ahead for a moment has written down
// does not keep the device waiting for years (TIM-31, TIM-32).
func TestWrongClock(t *testing.T) {
	t.Run("TIM-32 the next try", func(t *testing.T) {
		t.Parallel()
		d := scheduled(t, ca.Options{}, false)
		right := d.now
		d.authority.Down = true
		d.now = right.AddDate(9, 0, 0)
		d.tick()
		d.stands(d.last(), newleaf.PhaseRetry, newleaf.CodeUnreachable)
		d.now = right
		d.authority.Down = false
		d.until(right.Add(day), time.Hour)
		d.holds("Xyz1", "Xyz1-2:tls")
	})
	for name, reboot := range map[string]bool{"TIM-32 the end of a trial": false, "TIM-32 the end of a trial, through a restart": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := newDevice(t, ca.Options{}, fx17A)
			d.targets[newleaf.TLS].says = newleaf.EvidenceNone
			right := d.now
			d.at("restart", func() { d.now = right.AddDate(9, 0, 0) })
			d.issue("Xyz4", newleaf.TLS)
			d.stands(d.last(), newleaf.PhaseSuspended, fine)
			d.now = right
			if reboot {
				d.reboot()
			}
			d.tick()
			d.after(23 * time.Hour)
			d.holds("Xyz1", "Xyz2:ipsec", "Xyz3:dot1x", "Xyz4:tls")
			d.after(2 * time.Hour)
			d.holds("Xyz1:tls", "Xyz2:ipsec", "Xyz3:dot1x", "Xyz4")
		})
	}
}
