package agent_test

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"newleaf"
	"newleaf/internal/agent"
	"newleaf/internal/ca"
)

const day = 24 * time.Hour

// running lets every purpose take a certificate without a restart.
func running(_ *device, p *agent.Provision) {
	p.Settings.Needs = map[newleaf.Purpose]newleaf.Need{newleaf.IPsec: newleaf.NeedLive, newleaf.Dot1X: newleaf.NeedLive}
}

// years is a device whose certificates end only in ten years, so that the timing
// alone decides. It holds one for each of the purposes.
func years(t *testing.T, purposes ...newleaf.Purpose) *device {
	t.Helper()
	d := newDevice(t, ca.Options{Validity: 3650 * day}, running)
	for i, p := range purposes {
		if r := d.issue(fmt.Sprintf("Xyz%d", i+1), p); r.Error != nil {
			t.Fatal(r.Error)
		}
	}
	return d
}

// started are the renewals that no person asked for, by the name of what they
// replace and the time since the start of the test, in days.
func (d *device) started() (out []string) {
	d.t.Helper()
	all, err := d.Renewals(context.Background())
	must(d.t, err)
	for _, r := range all {
		if r.Cause != newleaf.CauseManual {
			out = append(out, fmt.Sprintf("%s %s", d.nameOf(r.Replaces), r.Started.Sub(start)/day*day))
		}
	}
	slices.Sort(out) // of those due together any may be first
	return out
}

// nameOf is the name of a certificate that may be deleted already.
func (d *device) nameOf(id newleaf.ID) string {
	if c, err := d.Certificate(context.Background(), string(id)); err == nil {
		return c.Name
	}
	for _, e := range d.events(newleaf.EventDeleted) {
		if e.Certificate == id {
			return e.Data["name"]
		}
	}
	return string(id)
}

func (d *device) wantStarted(want ...string) {
	d.t.Helper()
	if have := d.started(); !slices.Equal(have, want) {
		d.t.Fatalf("updates were started for %q, want %q", have, want)
	}
}

func date(at time.Time) func(*newleaf.Reservation) {
	return func(r *newleaf.Reservation) { r.Method, r.At = newleaf.MethodDate, at.Format("2006-01-02T15:04") }
}

func every(d time.Duration) func(*newleaf.Reservation) {
	return func(r *newleaf.Reservation) { r.Method, r.Every = newleaf.MethodEvery, d }
}

