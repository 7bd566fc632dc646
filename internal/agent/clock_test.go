package agent_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"newleaf"
	"newleaf/internal/agent"
	"newleaf/internal/ca"
)

// expiredOne adds to fx17A a certificate without a purpose that has ended.
func expiredOne(d *device, p *agent.Provision) {
	fx17A(d, p)
	d.add(p, "Gone", newleaf.Enrolled, start.AddDate(-2, 0, 0), start.AddDate(0, -1, 0))
}

// TestClockDoubt: a clock that may be wrong deletes nothing for having expired
// and starts no update, unless the end is so near that waiting is worse; what a
// person does works (TIM-31, INV-08).
func TestClockDoubt(t *testing.T) {
	for name, at := range map[string]time.Time{
		"TIM-31 in 1970": time.Date(1970, 1, 1, 0, 5, 0, 0, time.UTC),
		"TIM-31 in 2099": time.Date(2099, 1, 1, 0, 0, 0, 0, time.UTC),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := newDevice(t, ca.Options{}, expiredOne)
			d.deleting(nil, newleaf.RuleExpired)
			before := d.holding()
			d.now, d.trusted = at, false
			d.reboot()
			d.after(time.Minute)
			d.after(48 * time.Hour)
			d.unchanged(before)
			if all := d.events(newleaf.EventClock); len(all) == 0 || all[len(all)-1].Data["reason"] != newleaf.ClockLab {
				t.Errorf("the doubt is recorded as %+v", all)
			}
			st, err := d.Status(context.Background())
			must(t, err)
			if st.Clock.Trusted || !slices.ContainsFunc(st.Warnings, func(w string) bool { return len(w) > 0 && w[:9] == "The clock" }) {
				t.Errorf("the status says %+v, %q", st.Clock, st.Warnings)
			}
		})
	}
	t.Run("DLS-36 INV-08 the manual path works, and spares the expired", func(t *testing.T) {
		t.Parallel()
		d := newDevice(t, ca.Options{}, expiredOne)
		d.deleting(nil, newleaf.RuleExpired, newleaf.RuleReplaced)
		d.trusted = false
		d.tick()
		d.issue("Xyz4", newleaf.TLS)
		d.holds("Xyz2:ipsec", "Xyz3:dot1x", "Gone", "Xyz4:tls")
		must(t, d.Delete(context.Background(), "Gone", false))

		d.trusted = true // control: the same with a clock that is believed
		d.tick()
		_, err := d.SetPurposes(context.Background(), "Xyz2", nil)
		must(t, err)
		d.now = d.now.Add(370 * day)
		d.reboot() // until then Xyz2 is loaded
		d.issue("Xyz5", newleaf.TLS)
		d.holds("Xyz3:dot1x", "Xyz5:tls")
	})
	t.Run("TIM-31 doubt that comes during the walk counts as well", func(t *testing.T) {
		t.Parallel()
		d := newDevice(t, ca.Options{Approve: true}, expiredOne)
		d.deleting(nil, newleaf.RuleExpired)
		r := d.issue("Xyz4", newleaf.TLS)
		d.trusted = false
		must(t, d.authority.Approve(context.Background(), r.TransactionID))
		d.after(r.NextTry.Sub(d.now))
		d.stands(d.renewal(r.ID), newleaf.PhaseDone, fine)
		d.holds("Xyz1", "Xyz2:ipsec", "Xyz3:dot1x", "Gone", "Xyz4:tls")
	})
	t.Run("TIM-31 an update waits for the clock, but not beyond the safety margin", func(t *testing.T) {
		t.Parallel()
		d := scheduled(t, ca.Options{}, false)
		d.trusted = false
		d.until(d.named("Xyz1").NotAfter.Add(-14*day-time.Minute), 12*time.Hour)
		d.wantStarted()
		d.after(time.Minute)
		d.holds("Xyz1", "Xyz1-2:tls")
	})
	t.Run("TIM-31 it goes on as soon as the clock is believed", func(t *testing.T) {
		t.Parallel()
		d := scheduled(t, ca.Options{}, false)
		d.trusted = false
		d.tick()
		d.wantStarted()
		d.trusted = true
		d.tick()
		d.holds("Xyz1", "Xyz1-2:tls")
	})
	t.Run("a certificate that was got in doubt does not raise the floor of the clock", func(t *testing.T) {
		t.Parallel()
		d := newDevice(t, ca.Options{}, fx17A)
		d.now, d.trusted = start.AddDate(5, 0, 0), false
		d.tick()
		d.issue("Xyz4", newleaf.TLS)
		d.now, d.trusted = start, true
		d.tick()
		st, err := d.Status(context.Background())
		must(t, err)
		if st.Clock.Floor.After(start) {
			t.Errorf("the floor is %s", st.Clock.Floor)
		}
		d.issue("Xyz5", newleaf.TLS) // control
		d.tick()
		if st, err = d.Status(context.Background()); err != nil || !st.Clock.Floor.Equal(d.named("Xyz5").NotBefore) {
			t.Errorf("the floor is %s (%v), not the notBefore of Xyz5", st.Clock.Floor, err)
		}
	})
}
