package agent_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"newleaf"
	"newleaf/internal/ca"
)

// TestPending: an undecided request waits with its key and transaction, through
// restarts, and is asked about until there is a decision (F8-G10).
func TestPending(t *testing.T) {
	t.Run("F8-G10 three times pending, with restarts between, then a full result", func(t *testing.T) {
		t.Parallel()
		d := newDevice(t, ca.Options{Approve: true}, fx17A)
		d.deleting(nil, newleaf.RuleReplaced)
		r := d.issue("Xyz4", newleaf.TLS)
		first := r
		for range 3 {
			d.stands(r, newleaf.PhasePending, fine)
			if r.KeyID != first.KeyID || r.TransactionID != first.TransactionID {
				t.Fatalf("key %.8s and transaction %s became %.8s and %s", first.KeyID, first.TransactionID, r.KeyID, r.TransactionID)
			}
			d.holds("Xyz1:tls", "Xyz2:ipsec", "Xyz3:dot1x")
			d.reboot()
			d.after(r.NextTry.Sub(d.now))
			r = d.renewal(r.ID)
		}
		must(t, d.authority.Approve(context.Background(), r.TransactionID))
		d.after(r.NextTry.Sub(d.now))
		d.stands(d.renewal(r.ID), newleaf.PhaseDone, fine)
		d.holds("Xyz2:ipsec", "Xyz3:dot1x", "Xyz4:tls")

		var asked []string
		for _, e := range d.decisions() {
			asked = append(asked, e.Operation)
			if e.TransactionID != first.TransactionID {
				t.Errorf("%s went out under transaction %s", e.Operation, e.TransactionID)
			}
		}
		if want := []string{"enroll", "poll", "poll", "poll", "approve", "poll"}; !slices.Equal(asked, want) {
			t.Errorf("the authority saw %q, want %q", asked, want)
		}
	})

	t.Run("F8-G9 cancelled: the key and the password are destroyed, nothing else changes", func(t *testing.T) {
		t.Parallel()
		d := newDevice(t, ca.Options{Approve: true}, fx17A)
		d.deleting(nil, newleaf.AllRules()...)
		before, generation := d.holding(), d.generation()
		r := d.issue("Xyz4", newleaf.TLS)
		d.stands(r, newleaf.PhasePending, fine)
		if !slices.Contains(d.holding().Keys, r.KeyID) || len(d.secrets()) != 1 {
			t.Fatal("the pending request has no key or no password to ask again with")
		}
		cancelled, err := d.CancelRenewal(context.Background(), r.ID)
		must(t, err)
		d.stands(cancelled, newleaf.PhaseCancelled, newleaf.CodeCancelled)
		d.unchanged(before)
		if d.generation() == generation || len(d.secrets()) != 0 {
			t.Error("the key-encryption key of the deleted key is still in force, or the password is there")
		}
		seen := d.requests()
		d.after(24 * time.Hour)
		if n := d.requests(); n != seen {
			t.Errorf("a cancelled renewal sent %d more requests", n-seen)
		}
		_, err = d.CancelRenewal(context.Background(), r.ID)
		wantCode(t, err, newleaf.CodeConflict)
	})

	t.Run("F8-G10 polls are few and bounded: after 30 days the request is given up", func(t *testing.T) {
		t.Parallel()
		d := newDevice(t, ca.Options{Mischief: []string{"pending"}}, fx17A)
		before := d.holding()
		r := d.issue("Xyz4", newleaf.TLS)
		d.until(start.Add(6*time.Hour), day)
		if n := d.requests(); n < 20 || n > 40 {
			t.Errorf("%d requests in six hours", n)
		}
		for d.renewal(r.ID).Phase.Open() && d.now.Before(start.AddDate(0, 0, 40)) {
			d.after(8 * day)
		}
		d.stands(d.renewal(r.ID), newleaf.PhaseFailed, newleaf.CodeRefused)
		d.unchanged(before)
		says(t, d.renewal(r.ID).Error.Text, "did not decide")
	})

	t.Run("F8-G11 denied after all: the reason arrives, and the key is destroyed", func(t *testing.T) {
		t.Parallel()
		d := newDevice(t, ca.Options{Approve: true}, fx17A)
		before := d.holding()
		r := d.issue("Xyz4", newleaf.TLS)
		must(t, d.authority.Deny(context.Background(), r.TransactionID, "not this device"))
		d.after(r.NextTry.Sub(d.now))
		d.stands(d.renewal(r.ID), newleaf.PhaseFailed, newleaf.CodeRefused)
		says(t, d.renewal(r.ID).Error.Text, "not this device")
		d.unchanged(before)
	})

	t.Run("F8-G10 an update that nobody decides on is not asked about for ever", func(t *testing.T) {
		t.Parallel()
		d := reserved(t, ca.Options{Validity: 200 * 24 * time.Hour}, func(r *newleaf.Reservation) { r.Before = 60 * 24 * time.Hour })
		d.misbehave("pending")
		d.now = d.named("Xyz1").NotAfter.Add(-60 * 24 * time.Hour)
		d.tick()
		first := d.last()
		d.stands(first, newleaf.PhasePending, fine)
		for range 3 {
			d.after(11 * day)
		}
		d.tick()
		d.stands(d.renewal(first.ID), newleaf.PhaseFailed, newleaf.CodeRefused)
		if again := d.last(); again.ID != first.ID+1 || again.KeyID == first.KeyID || again.Phase != newleaf.PhasePending {
			t.Errorf("then renewal %d stands at %s", again.ID, again.Phase)
		}
		d.misbehave()
		d.after(time.Hour)
		d.holds("Xyz1", "Xyz1-2:tls")
	})

	t.Run("F8-G10 an update that was denied is asked for anew, as another transaction", func(t *testing.T) {
		t.Parallel()
		d := reserved(t, ca.Options{}, nil)
		d.misbehave("refuse*1", "pending*1", "refuse*1")
		d.now = d.named("Xyz1").NotAfter.Add(-20 * 24 * time.Hour)
		d.tick()
		first := d.last()
		d.after(first.NextTry.Sub(d.now))
		d.tick()
		d.until(d.now.Add(12*time.Hour), time.Hour)
		d.stands(d.renewal(first.ID), newleaf.PhaseDone, fine)
		if d.renewal(first.ID).TransactionID == first.TransactionID {
			t.Error("the denied transaction was repeated")
		}
	})
}

// reserved is a device with a certificate of the authority in use for TLS, which
// it updates 20 days before its end unless change says otherwise.
func reserved(t *testing.T, o ca.Options, change func(*newleaf.Reservation)) *device {
	t.Helper()
	d := newDevice(t, o, nil)
	if r := d.issue("Xyz1", newleaf.TLS); r.Error != nil {
		t.Fatal(r.Error)
	}
	d.reserve(func(r *newleaf.Reservation) {
		r.Method, r.Before = newleaf.MethodBefore, 20*24*time.Hour
		if change != nil {
			change(r)
		}
	})
	return d
}