func TestReservationDate(t *testing.T) {
	t.Run("TIM-01 TIM-02 on the date, once and for all", func(t *testing.T) {
		t.Parallel()
		d := years(t, newleaf.TLS)
		d.reserve(date(start.Add(40 * day)))
		d.after(40*day - time.Second)
		d.wantStarted()
		d.after(time.Second)
		d.wantStarted("Xyz1 960h0m0s")
		d.holds("Xyz1", "Xyz1-2:tls")
		d.reboot()
		d.until(d.now.Add(365*day), 30*day)
		d.wantStarted("Xyz1 960h0m0s")
		if r, err := d.Reservation(context.Background()); err != nil || r.Fired.IsZero() || len(r.Next) != 1 || r.Next[0].Cause != newleaf.CauseSafetyNet {
			t.Errorf("the reservation says %+v, %v", r, err)
		}
	})
	t.Run("TIM-03 missed while the device was off: at the next start", func(t *testing.T) {
		t.Parallel()
		d := years(t, newleaf.TLS)
		d.reserve(date(start.Add(40 * day)))
		d.now = d.now.Add(90 * day)
		d.reboot()
		d.tick()
		d.wantStarted("Xyz1 2160h0m0s")
		d.until(d.now.Add(30*day), 10*day)
		d.wantStarted("Xyz1 2160h0m0s")
	})
	t.Run("TIM-32 a date that is done with stays so when the clock is set back", func(t *testing.T) {
		t.Parallel()
		d := years(t, newleaf.TLS)
		d.reserve(date(start.Add(40 * day)))
		d.after(40 * day)
		d.now = start.Add(day)
		d.until(start.Add(60*day), 10*day)
		d.wantStarted("Xyz1 960h0m0s")
	})
	t.Run("TIM-32 AMB-15 also while another certificate is still being tried", func(t *testing.T) {
		t.Parallel()
		d := years(t, newleaf.TLS, newleaf.IPsec)
		d.reserve(date(start.Add(40 * day)))
		d.now = start.Add(40 * day)
		d.stop = func(point string) { // the authority goes down after the first
			d.authority.Down = d.authority.Down || point == "delete.done"
		}
		d.tick()
		d.wantStarted("Xyz1 960h0m0s", "Xyz2 960h0m0s")
		d.now = start.Add(39 * day)
		d.tick()
		d.authority.Down = false
		d.until(start.Add(50*day), day)
		if n := len(d.events(newleaf.EventAcquired)); n != 4 {
			t.Errorf("%d certificates were acquired, want two and their two successors", n)
		}
		for name, purpose := range map[string]newleaf.Purpose{"Xyz1-2": newleaf.TLS, "Xyz2-2": newleaf.IPsec} {
			if c := d.named(name); !slices.Equal(c.Purposes, []newleaf.Purpose{purpose}) {
				t.Errorf("%s holds %v", name, c.Purposes)
			}
		}
	})
	t.Run("TIM-29 all in use, one after the other; an unused one never", func(t *testing.T) {
		t.Parallel()
		d := years(t, newleaf.TLS, newleaf.IPsec, newleaf.Dot1X)
		d.issue("Spare")
		d.reserve(date(start.Add(40 * day)))
		d.alone()
		d.until(start.Add(60*day), 30*day)
		d.wantStarted("Xyz1 960h0m0s", "Xyz2 960h0m0s", "Xyz3 960h0m0s")
		for name, purpose := range map[string]newleaf.Purpose{"Xyz1-2": newleaf.TLS, "Xyz2-2": newleaf.IPsec, "Xyz3-2": newleaf.Dot1X} {
			if c := d.named(name); !slices.Equal(c.Purposes, []newleaf.Purpose{purpose}) {
				t.Errorf("%s holds %v", name, c.Purposes)
			}
		}
	})
}

// alone fails the test when a renewal is begun before another that was begun is
// through or waits (TIM-39, F8-G15).
func (d *device) alone() {
	var open int64
	d.stop = func(point string) {
		switch point {
		case "room", "request", "keep", "bind", "restart", "prove", "delete":
			if at := d.running(); open != 0 && at != open {
				d.t.Errorf("renewal %d is at %s while %d is not through", at, point, open)
			} else {
				open = at
			}
		case "delete.done":
			open = 0
		}
	}
}

// running is the renewal whose step is under way: the one that changed last.
func (d *device) running() int64 {
	all := d.events(newleaf.EventStep)
	if len(all) == 0 {
		return 0
	}
	open, err := d.Status(context.Background())
	must(d.t, err)
	for _, r := range open.Running {
		if r.Phase == newleaf.PhaseRunning {
			return r.ID
		}
	}
	return 0
}

