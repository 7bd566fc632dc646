package agent_test

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"newleaf"
	"newleaf/internal/agent"
	"newleaf/internal/ca"
)

// stocked adds to fx17A three certificates without a purpose: an expired one and
// two others, the older one first.
func stocked(d *device, p *agent.Provision) {
	fx17A(d, p)
	d.add(p, "Older", newleaf.Enrolled, start.AddDate(-3, 0, 0), start.AddDate(1, 0, 0))
	d.add(p, "Old", newleaf.Enrolled, start.AddDate(-2, 0, 0), start.AddDate(1, 0, 0))
	d.add(p, "Gone", newleaf.Enrolled, start.AddDate(-2, 0, 0), start.AddDate(0, -1, 0))
}

// TestRoom: how much a deletion policy takes, and what happens where it is not
// enough (DLS-20 to DLS-29).
func TestRoom(t *testing.T) {
	all := []newleaf.Rule{newleaf.RuleReplaced, newleaf.RuleNoPurpose, newleaf.RuleExpired}
	for _, tt := range []struct {
		name     string
		capacity int
		change   func(*newleaf.DeletionPolicy)
		quota    func(used int64) int64
		holds    []string
	}{
		{"DLS-23 control: all that a rule hits", 8, nil, nil, []string{"Xyz2:ipsec", "Xyz3:dot1x", "Xyz4:tls"}},
		{"DLS-20 DLS-21 the threshold is reached before the acquisition", 8, func(p *newleaf.DeletionPolicy) { p.Threshold = 6 }, nil,
			[]string{"Xyz2:ipsec", "Xyz3:dot1x", "Xyz4:tls"}},
		{"DLS-20 DLS-21 one below the threshold", 8, func(p *newleaf.DeletionPolicy) { p.Threshold = 7 }, nil,
			[]string{"Xyz1", "Xyz2:ipsec", "Xyz3:dot1x", "Older", "Old", "Gone", "Xyz4:tls"}},
		{"DLS-23 as needed, one too many: the expired one", 6, func(p *newleaf.DeletionPolicy) { p.AsNeeded = true }, nil,
			[]string{"Xyz1", "Xyz2:ipsec", "Xyz3:dot1x", "Older", "Old", "Xyz4:tls"}},
		{"DLS-23 as needed for a threshold: expired, then the oldest without a purpose", 8, func(p *newleaf.DeletionPolicy) { p.AsNeeded, p.Threshold = true, 5 }, nil,
			[]string{"Xyz1", "Xyz2:ipsec", "Xyz3:dot1x", "Old", "Xyz4:tls"}},
		{"DLS-23 as needed, before the request as well", 6, func(p *newleaf.DeletionPolicy) { p.AsNeeded, p.Order = true, newleaf.OrderBefore }, nil,
			[]string{"Xyz1", "Xyz2:ipsec", "Xyz3:dot1x", "Older", "Old", "Xyz4:tls"}},
		{"DLS-27 DLS-28 so few bytes are free", 8, func(p *newleaf.DeletionPolicy) { p.Free = 10000 }, func(used int64) int64 { return used + 10000 },
			[]string{"Xyz2:ipsec", "Xyz3:dot1x", "Xyz4:tls"}},
		{"DLS-27 DLS-28 a byte more is free", 8, func(p *newleaf.DeletionPolicy) { p.Free = 10000 }, func(used int64) int64 { return used + 10001 },
			[]string{"Xyz1", "Xyz2:ipsec", "Xyz3:dot1x", "Older", "Old", "Gone", "Xyz4:tls"}},
		{"DLS-29 either suffices: the number", 8, func(p *newleaf.DeletionPolicy) { p.Free, p.Threshold = 10000, 6 }, func(used int64) int64 { return used + 20000 },
			[]string{"Xyz2:ipsec", "Xyz3:dot1x", "Xyz4:tls"}},
		{"DLS-29 either suffices: the bytes", 8, func(p *newleaf.DeletionPolicy) { p.Free, p.Threshold = 10000, 7 }, func(used int64) int64 { return used + 9000 },
			[]string{"Xyz2:ipsec", "Xyz3:dot1x", "Xyz4:tls"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			d := newDevice(t, ca.Options{}, func(d *device, p *agent.Provision) { stocked(d, p); p.Settings.Capacity = tt.capacity })
			if tt.quota != nil {
				d.setting(func(s *newleaf.Settings) { s.Quota = tt.quota(d.status().UsedBytes) })
			}
			d.deleting(tt.change, all...)
			r := d.issue("Xyz4", newleaf.TLS)
			d.stands(r, newleaf.PhaseDone, fine)
			d.holds(tt.holds...)
		})
	}
	t.Run("DLS-28 F8-G4 the quota has no room for one more", func(t *testing.T) {
		t.Parallel()
		d := newDevice(t, ca.Options{}, fx17A)
		d.setting(func(s *newleaf.Settings) { s.Quota = d.status().UsedBytes + 1000 })
		r := d.issue("Xyz4", newleaf.TLS)
		d.stands(r, newleaf.PhaseFailed, newleaf.CodeStoreFull)
		says(t, r.Error.Text, "bytes")
		if n := len(d.authority.Exchanges()); n > 0 {
			t.Errorf("the authority was asked %d times", n)
		}
	})
	t.Run("ORD-06 full: the order before makes room, without one that is unused it is refused", func(t *testing.T) {
		t.Parallel()
		d := newDevice(t, ca.Options{}, func(d *device, p *agent.Provision) { unused(d, p); p.Settings.Capacity = 4 })
		d.deleting(func(p *newleaf.DeletionPolicy) { p.Order = newleaf.OrderBefore }, newleaf.RuleNoPurpose)
		d.stands(d.issue("Xyz4"), newleaf.PhaseDone, fine)
		d.holds("Xyz1:tls", "Xyz2:ipsec", "Xyz3:dot1x", "Xyz4")
		_, err := d.Pin(context.Background(), "Xyz4", true)
		must(t, err)
		d.stands(d.issue("Xyz5"), newleaf.PhaseFailed, newleaf.CodeStoreFull)
	})
	t.Run("ORD-07 a second try deletes nothing more than the first", func(t *testing.T) {
		t.Parallel()
		d := newDevice(t, ca.Options{}, stocked)
		d.deleting(func(p *newleaf.DeletionPolicy) { p.Order, p.Threshold, p.AsNeeded = newleaf.OrderBefore, 6, true }, all...)
		d.misbehave("refuse")
		first := d.issue("Xyz4", newleaf.TLS)
		d.stands(first, newleaf.PhaseFailed, newleaf.CodeRefused)
		if len(first.Deleted) != 1 || first.Deleted[0].Name != "Gone" {
			t.Errorf("the first try deleted %+v", first.Deleted)
		}
		second := d.issue("Xyz4", newleaf.TLS)
		if len(second.Deleted) != 0 {
			t.Errorf("the second try deleted %+v", second.Deleted)
		}
	})
}

