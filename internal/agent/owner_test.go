package agent_test

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"newleaf"
	"newleaf/internal/agent"
	"newleaf/internal/ca"
)

// TestCancelDuringWalk: who cancels does not write the row of a walk under way but
// stops the walk, which ends it: no certificate without its key, nothing else
// changed (F8-G9).
func TestCancelDuringWalk(t *testing.T) {
	for _, point := range []string{"room", "room.done", "request.generated", "request.sealed", "request.prepared", "request.sending"} {
		t.Run("F8-G9 at "+point, func(t *testing.T) {
			t.Parallel()
			d := newDevice(t, ca.Options{}, fx17A)
			d.deleting(nil, newleaf.AllRules()...)
			before, generation, hangs := d.holding(), d.generation(), d.hang()
			r, err := d.Issue(context.Background(), issueOf("New", newleaf.TLS))
			must(t, err)
			said := make(chan error, 1)
			d.at(point, func() {
				hangs.Store(true)
				go func() { _, err := d.CancelRenewal(context.Background(), r.ID); said <- err }()
			})
			d.tick()
			must(t, <-said)
			d.stands(d.renewal(r.ID), newleaf.PhaseCancelled, newleaf.CodeCancelled)
			hangs.Store(false)
			d.reboot()
			d.after(day)
			d.stands(d.last(), newleaf.PhaseCancelled, newleaf.CodeCancelled)
			d.unchanged(before)
			if d.last().ID != r.ID || len(d.secrets()) != 0 || d.generation() == generation {
				t.Errorf("renewal %d, the passwords %q, generation %d after %d", d.last().ID, d.secrets(), d.generation(), generation)
			}
		})
	}
	for _, point := range []string{"request.staged", "keep", "bind.trial", "prove.seen", "delete.judged"} {
		t.Run("too late at "+point, func(t *testing.T) {
			t.Parallel()
			d := newDevice(t, ca.Options{}, fx17A)
			d.at(point, func() {
				_, err := d.CancelRenewal(context.Background(), d.last().ID)
				wantCode(t, err, newleaf.CodeConflict)
			})
			d.stands(d.issue("New", newleaf.TLS), newleaf.PhaseDone, fine)
			d.holds("Xyz1", "Xyz2:ipsec", "Xyz3:dot1x", "New:tls")
		})
	}
	t.Run("the walk begins while the cancel is being prepared", func(t *testing.T) {
		t.Parallel()
		d := newDevice(t, ca.Options{}, fx17A)
		r, err := d.Issue(context.Background(), issueOf("New", newleaf.TLS))
		must(t, err)
		begun, ticked := make(chan struct{}), make(chan error, 1)
		var cancelling atomic.Bool
		cancelling.Store(true)
		d.stop = func(point string) {
			switch {
			case point == "destroy.begun" && cancelling.Swap(false):
				go func() { _, err := d.Tick(context.Background()); ticked <- err }()
				<-begun
			case point == "request":
				close(begun)
			}
		}
		_, err = d.CancelRenewal(context.Background(), r.ID)
		wantCode(t, err, newleaf.CodeConflict)
		must(t, <-ticked)
		d.stands(d.renewal(r.ID), newleaf.PhaseDone, fine)
		d.holds("Xyz1", "Xyz2:ipsec", "Xyz3:dot1x", "New:tls")
	})
}

