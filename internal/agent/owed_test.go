package agent_test

import (
	"context"
	"testing"
	"time"

	"newleaf"
	"newleaf/internal/agent"
	"newleaf/internal/ca"
)

// settling is a device with Xyz1 replaced by Xyz4, which can be put back for a day.
func settling(t *testing.T) *device {
	t.Helper()
	d := newDevice(t, ca.Options{}, fx17A)
	d.deleting(func(p *newleaf.DeletionPolicy) { p.Settle = day }, newleaf.RuleReplaced)
	d.stands(d.issue("Xyz4", newleaf.TLS), newleaf.PhaseDone, fine)
	d.holds("Xyz1", "Xyz2:ipsec", "Xyz3:dot1x", "Xyz4:tls")
	return d
}

// TestOwedCancelled: what a person takes back during the settle time is off the
// list for good, also when the reason goes away again (contract, "Owed deletions").
func TestOwedCancelled(t *testing.T) {
	pin := func(on bool) func(*device) {
		return func(d *device) { _, err := d.Pin(context.Background(), "Xyz1", on); must(d.t, err) }
	}
	give := func(to string) func(*device) {
		return func(d *device) {
			_, err := d.SetPurposes(context.Background(), to, []newleaf.Purpose{newleaf.TLS})
			must(d.t, err)
		}
	}
	auto := func(on bool) func(*device) {
		return func(d *device) {
			d.deleting(func(p *newleaf.DeletionPolicy) { p.Auto, p.Settle = on, day }, newleaf.RuleReplaced)
		}
	}
	for _, tt := range []struct {
		name      string
		undo, not func(*device)
		why       newleaf.Reason
	}{
		{"a pin, and none", pin(true), pin(false), newleaf.KeepPinned},
		{"automatic deletion off, and on", auto(false), auto(true), newleaf.KeepOff},
		{"its purpose back, and away again", give("Xyz1"), give("Xyz4"), newleaf.KeepInUse},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			d := settling(t)
			d.now = d.now.Add(time.Hour)
			tt.undo(d)
			d.tick()
			info, err := d.Deletion(context.Background())
			must(t, err)
			if len(info.Owed) != 0 {
				t.Errorf("%v are owed", info.Owed)
			}
			told := d.events(newleaf.EventSpared)
			if len(told) != 1 || told[0].Certificate != d.named("Xyz1").ID {
				t.Fatalf("the journal has %+v", told)
			}
			says(t, told[0].Text, string(tt.why))
			tt.not(d)
			d.until(d.now.Add(3*day), 6*time.Hour)
			d.holds("Xyz1", "Xyz2:ipsec", "Xyz3:dot1x", "Xyz4:tls")
		})
	}
}

// TestSettleEach: each certificate can be put back for the whole time, whenever
// the one before it was replaced.
func TestSettleEach(t *testing.T) {
	t.Parallel()
	d := settling(t)
	d.after(23*time.Hour + 55*time.Minute)
	d.stands(d.issue("Xyz5", newleaf.TLS), newleaf.PhaseDone, fine)
	d.after(10 * time.Minute) // Xyz1 goes in its time
	d.holds("Xyz2:ipsec", "Xyz3:dot1x", "Xyz4", "Xyz5:tls")
	d.after(23 * time.Hour)
	d.holds("Xyz2:ipsec", "Xyz3:dot1x", "Xyz4", "Xyz5:tls")
	if used := d.named("Xyz4").Used; len(used) != 1 {
		t.Errorf("it can be put back for %v", used)
	}
	d.after(time.Hour)
	d.holds("Xyz2:ipsec", "Xyz3:dot1x", "Xyz5:tls")
}

// TestNewOneDeleted: a person deletes the new certificate, by force, while the old
// one can still be put back: it is, and it stays (DLS-37).
func TestNewOneDeleted(t *testing.T) {
	t.Parallel()
	d := settling(t)
	d.now = d.now.Add(time.Hour)
	must(t, d.Delete(context.Background(), "Xyz4", true))
	d.holds("Xyz1:tls", "Xyz2:ipsec", "Xyz3:dot1x")
	if s := d.targets[newleaf.TLS].serves; s != d.named("Xyz1").ID {
		t.Errorf("the target serves %s", s.Short())
	}
	d.until(d.now.Add(3*day), 6*time.Hour)
	d.holds("Xyz1:tls", "Xyz2:ipsec", "Xyz3:dot1x")
}

// TestBeforeKeepsCredential: in the order "before" nobody knows yet whether the
// authority will issue, so what alone can enroll again stays (ORD-02, INV-14).
func TestBeforeKeepsCredential(t *testing.T) {
	for name, mischief := range map[string][]string{"refused": {"refuse"}, "issued": nil} {
		t.Run("INV-14 "+name, func(t *testing.T) {
			t.Parallel()
			d := newDevice(t, ca.Options{Mischief: mischief}, func(d *device, p *agent.Provision) {
				d.add(p, "Self", newleaf.Generated, start.AddDate(-1, 0, 0), start.AddDate(1, 0, 0), newleaf.TLS)
				d.add(p, "Old", newleaf.Enrolled, start.AddDate(-1, 0, 0), start.AddDate(1, 0, 0))
			})
			d.deleting(func(p *newleaf.DeletionPolicy) { p.Order = newleaf.OrderBefore }, newleaf.RuleNoPurpose)
			d.at("room.cleared", func() { d.holds("Self:tls", "Old") })
			d.issue("Xyz1", newleaf.TLS)
			if mischief != nil {
				d.holds("Self:tls", "Old")
			} else {
				d.holds("Self", "Xyz1:tls") // now there is another
			}
		})
	}
}
