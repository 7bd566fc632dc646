package agent_test

import (
	"context"
	"testing"
	"time"

	"newleaf"
	"newleaf/internal/agent"
	"newleaf/internal/ca"
)

func TestIssue(t *testing.T) {
	t.Run("F8-S821 Fig17C the purpose moves, nothing is deleted while deletion is off", func(t *testing.T) {
		d := newDevice(t, ca.Options{}, fx17A)
		r := d.issue("Xyz4", newleaf.TLS)
		if r.Phase != newleaf.PhaseDone || r.Evidence != newleaf.EvidenceProven {
			t.Fatalf("the renewal stands at %s, %s, evidence %q, error %v", r.Step, r.Phase, r.Evidence, r.Error)
		}
		d.holds("Xyz1", "Xyz2:ipsec", "Xyz3:dot1x", "Xyz4:tls")
	})
	t.Run("DLS-08 the one with the same purpose goes", func(t *testing.T) {
		d := newDevice(t, ca.Options{}, fx17A)
		d.deleting(nil, newleaf.RuleReplaced)
		d.issue("Xyz4", newleaf.TLS)
		d.holds("Xyz2:ipsec", "Xyz3:dot1x", "Xyz4:tls")
		if e := d.events(newleaf.EventDeleted); len(e) != 1 || e[0].Data["rule"] != "replaced" || e[0].Data["certificate"] == "" {
			t.Errorf("the deletion is recorded as %+v", e)
		}
	})
	t.Run("DLS-13 what loses its purpose in this run is not without purpose yet", func(t *testing.T) {
		d := newDevice(t, ca.Options{}, fx17A)
		d.deleting(nil, newleaf.RuleNoPurpose)
		d.issue("Xyz4", newleaf.TLS)
		d.holds("Xyz1", "Xyz2:ipsec", "Xyz3:dot1x", "Xyz4:tls")
		d.issue("Xyz5", newleaf.TLS)
		d.holds("Xyz2:ipsec", "Xyz3:dot1x", "Xyz4", "Xyz5:tls")
	})
	t.Run("AMB-34 the tick box of the form decides", func(t *testing.T) {
		d := newDevice(t, ca.Options{}, fx17A)
		d.deleting(nil, newleaf.RuleReplaced)
		i, no := issueOf("Xyz4", newleaf.TLS), false
		i.ApplyDeletion = &no
		if _, err := d.Issue(context.Background(), i); err != nil {
			t.Fatal(err)
		}
		d.tick()
		d.holds("Xyz1", "Xyz2:ipsec", "Xyz3:dot1x", "Xyz4:tls")
	})
	t.Run("ISS-18 DLS-11 without a purpose nothing is rebound", func(t *testing.T) {
		d := newDevice(t, ca.Options{}, fx17A)
		d.deleting(nil, newleaf.RuleReplaced)
		d.issue("Xyz4")
		d.holds("Xyz1:tls", "Xyz2:ipsec", "Xyz3:dot1x", "Xyz4")
	})
	t.Run("DLS-26 F8-G4 full and nothing deletable: refused before the authority is asked", func(t *testing.T) {
		d := newDevice(t, ca.Options{}, func(d *device, p *agent.Provision) { fx17A(d, p); p.Settings.Capacity = 3 })
		r := d.issue("Xyz4")
		if r.Phase != newleaf.PhaseFailed || r.Error.Code != newleaf.CodeStoreFull {
			t.Fatalf("the renewal stands at %s with %v", r.Phase, r.Error)
		}
		if n := len(d.authority.Exchanges()); n != 0 {
			t.Errorf("the authority saw %d requests", n)
		}
	})
	t.Run("DLS-24 full, and the new one replaces: the staging slot is enough", func(t *testing.T) {
		d := newDevice(t, ca.Options{}, func(d *device, p *agent.Provision) { fx17A(d, p); p.Settings.Capacity = 3 })
		d.deleting(func(p *newleaf.DeletionPolicy) { p.Threshold = 3 }, newleaf.RuleReplaced)
		d.issue("Xyz4", newleaf.TLS)
		d.holds("Xyz2:ipsec", "Xyz3:dot1x", "Xyz4:tls")
	})
}

