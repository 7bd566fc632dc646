package agent_test

import (
	"context"
	"crypto/sha256"
	"crypto/x509"
	"slices"
	"testing"
	"time"

	"newleaf"
	"newleaf/internal/ca"
	"newleaf/internal/enroll"
	"newleaf/internal/newleaftest"
)

// TestWatchReturns: who watches a renewal is let go when it waits for a person, as
// nothing more comes by itself.
func TestWatchReturns(t *testing.T) {
	watched := func(t *testing.T, d *device) newleaf.Renewal {
		t.Helper()
		r, err := d.Watch(t.Context(), d.last().ID, func(newleaf.Progress) {})
		must(t, err)
		return r
	}
	t.Run("for a restart", func(t *testing.T) {
		t.Parallel()
		d := newDevice(t, ca.Options{}, nil)
		d.issue("Port", newleaf.Dot1X)
		d.stands(watched(t, d), newleaf.PhaseSuspended, fine)
	})
	t.Run("for a CA certificate", func(t *testing.T) {
		t.Parallel()
		d := scheduled(t, ca.Options{}, false)
		must(t, d.RemoveAnchor(context.Background(), d.holding().Anchors[0].ID))
		d.tick()
		d.stands(watched(t, d), newleaf.PhaseRetry, newleaf.CodeNoAnchor)
	})
}

// TestSelection: a reservation names certificates by their IDs, however a person
// writes them, and forgets those that are deleted (TIM-29).
func TestSelection(t *testing.T) {
	d := newDevice(t, ca.Options{}, fx17A)
	d.issue("Xyz4", newleaf.TLS)
	d.issue("Xyz5", "tls:portal")
	four, five := d.named("Xyz4").ID, d.named("Xyz5").ID
	only := func() []newleaf.ID {
		t.Helper()
		i, err := d.Reservation(context.Background())
		must(t, err)
		return i.Only
	}
	d.reserve(func(r *newleaf.Reservation) {
		r.Method, r.Every, r.Only = newleaf.MethodEvery, 30*day, []newleaf.ID{"Xyz4", newleaf.ID(five.Short())}
	})
	if have := only(); !slices.Equal(have, []newleaf.ID{four, five}) {
		t.Errorf("TIM-29 chosen are %v", have)
	}
	before := only()
	r := newleaf.DefaultReservation("UTC")
	r.Only = []newleaf.ID{"Xyz9"}
	_, err := d.SetReservation(context.Background(), r)
	wantCode(t, err, newleaf.CodeNotFound)
	if have := only(); !slices.Equal(have, before) {
		t.Errorf("RSV-18 refused, and chosen are %v", have)
	}

	must(t, d.Delete(context.Background(), "Xyz5", true))
	if have := only(); !slices.Equal(have, []newleaf.ID{four}) {
		t.Errorf("one is deleted, chosen are %v", have)
	}
	d.after(30 * day) // the successor takes its place
	d.holds("Xyz1", "Xyz2:ipsec", "Xyz3:dot1x", "Xyz4", "Xyz4-2:tls")
	if have := only(); !slices.Equal(have, []newleaf.ID{d.named("Xyz4-2").ID}) {
		t.Errorf("TIM-29 chosen are %v", have)
	}

	alarms := len(d.events(newleaf.EventAlarm))
	d.issue("Xyz6", "tls:portal")
	must(t, d.Delete(context.Background(), "Xyz4-2", true)) // the last one: none is not all
	if len(d.events(newleaf.EventAlarm)) == alarms {
		t.Error("nobody is told that nothing is updated any more")
	}
	last := d.last().ID
	d.after(40 * day)
	if d.last().ID != last {
		t.Errorf("renewal %d was started for one that was not chosen", d.last().ID)
	}
}

// TestForecastLater: what is told of a time after a success that is still to come
// begins with that success.
func TestForecastLater(t *testing.T) {
	d := newDevice(t, ca.Options{}, nil)
	d.issue("Xyz1", newleaf.TLS)
	d.reserve(func(r *newleaf.Reservation) { r.Method, r.Every = newleaf.MethodEvery, 30*day })
	from := d.now
	for _, success := range []time.Time{from.Add(-day), from.Add(100 * day)} {
		plan, err := d.PlanReservation(context.Background(), newleaf.ForecastQuery{From: from, AfterSuccess: success, Count: 3})
		must(t, err)
		for i, p := range plan {
			if want := success.Add(time.Duration(i+1) * 30 * day); !p.At.Equal(want) {
				t.Errorf("update %d after the success on %s comes on %s, want %s", i+1, success, p.At, want)
			}
		}
		if len(plan) != 3 {
			t.Errorf("%d updates are foretold", len(plan))
		}
	}
}

