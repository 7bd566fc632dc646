package agent_test

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"newleaf"
	"newleaf/internal/ca"
	"newleaf/internal/newleaftest"
)

// garble stops the device, changes its store behind its back, and starts it again.
func (d *device) garble(statement string, args ...any) {
	d.t.Helper()
	if err := d.store.Close(); err != nil {
		d.t.Fatal(err)
	}
	newleaftest.SQL(d.t, d.dir, statement, args...)
	d.begin(d.open())
}

// TestDamaged: one row that cannot be read stops neither the list nor a walk, and
// is never deleted by itself (F5A-G1, INV-11, F19-G3).
func TestDamaged(t *testing.T) {
	for _, tt := range []struct {
		name, statement string
		keyless         bool // the entry is whole, its key is not
	}{
		{"the certificate", `UPDATE certificates SET der = x'3082', request = '{' WHERE name = 'Old'`, false},
		{"the origin", `UPDATE certificates SET origin = 'found' WHERE name = 'Old'`, false},
		{"the times", `UPDATE certificates SET added = 'yesterday' WHERE name = 'Old'`, false},
		{"the key", `UPDATE keys SET wrapped = x'00' WHERE id = (SELECT key_id FROM certificates WHERE name = 'Old')`, true},
		{"the key is gone", `DELETE FROM keys WHERE id = (SELECT key_id FROM certificates WHERE name = 'Old')`, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			d := newDevice(t, ca.Options{}, unused)
			d.deleting(nil, newleaf.AllRules()...)
			d.garble(tt.statement)
			d.holds("Xyz1:tls", "Xyz2:ipsec", "Xyz3:dot1x", "Old")
			st := d.status()
			if told := slices.ContainsFunc(st.Warnings, func(w string) bool { return strings.Contains(w, "damaged") }); told != !tt.keyless || st.Stored != 4 {
				t.Errorf("the status says %q of %d", st.Warnings, st.Stored)
			}
			r := d.issue("Xyz4", newleaf.TLS)
			d.stands(r, newleaf.PhaseDone, fine)
			if tt.keyless { // its use is nobody's business: it goes as any other
				d.holds("Xyz2:ipsec", "Xyz3:dot1x", "Xyz4:tls")
				return
			}
			d.holds("Xyz2:ipsec", "Xyz3:dot1x", "Old", "Xyz4:tls")
			plan, err := d.PlanDeletion(context.Background(), []newleaf.Purpose{newleaf.TLS}, nil)
			must(t, err)
			if i := slices.IndexFunc(plan, func(v newleaf.Verdict) bool { return v.Name == "Old" }); plan[i].Reason != newleaf.KeepDamaged {
				t.Errorf("the plan keeps it for %q", plan[i].Reason)
			}
			_, err = d.SetPurposes(context.Background(), "Old", []newleaf.Purpose{newleaf.TLS})
			wantCode(t, err, newleaf.CodeConflict)
			must(t, d.Delete(context.Background(), "Old", false)) // a person may
			d.holds("Xyz2:ipsec", "Xyz3:dot1x", "Xyz4:tls")
			d.issue("Xyz5", newleaf.TLS)
			d.holds("Xyz2:ipsec", "Xyz3:dot1x", "Xyz5:tls")
		})
	}
	t.Run("in use: alarmed and kept, and another takes its purpose", func(t *testing.T) {
		t.Parallel()
		d := newDevice(t, ca.Options{}, fx17A)
		d.deleting(nil, newleaf.AllRules()...)
		d.garble(`UPDATE certificates SET der = x'00' WHERE name = 'Xyz1'`)
		if all := d.events(newleaf.EventAlarm); len(all) == 0 || !strings.Contains(all[0].Text, "TLS could not load") {
			t.Errorf("the alarms are %+v", all)
		}
		d.stands(d.issue("Xyz4", newleaf.TLS), newleaf.PhaseDone, fine)
		d.holds("Xyz1", "Xyz2:ipsec", "Xyz3:dot1x", "Xyz4:tls")
	})
	t.Run("the certificate that is being updated", func(t *testing.T) {
		t.Parallel()
		d := scheduled(t, ca.Options{}, true)
		d.authority.Down = true
		d.tick()
		d.garble(`UPDATE certificates SET der = x'00' WHERE name = 'Xyz1'`)
		d.authority.Down = false
		d.until(d.now.Add(day), day)
		d.stands(d.issue("Xyz4", newleaf.TLS), newleaf.PhaseDone, fine)
		d.holds("Xyz1", "Xyz4:tls")
	})
	t.Run("the record of a renewal", func(t *testing.T) {
		t.Parallel()
		d := newDevice(t, ca.Options{Approve: true}, fx17A)
		r := d.issue("Xyz4", newleaf.TLS)
		d.garble(`UPDATE renewals SET body = '{"id":'`)
		d.after(time.Hour)
		d.stands(d.renewal(r.ID), newleaf.PhaseFailed, newleaf.CodeDamaged)
		d.holds("Xyz1:tls", "Xyz2:ipsec", "Xyz3:dot1x")
		r = d.issue("Xyz5", newleaf.TLS)
		must(t, d.authority.Approve(context.Background(), r.TransactionID))
		d.after(time.Hour)
		d.holds("Xyz1", "Xyz2:ipsec", "Xyz3:dot1x", "Xyz5:tls")
	})
	t.Run("what is owed", func(t *testing.T) {
		t.Parallel()
		d := newDevice(t, ca.Options{}, fx17A)
		d.deleting(func(p *newleaf.DeletionPolicy) { p.Settle = day }, newleaf.RuleReplaced)
		d.issue("Xyz4", newleaf.TLS)
		d.garble(`UPDATE owed SET not_before = 'soon'`)
		d.after(48 * time.Hour)
		d.holds("Xyz1", "Xyz2:ipsec", "Xyz3:dot1x", "Xyz4:tls") // rather no deletion than a wrong one
		d.issue("Xyz5", newleaf.TLS)
		d.after(48 * time.Hour)
		d.holds("Xyz1", "Xyz2:ipsec", "Xyz3:dot1x", "Xyz5:tls")
	})
}