func TestOrders(t *testing.T) {
	for _, order := range []newleaf.Order{newleaf.OrderAfter, newleaf.OrderOnResponse, newleaf.OrderBefore} {
		t.Run("ORD-01..05 "+string(order), func(t *testing.T) {
			d := newDevice(t, ca.Options{}, func(d *device, p *agent.Provision) {
				fx17A(d, p)
				d.add(p, "Old", newleaf.Enrolled, start.AddDate(-2, 0, 0), start.AddDate(1, 0, 0))
			})
			d.deleting(func(p *newleaf.DeletionPolicy) { p.Order = order }, newleaf.RuleReplaced, newleaf.RuleNoPurpose)
			d.issue("Xyz4", newleaf.TLS)
			d.holds("Xyz2:ipsec", "Xyz3:dot1x", "Xyz4:tls")
			acquired, bound := d.events(newleaf.EventAcquired)[0].ID, d.events(newleaf.EventProven)[0].ID
			deleted := map[string]int64{}
			for _, e := range d.events(newleaf.EventDeleted) {
				deleted[e.Data["name"]] = e.ID
			}
			if deleted["Xyz1"] < bound {
				t.Error("the one in use went before its successor was proven")
			}
			if early := deleted["Old"] < acquired; early != (order != newleaf.OrderAfter) {
				t.Errorf("the unused one went at event %d, the new one was stored at %d", deleted["Old"], acquired)
			}
		})
	}
	t.Run("ORD-04 INV-03 order before and the authority fails: what was in use still is", func(t *testing.T) {
		d := newDevice(t, ca.Options{Mischief: []string{"refuse"}}, func(d *device, p *agent.Provision) {
			fx17A(d, p)
			d.add(p, "Old", newleaf.Enrolled, start.AddDate(-2, 0, 0), start.AddDate(1, 0, 0))
		})
		d.deleting(func(p *newleaf.DeletionPolicy) { p.Order = newleaf.OrderBefore }, newleaf.AllRules()...)
		if r := d.issue("Xyz4", newleaf.TLS); r.Phase != newleaf.PhaseFailed || len(r.Deleted) != 1 {
			t.Fatalf("the renewal stands at %s and deleted %v", r.Phase, r.Deleted)
		}
		d.holds("Xyz1:tls", "Xyz2:ipsec", "Xyz3:dot1x")
	})
}

func TestProof(t *testing.T) {
	t.Run("ORD-09 refused: the old one is put back and nothing is deleted", func(t *testing.T) {
		d := newDevice(t, ca.Options{}, fx17A)
		d.deleting(nil, newleaf.AllRules()...)
		d.targets[newleaf.TLS].says = newleaf.EvidenceRefused
		r := d.issue("Xyz4", newleaf.TLS)
		if r.Phase != newleaf.PhaseRetry || r.Error.Code != newleaf.CodeNotProven {
			t.Fatalf("the renewal stands at %s with %v", r.Phase, r.Error)
		}
		d.holds("Xyz1:tls", "Xyz2:ipsec", "Xyz3:dot1x", "Xyz4")
		if s := d.targets[newleaf.TLS].serves; s == r.Certificate {
			t.Error("the target still serves the refused certificate")
		}
		d.targets[newleaf.TLS].says = newleaf.EvidenceProven
		d.after(24 * time.Hour)
		d.holds("Xyz2:ipsec", "Xyz3:dot1x", "Xyz4:tls")
		if n := len(d.events(newleaf.EventAcquired)); n != 1 {
			t.Errorf("the authority issued %d certificates for one need", n)
		}
	})
	t.Run("given up: the key is destroyed, the public bytes are in the journal", func(t *testing.T) {
		d := newDevice(t, ca.Options{}, fx17A)
		d.targets[newleaf.TLS].says = newleaf.EvidenceRefused
		r := d.issue("Xyz4", newleaf.TLS)
		for range 5 {
			d.after(24 * time.Hour)
		}
		if r = d.renewal(r.ID); r.Phase != newleaf.PhaseFailed {
			t.Fatalf("the renewal stands at %s after %d tries", r.Phase, r.Tries)
		}
		d.holds("Xyz1:tls", "Xyz2:ipsec", "Xyz3:dot1x")
		if e := d.events(newleaf.EventDeleted); len(e) != 1 || e[0].Data["certificate"] == "" {
			t.Errorf("the journal has %+v", e)
		}
	})
	t.Run("late: the proof limit ends the trial", func(t *testing.T) {
		d := newDevice(t, ca.Options{}, fx17A)
		d.deleting(nil, newleaf.RuleReplaced)
		d.targets[newleaf.TLS].says = newleaf.EvidenceAssumed // and it does not accept that
		d.issue("Xyz4", newleaf.TLS)
		if r := d.last(); r.Phase != newleaf.PhaseSuspended {
			t.Fatalf("the renewal stands at %s", r.Phase)
		}
		d.holds("Xyz1", "Xyz2:ipsec", "Xyz3:dot1x", "Xyz4:tls")
		d.after(25 * time.Hour)
		d.holds("Xyz1:tls", "Xyz2:ipsec", "Xyz3:dot1x", "Xyz4")
	})
	t.Run("ORD-08 RST-04 dot1x waits for the restart and is proven after it", func(t *testing.T) {
		d := newDevice(t, ca.Options{}, fx17A)
		d.deleting(nil, newleaf.RuleReplaced)
		r := d.issue("Xyz4", newleaf.Dot1X)
		if r.Phase != newleaf.PhaseSuspended || r.Step != newleaf.StepRestart {
			t.Fatalf("the renewal stands at %s, %s", r.Step, r.Phase)
		}
		d.holds("Xyz1:tls", "Xyz2:ipsec", "Xyz3", "Xyz4:dot1x")
		if d.restarts != 0 {
			t.Error("a first issuance restarted the device without being asked")
		}
		d.reboot()
		d.tick()
		d.holds("Xyz1:tls", "Xyz2:ipsec", "Xyz4:dot1x")
	})
	t.Run("RST-04 AMB-20 an update restarts by itself, once", func(t *testing.T) {
		d := newDevice(t, ca.Options{}, nil)
		d.issue("Port", newleaf.Dot1X)
		d.reboot()
		d.tick()
		if _, _, err := d.Update(context.Background(), []string{"Port"}, false); err != nil {
			t.Fatal(err)
		}
		d.tick()
		d.after(time.Hour)
		if d.restarts != 1 {
			t.Fatalf("%d restarts", d.restarts)
		}
		d.reboot()
		d.tick()
		d.holds("Port", "Port-2:dot1x")
	})
}