func (d *device) setting(change func(*newleaf.Settings)) {
	d.t.Helper()
	s, err := d.Settings(context.Background())
	must(d.t, err)
	change(&s)
	_, err = d.SetSettings(context.Background(), s)
	must(d.t, err)
}

func (d *device) status() newleaf.Status {
	d.t.Helper()
	st, err := d.Status(context.Background())
	must(d.t, err)
	return st
}

// TestForecast: a coming update that will find no room is told once, with its
// date and what could go (contract, "Room"; DLS-26).
func TestForecast(t *testing.T) {
	d := newDevice(t, ca.Options{}, func(d *device, p *agent.Provision) {
		fx17A(d, p)
		d.add(p, "Old", newleaf.Imported, start.AddDate(-2, 0, 0), start.AddDate(1, 0, 0))
		d.add(p, "Dear", newleaf.Imported, start.AddDate(-2, 0, 0), start.AddDate(1, 0, 0))
		p.Certificates[4].Pinned = true
		p.Settings.Capacity = 6
	})
	d.issue("Xyz4", newleaf.TLS) // now the store is full, and Xyz4 alone can be updated
	d.tick()
	d.reserve(func(r *newleaf.Reservation) { r.Method, r.Before = newleaf.MethodBefore, 20*day })
	d.tick()
	d.after(time.Hour)
	told := d.events(newleaf.EventForecast)
	st := d.status()
	if len(told) != 1 || len(st.Announced) != 1 {
		t.Fatalf("it is told %d times, and the status has %+v", len(told), st.Announced)
	}
	n := st.Announced[0]
	if want := d.named("Xyz4").NotAfter.Add(-20 * day); !n.At.Equal(want) || n.Name != "Xyz4" || !strings.Contains(told[0].Text, want.Format(time.RFC3339)) {
		t.Errorf("announced is %+v, as %q, want %s", n, told[0].Text, want)
	}
	if want := []newleaf.ID{d.named("Xyz1").ID, d.named("Old").ID}; !slices.Equal(n.Candidates, want) {
		t.Errorf("candidates are %v, want %v", n.Candidates, want)
	}
	if !slices.Contains(st.Warnings, n.Text) {
		t.Errorf("the warnings are %q", st.Warnings)
	}
	d.reboot()
	d.after(time.Hour)
	if all := d.events(newleaf.EventForecast); len(all) != 1 {
		t.Errorf("it is told %d times", len(all))
	}

	must(t, d.Delete(context.Background(), "Old", false)) // room is made: all is well
	d.after(time.Hour)
	if st = d.status(); len(st.Announced) != 0 {
		t.Errorf("there is room, and %+v is still announced", st.Announced)
	}
	_, err := d.Generate(context.Background(), newleaf.Generation{Name: "New", Key: newleaf.RSA1024, Subject: "CN=New", Days: 1000})
	must(t, err)
	d.tick()
	if all := d.events(newleaf.EventForecast); len(all) != 2 {
		t.Errorf("full again, and it is told %d times", len(all))
	}

	// When the time comes it is refused without asking, and tried again.
	seen := len(d.authority.Exchanges())
	d.now = n.At
	d.tick()
	d.stands(d.last(), newleaf.PhaseRetry, newleaf.CodeStoreFull)
	if len(d.authority.Exchanges()) != seen {
		t.Error("the authority was asked although there is no room")
	}
	d.setting(func(s *newleaf.Settings) { s.Capacity = 7 })
	d.until(d.now.Add(6*time.Hour), time.Hour)
	d.stands(d.last(), newleaf.PhaseDone, fine)
}