// TestOwed: a deletion that a guard put off comes when the guard is gone, without
// a new acquisition, through restarts (contract, "Owed deletions").
func TestOwed(t *testing.T) {
	t.Run("still loaded by a program that reads it at its start", func(t *testing.T) {
		t.Parallel()
		d := newDevice(t, ca.Options{}, fx17A)
		d.deleting(nil, newleaf.RuleReplaced)
		r := d.issue("Xyz4", newleaf.Dot1X)
		d.holds("Xyz1:tls", "Xyz2:ipsec", "Xyz3", "Xyz4:dot1x")
		d.after(100 * day)
		d.holds("Xyz1:tls", "Xyz2:ipsec", "Xyz3", "Xyz4:dot1x")
		d.reboot()
		d.tick()
		d.holds("Xyz1:tls", "Xyz2:ipsec", "Xyz4:dot1x")
		if r = d.renewal(r.ID); r.Phase != newleaf.PhaseDone || len(r.Deleted) != 1 || r.Deleted[0].Rule != newleaf.RuleReplaced {
			t.Errorf("the renewal stands at %s and deleted %+v", r.Phase, r.Deleted)
		}
	})
	t.Run("the clock is doubted when it is due: it has been decided already", func(t *testing.T) {
		t.Parallel()
		d := newDevice(t, ca.Options{}, fx17A)
		d.deleting(func(p *newleaf.DeletionPolicy) { p.Settle = day }, newleaf.RuleReplaced)
		d.issue("Xyz4", newleaf.TLS)
		info, err := d.Deletion(context.Background())
		must(t, err)
		if !slices.Equal(info.Owed, []newleaf.ID{d.named("Xyz1").ID}) {
			t.Errorf("owed are %v", info.Owed)
		}
		if b := d.named("Xyz1"); !b.InUse || len(b.Purposes) != 0 {
			t.Errorf("it can be put back, so it is in use and holds nothing: %+v", b.Listed)
		}
		d.reboot()
		d.until(d.now.Add(day), time.Hour)
		d.holds("Xyz2:ipsec", "Xyz3:dot1x", "Xyz4:tls")
		if rule := d.deletedBy()["Xyz1"]; rule != string(newleaf.RuleReplaced) {
			t.Errorf("it went by %q", rule)
		}
	})
	t.Run("put back by one click: the successor is not deleted instead", func(t *testing.T) {
		t.Parallel()
		d := newDevice(t, ca.Options{}, fx17A)
		d.deleting(func(p *newleaf.DeletionPolicy) { p.Settle = day }, newleaf.AllRules()...)
		d.issue("Xyz4", newleaf.TLS)
		_, err := d.SetPurposes(context.Background(), "Xyz1", []newleaf.Purpose{newleaf.TLS})
		must(t, err)
		d.after(48 * time.Hour)
		d.holds("Xyz1:tls", "Xyz2:ipsec", "Xyz3:dot1x", "Xyz4")
		if s := d.targets[newleaf.TLS].serves; s != d.named("Xyz1").ID {
			t.Errorf("the target serves %s", s.Short())
		}
	})
}