func TestReservationBefore(t *testing.T) {
	t.Run("TIM-08 each certificate at its own time", func(t *testing.T) {
		t.Parallel()
		d := newDevice(t, ca.Options{}, running)
		d.issue("Xyz1", newleaf.TLS)
		d.after(10*day + time.Hour)
		d.issue("Xyz2", newleaf.IPsec)
		d.reserve(func(r *newleaf.Reservation) { r.Method, r.Before = newleaf.MethodBefore, 20*day })
		d.after(70*day - 10*day - time.Hour - time.Second)
		d.wantStarted()
		d.after(time.Second)
		d.wantStarted("Xyz1 1680h0m0s")
		d.until(start.Add(100*day), 10*day)
		d.wantStarted("Xyz1 1680h0m0s", "Xyz2 1920h0m0s")
	})
	t.Run("TIM-10 one without a purpose never, not even expired", func(t *testing.T) {
		t.Parallel()
		d := newDevice(t, ca.Options{}, nil)
		d.issue("Spare")
		d.reserve(func(r *newleaf.Reservation) { r.Method, r.Before = newleaf.MethodBefore, 20*day })
		d.until(start.Add(200*day), 20*day)
		d.wantStarted()
	})
	t.Run("TIM-40 off beyond the end: tried at the start, by the password that is kept", func(t *testing.T) {
		t.Parallel()
		d := scheduled(t, ca.Options{}, true)
		d.now = d.named("Xyz1").NotAfter.Add(100 * day)
		d.reboot()
		d.tick()
		d.holds("Xyz1", "Xyz1-2:tls")
	})
	t.Run("TIM-40 without a password: refused, alarmed, and well again once a person has acted", func(t *testing.T) {
		t.Parallel()
		d := scheduled(t, ca.Options{}, false)
		d.now = d.named("Xyz1").NotAfter.Add(100 * day)
		d.reboot()
		d.tick()
		d.stands(d.last(), newleaf.PhaseRetry, newleaf.CodeRefused)
		d.holds("Xyz1:tls")
		if all := d.events(newleaf.EventAlarm); len(all) != 1 || all[0].Data["level"] != string(newleaf.AlarmExpired) {
			t.Errorf("the alarms are %+v", all)
		}
		r, err := d.CancelRenewal(context.Background(), d.last().ID)
		must(t, err)
		d.stands(r, newleaf.PhaseCancelled, newleaf.CodeCancelled)
		d.issue("Xyz2", newleaf.TLS)
		d.holds("Xyz1", "Xyz2:tls")
	})
	t.Run("TIM-46 a retry goes on only while it is due", func(t *testing.T) {
		t.Parallel()
		d := scheduled(t, ca.Options{}, false)
		d.misbehave("refuse")
		before := d.holding()
		d.tick()
		r := d.last()
		d.stands(r, newleaf.PhaseRetry, newleaf.CodeRefused)
		d.reserve(func(r *newleaf.Reservation) { r.Method, r.Before = newleaf.MethodBefore, 19*day })
		d.tick()
		d.stands(d.renewal(r.ID), newleaf.PhaseCancelled, newleaf.CodeCancelled)
		d.unchanged(before) // the fresh key is destroyed as well (F8-G9)
		d.misbehave()
		d.after(day - time.Minute)
		d.holds("Xyz1:tls")
		d.after(time.Minute)
		d.stands(d.last(), newleaf.PhaseDone, fine)
		d.holds("Xyz1", "Xyz1-2:tls")
	})
	t.Run("TIM-46 and while its certificate is in use", func(t *testing.T) {
		t.Parallel()
		d := scheduled(t, ca.Options{}, false)
		d.authority.Down = true
		d.tick()
		_, err := d.SetPurposes(context.Background(), "Xyz1", nil)
		must(t, err)
		d.tick()
		d.stands(d.last(), newleaf.PhaseCancelled, newleaf.CodeCancelled)
	})
	t.Run("TIM-34 new settings count at once", func(t *testing.T) {
		t.Parallel()
		d := reserved(t, ca.Options{}, nil)
		d.after(30 * day)
		d.wantStarted()
		d.reserve(func(r *newleaf.Reservation) { r.Method, r.Before = newleaf.MethodBefore, 61*day })
		d.tick()
		d.holds("Xyz1", "Xyz1-2:tls")
	})
}

