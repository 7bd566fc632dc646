package agent_test

import (
	"bytes"
	"context"
	"slices"
	"testing"
	"time"

	"newleaf"
	"newleaf/internal/agent"
	"newleaf/internal/ca"
	"newleaf/internal/deploy"
	"newleaf/internal/enroll"
	"newleaf/internal/newleaftest"
	"newleaf/internal/store"
)

// plant is the name of a second connection.
const plant = "plant"

// another provisions a second authority and the connection to it.
func another(second **newleaftest.Authority) func(*device, *agent.Provision) {
	return func(d *device, p *agent.Provision) {
		running(d, p)
		*second = newleaftest.NewAuthority(d.t, ca.Options{Name: "Plant", Live: 9, Now: d.time})
		c := newleaf.NewConnection(plant)
		c.URL = "http://plant.example/scep"
		p.Connections = append(p.Connections, c)
		issuer := (*second).Identity().Issuer
		parsed, err := newleaf.Parse(issuer.Raw)
		must(d.t, err)
		p.Anchors = append(p.Anchors, newleaf.Anchor{ID: newleaf.IDOf(issuer.Raw), DER: issuer.Raw, Connection: plant, Role: newleaf.RoleAnchor,
			Confirmed: true, Added: d.time(), Source: "provision", Parsed: parsed})
		d.dial = func(c newleaf.Connection) (enroll.Client, error) {
			if c.Name == plant {
				return (*second).Dial(c)
			}
			return d.authority.Dial(c)
		}
	}
}

// through issues a certificate by a connection.
func (d *device) through(connection, name string, purposes ...newleaf.Purpose) newleaf.Renewal {
	d.t.Helper()
	i := issueOf(name, purposes...)
	i.Connection = connection
	r, err := d.Issue(context.Background(), i)
	must(d.t, err)
	d.tick()
	return d.renewal(r.ID)
}

func TestTwoAuthorities(t *testing.T) {
	t.Run("DM-38 each renewal goes to the authority that issued, by hand and by reservation", func(t *testing.T) {
		t.Parallel()
		var second *newleaftest.Authority
		d := newDevice(t, ca.Options{Live: 9}, another(&second)) // nobody revokes what was replaced
		d.stands(d.through(newleaf.DefaultConnection, "One", newleaf.TLS), newleaf.PhaseDone, fine)
		d.stands(d.through(plant, "Two", newleaf.IPsec), newleaf.PhaseDone, fine)
		check := func(first, other string, count int) {
			t.Helper()
			for name, want := range map[string]struct {
				connection string
				authority  *newleaftest.Authority
			}{first: {newleaf.DefaultConnection, d.authority}, other: {plant, second}} {
				c := d.named(name)
				issuer, err := newleaf.Parse(want.authority.Identity().Issuer.Raw)
				must(t, err)
				if c.Connection != want.connection || c.Issuer != issuer.Subject || c.Request == nil || c.Request.Connection != want.connection {
					t.Errorf("%s came through %q from %q, want %q from %q", name, c.Connection, c.Issuer, want.connection, issuer.Subject)
				}
				if log, err := want.authority.Requests(context.Background(), 0); err != nil || len(log) != count {
					t.Errorf("the authority of %s decided %d times (%v), want %d", name, len(log), err, count)
				}
			}
		}
		check("One", "Two", 1)
		d.update("Two")
		d.update("One")
		check("One-2", "Two-2", 2)
		d.reserve(every(30 * day))
		d.after(31 * day)
		check("One-3", "Two-3", 3)
		for name, purpose := range map[string]newleaf.Purpose{"One-3": newleaf.TLS, "Two-3": newleaf.IPsec} { // either may come first
			if c := d.named(name); !slices.Equal(c.Purposes, []newleaf.Purpose{purpose}) {
				t.Errorf("%s holds %q", name, c.Purposes)
			}
		}
	})
	t.Run("DM-38 one authority that is down keeps nothing from the other", func(t *testing.T) {
		t.Parallel()
		var second *newleaftest.Authority
		d := newDevice(t, ca.Options{}, another(&second))
		d.through(newleaf.DefaultConnection, "One", newleaf.TLS)
		d.through(plant, "Two", newleaf.IPsec)
		d.authority.Down = true
		d.reserve(every(30 * day))
		d.after(31 * day)
		d.holds("One:tls", "Two", "Two-2:ipsec")
		if n := len(second.Exchanges()); n == 0 {
			t.Error("the other authority was not asked")
		}
	})
}

// picky is a consumer whose peers know certain issuers only.
type picky struct {
	target
	knows []string
}

func (p *picky) Evidence(_ context.Context, m deploy.Material) (newleaf.Evidence, string) {
	c, err := newleaf.Parse(m.DER)
	if err != nil || !slices.Contains(p.knows, c.Issuer) {
		return newleaf.EvidenceRefused, "the peer does not know the issuer"
	}
	return newleaf.EvidenceProven, "the peer was asked"
}