func TestRestartWindow(t *testing.T) {
	d := newDevice(t, ca.Options{}, nil)
	set := newleaf.DefaultSettings()
	set.RestartWindow = "02:00-05:00"
	_, err := d.SetSettings(context.Background(), set)
	must(t, err)
	d.issue("Port", newleaf.Dot1X)
	d.reboot()
	d.tick()
	_, _, err = d.Update(context.Background(), []string{"Port"}, false)
	must(t, err)
	d.tick()
	d.after(13 * time.Hour) // 01:00
	if d.restarts != 0 {
		t.Fatal("AMB-20 the device restarted outside its window")
	}
	d.after(time.Hour)
	d.after(time.Hour)
	if d.restarts != 1 {
		t.Fatalf("AMB-20 %d restarts inside the window, want 1", d.restarts)
	}
}

func TestSettle(t *testing.T) {
	settled := func(t *testing.T) *device {
		d := newDevice(t, ca.Options{}, fx17A)
		d.deleting(func(p *newleaf.DeletionPolicy) { p.Settle = 24 * time.Hour }, newleaf.RuleReplaced)
		d.issue("Xyz4", newleaf.TLS)
		d.holds("Xyz1", "Xyz2:ipsec", "Xyz3:dot1x", "Xyz4:tls")
		return d
	}
	t.Run("the owed deletion comes when the settle time is over", func(t *testing.T) {
		d := settled(t)
		d.after(23 * time.Hour)
		d.holds("Xyz1", "Xyz2:ipsec", "Xyz3:dot1x", "Xyz4:tls")
		d.reboot()
		d.after(time.Hour + time.Second)
		d.holds("Xyz2:ipsec", "Xyz3:dot1x", "Xyz4:tls")
	})
	for name, undo := range map[string]func(*testing.T, *device){
		"a pin": func(t *testing.T, d *device) { _, err := d.Pin(context.Background(), "Xyz1", true); must(t, err) },
		"a regained purpose": func(t *testing.T, d *device) {
			_, err := d.SetPurposes(context.Background(), "Xyz1", []newleaf.Purpose{newleaf.TLS})
			must(t, err)
		},
		"switching it off": func(t *testing.T, d *device) {
			_, err := d.SetDeletion(context.Background(), newleaf.DefaultDeletion())
			must(t, err)
		},
	} {
		t.Run(name+" cancels it", func(t *testing.T) {
			d := settled(t)
			undo(t, d)
			d.after(48 * time.Hour)
			if _, err := d.Certificate(context.Background(), "Xyz1"); err != nil {
				t.Fatal(err)
			}
		})
	}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