// TestOneOwner: whatever a person does during a walk, its row is written by the
// walk alone: none is lost, and none comes back.
func TestOneOwner(t *testing.T) {
	for _, point := range []string{"request", "request.generated", "request.sending", "request.answered", "keep", "bind.trial", "prove.seen", "delete.judged"} {
		t.Run("at "+point, func(t *testing.T) {
			t.Parallel()
			d := scheduled(t, ca.Options{}, false)
			anchors := d.holding().Anchors
			must(t, d.RemoveAnchor(context.Background(), anchors[0].ID))
			d.tick()
			d.stands(d.last(), newleaf.PhaseRetry, newleaf.CodeNoAnchor)
			_, err := d.AddAnchor(context.Background(), newleaf.DefaultConnection, []byte(anchors[0].PEM))
			must(t, err)
			acted := false
			d.at(point, func() { // the row says "retry" until the key is stored
				acted = true
				_, err := d.RetryRenewal(context.Background(), d.last().ID)
				wantCode(t, err, newleaf.CodeConflict)
				d.connect(func(c *newleaf.Connection) { c.Timeout = time.Minute })
				q := *d.named("Xyz1").Request
				q.SAN = []string{"dns:other.example"}
				_, err = d.SetRequest(context.Background(), "Xyz1", q)
				must(t, err)
				d.reserve(func(r *newleaf.Reservation) { r.Method = newleaf.MethodOff })
			})
			d.tick()
			d.reboot()
			d.after(day)
			if all, err := d.Renewals(context.Background()); err != nil || len(all) != 2 || !acted {
				t.Errorf("there are %d renewals (%v), want the issuance and its update; a person acted: %t", len(all), err, acted)
			}
			d.stands(d.last(), newleaf.PhaseDone, fine)
			d.holds("Xyz1", "Xyz1-2:tls")
			if n := len(d.events(newleaf.EventAcquired)); n != 2 {
				t.Errorf("%d certificates were acquired", n)
			}
		})
	}
}

// TestRebound: what a person gives away during a walk stays there, and what it is
// given to is not deleted (PUR-08, AMB-53).
func TestRebound(t *testing.T) {
	for _, point := range []string{"request.sending", "request.answered", "keep.done"} {
		t.Run("AMB-53 at "+point, func(t *testing.T) {
			t.Parallel()
			d := newDevice(t, ca.Options{}, func(d *device, p *agent.Provision) {
				d.add(p, "Spare", newleaf.Imported, start.AddDate(-2, 0, 0), start.AddDate(1, 0, 0))
			})
			d.issue("Xyz1", newleaf.TLS)
			d.deleting(nil, newleaf.RuleNoPurpose)
			d.at(point, func() {
				_, err := d.SetPurposes(context.Background(), "Spare", []newleaf.Purpose{newleaf.TLS})
				must(t, err)
			})
			d.stands(d.update("Xyz1"), newleaf.PhaseDone, fine)
			d.holds("Spare:tls", "Xyz1", "Xyz1-2")
			if s := d.targets[newleaf.TLS].serves; s != d.named("Spare").ID {
				t.Errorf("the target serves %s", s.Short())
			}
			if why := d.spared(d.named("Spare").ID); why != newleaf.KeepInUse {
				t.Errorf("Spare is kept for %q", why)
			}
		})
	}
}

// TestDeletedMeanwhile: the renewal of a certificate that a person deleted ends,
// and asks the authority no more.
func TestDeletedMeanwhile(t *testing.T) {
	t.Run("it waited for its next try", func(t *testing.T) {
		t.Parallel()
		d := scheduled(t, ca.Options{}, false)
		d.authority.Down = true
		d.tick()
		d.stands(d.last(), newleaf.PhaseRetry, newleaf.CodeUnreachable)
		must(t, d.Delete(context.Background(), "Xyz1", true))
		d.authority.Down = false
		d.ended(newleaf.PhaseCancelled, newleaf.CodeCancelled)
	})
	t.Run("a person had started it, and it was pending", func(t *testing.T) {
		t.Parallel()
		d := newDevice(t, ca.Options{}, nil)
		d.issue("Xyz1", newleaf.TLS)
		d.misbehave("pending")
		d.stands(d.update("Xyz1"), newleaf.PhasePending, fine)
		must(t, d.Delete(context.Background(), "Xyz1", true))
		d.misbehave()
		d.ended(newleaf.PhaseFailed, newleaf.CodeNotFound)
	})
}

// ended checks that the last renewal is through and left nothing.
func (d *device) ended(phase newleaf.Phase, code newleaf.Code) {
	d.t.Helper()
	seen := d.requests()
	d.until(d.now.Add(3*day), 6*time.Hour)
	d.stands(d.last(), phase, code)
	if n := d.requests() - seen; n != 0 || len(d.status().Running) != 0 {
		d.t.Errorf("%d more requests were sent, and %d renewals are open", n, len(d.status().Running))
	}
	d.holds()
	if keys := d.holding().Keys; len(keys) != 0 {
		d.t.Errorf("the keys %q are left", keys)
	}
}
