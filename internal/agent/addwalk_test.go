package agent_test

import (
	"context"
	"testing"
	"time"

	"newleaf"
	"newleaf/internal/ca"
)

// TestAddedProves: with deletion switched on for added certificates, one goes the
// way of one that was issued from step 4 on, and its renewal ends (AMB-35, ORD-09).
func TestAddedProves(t *testing.T) {
	adding := func(t *testing.T, on bool) *device {
		d := newDevice(t, ca.Options{}, fx17A)
		d.deleting(nil, newleaf.RuleReplaced)
		d.setting(func(s *newleaf.Settings) { s.DeleteOnAdd = on })
		return d
	}
	add := func(d *device) {
		d.t.Helper()
		_, err := d.Import(context.Background(), imported(d.t, d, "New", newleaf.TLS))
		must(d.t, err)
	}
	t.Run("proven: the old one goes", func(t *testing.T) {
		t.Parallel()
		d := adding(t, true)
		add(d)
		d.holds("Xyz1", "Xyz2:ipsec", "Xyz3:dot1x", "New:tls") // on trial
		d.tick()
		d.stands(d.last(), newleaf.PhaseDone, fine)
		if r := d.last(); r.Evidence != newleaf.EvidenceProven || len(d.status().Running) != 0 {
			t.Errorf("the evidence is %q, and %d renewals are open", r.Evidence, len(d.status().Running))
		}
		d.holds("Xyz2:ipsec", "Xyz3:dot1x", "New:tls")
	})
	t.Run("refused: the old one is put back, what a person brought stays", func(t *testing.T) {
		t.Parallel()
		d := adding(t, true)
		d.targets[newleaf.TLS].says = newleaf.EvidenceRefused
		old := d.named("Xyz1").ID
		add(d)
		d.until(d.now.Add(2*day), time.Hour)
		d.stands(d.last(), newleaf.PhaseFailed, newleaf.CodeNotProven)
		d.holds("Xyz1:tls", "Xyz2:ipsec", "Xyz3:dot1x", "New")
		if s := d.targets[newleaf.TLS].serves; s != old || len(d.status().Running) != 0 || d.requests() != 0 {
			t.Errorf("the target serves %s, %d renewals are open, %d requests were sent", s.Short(), len(d.status().Running), d.requests())
		}
		must(t, d.Delete(context.Background(), "New", false))
	})
	t.Run("stopped after it was added: the next start goes on", func(t *testing.T) {
		t.Parallel()
		d := adding(t, true)
		add(d)
		d.reboot()
		d.tick()
		d.holds("Xyz2:ipsec", "Xyz3:dot1x", "New:tls")
	})
	t.Run("DLS-40 switched off: no renewal at all", func(t *testing.T) {
		t.Parallel()
		d := adding(t, false)
		add(d)
		d.tick()
		if all, err := d.Renewals(context.Background()); err != nil || len(all) != 0 {
			t.Errorf("there are the renewals %+v (%v)", all, err)
		}
		d.holds("Xyz1", "Xyz2:ipsec", "Xyz3:dot1x", "New:tls")
	})
}

// TestEndedPassword: however an issuance ends, its password can never be read
// again (F8-G9, contract "Challenge passwords").
func TestEndedPassword(t *testing.T) {
	for name, spoil := range map[string]func(*device){
		"no room":         func(d *device) { d.setting(func(s *newleaf.Settings) { s.Capacity = 3 }) },
		"refused":         func(d *device) { d.misbehave("refuse") },
		"no authority":    func(d *device) { d.authority.Down = true },
		"an unfit answer": func(d *device) { d.misbehave("no-eku") },
		"a panic":         func(d *device) { d.at("request.generated", func() { panic("out of bounds") }) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := newDevice(t, ca.Options{}, fx17A)
			spoil(d)
			before, generation := d.holding(), d.generation()
			if r := d.issue("Xyz4", newleaf.TLS); r.Phase != newleaf.PhaseFailed {
				t.Fatalf("the renewal stands at %s", r.Phase)
			}
			if d.generation() == generation || len(d.secrets()) != 0 {
				t.Errorf("%q are left in generation %d, before %d", d.secrets(), d.generation(), generation)
			}
			d.unchanged(before)
		})
	}
}