func TestNewIssuer(t *testing.T) {
	t.Run("AMB-31 ORD-09 peers that do not know the new issuer: the old certificate stays, until they do", func(t *testing.T) {
		t.Parallel()
		var second *newleaftest.Authority
		peers := &picky{target: target{takes: newleaf.NeedLive}}
		d := newDevice(t, ca.Options{}, func(d *device, p *agent.Provision) {
			another(&second)(d, p)
			d.real = map[newleaf.Purpose]deploy.Target{newleaf.TLS: peers}
			d.add(p, "Old", newleaf.Enrolled, start.AddDate(-2, 0, 0), start.AddDate(1, 0, 0))
		})
		known, err := newleaf.Parse(d.authority.Identity().Issuer.Raw)
		must(t, err)
		peers.knows = []string{known.Subject}
		d.stands(d.through(newleaf.DefaultConnection, "One", newleaf.TLS), newleaf.PhaseDone, fine)
		d.deleting(nil, newleaf.AllRules()...)
		one := d.named("One")

		r := d.through(plant, "New", newleaf.TLS)
		if r.Phase != newleaf.PhaseRetry || r.Error == nil || r.Rejected != 1 {
			t.Fatalf("the renewal stands at %s, %s: %v", r.Step, r.Phase, r.Error)
		}
		says(t, r.Error.Text, "does not know the issuer")
		d.holds("Old", "One:tls", "New")
		if at := peers.history[len(peers.history)-1]; at != one.ID {
			t.Errorf("the consumer was left with %.8s", at)
		}
		if n := len(d.deletedBy()); n > 0 {
			t.Errorf("%d certificates were deleted", n)
		}

		added, err := newleaf.Parse(second.Identity().Issuer.Raw)
		must(t, err)
		peers.knows = append(peers.knows, added.Subject)
		d.until(d.now.Add(2*day), time.Hour)
		d.holds("Old", "New:tls")
		if why := d.spared(d.named("Old").ID); why != newleaf.KeepCredential { // through the first connection
			t.Errorf("Old was spared for %q", why)
		}
		if log, err := second.Requests(context.Background(), 0); err != nil || len(log) != 1 {
			t.Errorf("the authority decided %d times for one need (%v)", len(log), err)
		}
	})
}

// TestDeletedWhole: a deletion takes what belongs to the certificate and to no
// other.
func TestDeletedWhole(t *testing.T) {
	t.Run("F19-G4 DM-35 certificate, key and row go; another's chain and the CA certificates stay", func(t *testing.T) {
		t.Parallel()
		d := newDevice(t, ca.Options{}, nil)
		root := newleaftest.CACertificate(t, "CN=Root", start.AddDate(-1, 0, 0), start.AddDate(9, 0, 0), nil)
		between := newleaftest.CACertificate(t, "CN=Between", start.AddDate(-1, 0, 0), start.AddDate(9, 0, 0), &root)
		for _, name := range []string{"Stays", "Goes"} {
			c := newleaftest.Certificate(t, "CN="+name, start.AddDate(-1, 0, 0), start.AddDate(5, 0, 0), &between)
			i := imported(t, d, name)
			i.Data, i.Key = pemOf(c.Certificate.Raw, between.Certificate.Raw), keyPEM(t, c.Key)
			if name == "Stays" {
				i.Purposes = []newleaf.Purpose{newleaf.IPsec}
			}
			_, err := d.Import(context.Background(), i)
			must(t, err)
		}
		before := d.holding()
		d.deleting(func(p *newleaf.DeletionPolicy) { p.ProtectImported = false }, newleaf.AllRules()...)
		d.stands(d.issue("Xyz4", newleaf.TLS), newleaf.PhaseDone, fine)
		d.holds("Stays:ipsec", "Xyz4:tls")
		after := d.holding()
		if len(after.Keys) != 2 || len(before.Keys) != 2 || !slices.EqualFunc(after.Anchors, before.Anchors, func(a, b newleaf.AnchorInfo) bool { return a.ID == b.ID }) {
			t.Errorf("keys %q became %q, anchors %q became %q", before.Keys, after.Keys, roles(before.Anchors), roles(after.Anchors))
		}
		d.read(func(tx *store.Tx) error {
			c, err := tx.Certificate("Stays")
			if err == nil && (len(c.Chain) != 1 || !bytes.Equal(c.Chain[0], between.Certificate.Raw)) {
				t.Errorf("the chain of the other has %d certificates", len(c.Chain))
			}
			_, found, _ := tx.Key(c.KeyID)
			if !found {
				t.Error("the key of the other is gone")
			}
			return err
		})
		d.whole()
	})
}