// TestViewerAlone: over the network nobody may even look before there is an
// administrator (contract, "No holder of tls").
func TestViewerAlone(t *testing.T) {
	d := newDevice(t, ca.Options{}, nil)
	create := func(role newleaf.AccessRole, days int) (newleaf.Token, []byte) {
		t.Helper()
		token, secret, err := d.CreateToken(context.Background(), newleaf.NewToken{Name: string(role), Role: role, Days: days})
		must(t, err)
		hash := sha256.Sum256([]byte(secret))
		return token, hash[:]
	}
	opens := func(hash []byte, want bool, when string) {
		t.Helper()
		if _, found, err := d.Lookup(context.Background(), hash); err != nil || found != want {
			t.Errorf("%s: the token opens: %t (%v)", when, found, err)
		}
	}
	_, viewer := create(newleaf.Viewer, 100)
	opens(viewer, false, "a viewer alone")
	first, administrator := create(newleaf.Administrator, 10)
	opens(administrator, true, "an administrator")
	opens(viewer, true, "a viewer beside an administrator")
	must(t, d.RevokeToken(context.Background(), first.ID))
	opens(viewer, false, "the administrator was revoked")
	opens(administrator, false, "revoked")
	create(newleaf.Administrator, 10)
	opens(viewer, true, "another administrator")
	d.now = d.now.Add(10 * day)
	opens(viewer, false, "whose token has expired")
}

// TestLinked: a thumbprint confirms the anchor and what its signatures link to it,
// and nothing that somebody in between has added (F7-G6, AMB-45).
func TestLinked(t *testing.T) {
	from, to := start.AddDate(-1, 0, 0), start.AddDate(10, 0, 0)
	root := newleaftest.CACertificate(t, "CN=Root", from, to, nil)
	sub := newleaftest.CACertificate(t, "CN=Sub", from, to, &root)
	issuing := newleaftest.CACertificate(t, "CN=Issuing", from, to, &sub)
	ra := newleaftest.RACertificate(t, "CN=RA", from, to, &sub)
	namesake := newleaftest.CACertificate(t, "CN=Root", from, to, nil)
	other := newleaftest.CACertificate(t, "CN=Other", from, to, &namesake) // issued, it seems, by Root
	evil := newleaftest.CACertificate(t, "CN=Evil", from, to, nil)
	intruder := newleaftest.Certificate(t, "CN=Intruder", from, to, nil)
	send := func(d *device, sent ...enroll.Credential) {
		var certs []*x509.Certificate
		for _, c := range sent {
			certs = append(certs, c.Certificate)
		}
		d.present(certs...)
	}
	fetch := func(d *device, thumbprint newleaf.ID) {
		t.Helper()
		_, err := d.FetchAnchors(context.Background(), newleaf.DefaultConnection, string(thumbprint))
		must(t, err)
	}
	t.Run("what nobody links is not confirmed", func(t *testing.T) {
		t.Parallel()
		d := newDevice(t, ca.Options{}, distrustful)
		send(d, issuing, root, ra, other, evil, intruder, sub)
		fetch(d, newleaf.IDOf(root.Certificate.Raw))
		d.wantAnchors("CN=Evil chain", "CN=Intruder ra", "CN=Issuing chain+", "CN=Other chain", "CN=RA ra", "CN=Root anchor+", "CN=Sub chain+")
	})
	t.Run("leftovers of an earlier fetch vanish, and are not confirmed with the next", func(t *testing.T) {
		t.Parallel()
		d := newDevice(t, ca.Options{}, distrustful)
		send(d, evil, intruder)
		fetch(d, "")
		d.wantAnchors("CN=Evil anchor", "CN=Intruder ra")
		send(d, root, sub)
		fetch(d, "")
		d.wantAnchors("CN=Root anchor", "CN=Sub chain")
		_, err := d.ConfirmAnchors(context.Background(), newleaf.DefaultConnection)
		must(t, err)
		d.wantAnchors("CN=Root anchor+", "CN=Sub chain+")
		send(d, evil)
		fetch(d, "") // what is confirmed stays so (F7-G4)
		d.wantAnchors("CN=Evil anchor", "CN=Root anchor+", "CN=Sub chain+")
		send(d, root, sub)
		fetch(d, newleaf.IDOf(root.Certificate.Raw))
		d.wantAnchors("CN=Root anchor+", "CN=Sub chain+")
	})
}