// TestAlarms: each level is told once, also through a restart, and goes with its
// cause (TIM-36).
func TestAlarms(t *testing.T) {
	d := scheduled(t, ca.Options{}, false)
	d.authority.Down = true
	end := d.named("Xyz1").NotAfter
	for i, before := range []time.Duration{20 * day, 19 * day, 8 * day, 6 * day, 5 * day, 49 * time.Hour, 47 * time.Hour, day, -time.Hour} {
		d.now = end.Add(-before)
		if i == 4 {
			d.reboot()
		}
		d.tick()
	}
	var levels []string
	for _, e := range d.events(newleaf.EventAlarm) {
		levels = append(levels, e.Data["level"])
	}
	if want := []string{"notice", "warning", "critical", "expired"}; !slices.Equal(levels, want) {
		t.Errorf("the alarms were %q, want %q", levels, want)
	}
	st := d.status()
	if st.Purposes[0].Alarm != newleaf.AlarmExpired || !st.NeedsUpdate {
		t.Errorf("the status says %+v", st.Purposes[0])
	}
	d.authority.Down = false
	d.misbehave()
	d.issue("Xyz2", newleaf.TLS)
	d.tick()
	if st = d.status(); st.Purposes[0].Alarm != newleaf.AlarmNone {
		t.Errorf("all is well, and the alarm is %s", st.Purposes[0].Alarm)
	}
}