func TestReservationEvery(t *testing.T) {
	t.Run("TIM-13 TIM-14 TIM-15 exactly so long after the last update, also one by hand", func(t *testing.T) {
		t.Parallel()
		d := years(t, newleaf.TLS)
		d.reserve(every(30 * day))
		d.after(30*day - time.Second)
		d.wantStarted()
		d.after(time.Second)
		d.wantStarted("Xyz1 720h0m0s")
		d.after(10 * day)
		d.issue("Hand", newleaf.TLS)
		d.until(start.Add(70*day-time.Second), 10*day)
		d.wantStarted("Xyz1 720h0m0s")
		d.after(time.Second)
		d.wantStarted("Hand 1680h0m0s", "Xyz1 720h0m0s")
	})
	t.Run("TIM-16 a failure does not move the anchor", func(t *testing.T) {
		t.Parallel()
		d := years(t, newleaf.TLS)
		d.reserve(every(30 * day))
		d.authority.Down = true
		d.until(start.Add(31*day), day)
		d.holds("Xyz1:tls")
		d.authority.Down = false
		d.until(start.Add(32*day), day)
		d.holds("Xyz1", "Xyz1-2:tls")
		updated := d.named("Xyz1-2").Updated
		if r, err := d.Reservation(context.Background()); err != nil || !r.Next[0].At.Equal(updated.Add(30*day)) {
			t.Errorf("next is %+v (%v), the success was on %s", r.Next, err, updated)
		}
	})
	t.Run("TIM-28 off for three months: one update at the start, not three", func(t *testing.T) {
		t.Parallel()
		d := years(t, newleaf.TLS)
		d.reserve(func(r *newleaf.Reservation) { r.Method, r.Day = newleaf.MethodMonthly, 10 })
		d.now = start.Add(100 * day)
		d.reboot()
		d.tick()
		d.until(d.now.Add(day/2), time.Hour)
		d.wantStarted("Xyz1 2400h0m0s")
	})
	t.Run("TIM-33 the clock jumps ahead: once, at the next look", func(t *testing.T) {
		t.Parallel()
		d := years(t, newleaf.TLS)
		d.reserve(every(30 * day))
		d.after(time.Minute)
		d.after(400 * day)
		d.after(time.Minute)
		d.wantStarted("Xyz1 9600h0m0s")
	})
	t.Run("TIM-32 the clock is set back: the cycle counts from now, with an event", func(t *testing.T) {
		t.Parallel()
		d := years(t, newleaf.TLS)
		d.reserve(every(30 * day))
		d.after(30 * day)
		d.wantStarted("Xyz1 720h0m0s")
		d.now = start.Add(-365 * day)
		d.until(d.now.Add(29*day), 10*day)
		d.wantStarted("Xyz1 720h0m0s")
		d.until(d.now.Add(2*day), 10*day)
		if n := len(d.started()); n != 2 {
			t.Errorf("%d updates, want one more a cycle after the clock was set back", n)
		}
		if all := d.events(newleaf.EventClock); len(all) == 0 {
			t.Error("nothing tells that an anchor was moved")
		}
	})
	t.Run("TIM-29 the selection follows the successor", func(t *testing.T) {
		t.Parallel()
		d := newDevice(t, ca.Options{Validity: 40 * day}, running)
		d.issue("Xyz1", newleaf.TLS)
		d.issue("Xyz2", newleaf.IPsec)
		d.reserve(func(r *newleaf.Reservation) {
			every(30 * day)(r)
			r.Only = []newleaf.ID{d.named("Xyz2").ID}
		})
		d.until(start.Add(91*day), 10*day)
		d.holds("Xyz1:tls", "Xyz2", "Xyz2-2", "Xyz2-3", "Xyz2-4:ipsec")
		if r, err := d.Reservation(context.Background()); err != nil || !slices.Equal(r.Only, []newleaf.ID{d.named("Xyz2-4").ID}) {
			t.Errorf("selected are %v (%v)", r.Only, err)
		}
	})
	t.Run("PUR-11 DM-36 an update asks for what its certificate holds now", func(t *testing.T) {
		t.Parallel()
		d := years(t, newleaf.TLS)
		_, err := d.SetPurposes(context.Background(), "Xyz1", []newleaf.Purpose{newleaf.Dot1X, newleaf.TLS})
		must(t, err)
		d.reserve(every(30 * day))
		d.after(30 * day)
		d.holds("Xyz1", "Xyz1-2:dot1x,tls")
	})
}

// TestReservationOff: a device that is off does nothing by itself, however near
// the end is (RSV-15); what has no request is alarmed and never asked for
// (F19-G2).
func TestReservationOff(t *testing.T) {
	for name, change := range map[string]func(*newleaf.Reservation){
		"RSV-15 off": func(r *newleaf.Reservation) { r.Method = newleaf.MethodOff },
		"F19-G2 AMB-16 nothing that can be asked for": func(r *newleaf.Reservation) {
			r.Method, r.Before = newleaf.MethodBefore, 20*day
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := newDevice(t, ca.Options{}, fx17A)
			d.reserve(change)
			d.deleting(nil, newleaf.AllRules()...)
			d.until(start.AddDate(2, 0, 0), 60*day)
			if n := len(d.authority.Exchanges()); n > 0 {
				t.Errorf("the authority was contacted %d times", n)
			}
			d.holds("Xyz1:tls", "Xyz2:ipsec", "Xyz3:dot1x") // DLS-01: expired, and nothing was acquired
			if all := d.events(newleaf.EventAlarm); len(all) < 3 {
				t.Errorf("%d alarms for three certificates that ended", len(all))
			}
		})
	}
}
