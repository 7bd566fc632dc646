package agent_test

import (
	"context"
	"crypto/x509"
	"slices"
	"strings"
	"testing"
	"time"

	"newleaf"
	"newleaf/internal/agent"
	"newleaf/internal/ca"
	"newleaf/internal/enroll"
	"newleaf/internal/newleaftest"
)

// presents is an authority that shows these certificates as its own.
type presents struct {
	enroll.Client
	certificates []*x509.Certificate
}

func (p presents) Certificates(context.Context) ([]*x509.Certificate, error) {
	return p.certificates, nil
}

// present lets the authority show other certificates.
func (d *device) present(certs ...*x509.Certificate) {
	d.dial = func(c newleaf.Connection) (enroll.Client, error) {
		client, err := d.authority.Dial(c)
		return presents{client, certs}, err
	}
}

// distrustful has no CA certificate yet.
func distrustful(_ *device, p *agent.Provision) { p.Anchors = nil }

// roles tells subject and role of each anchor, "+" where it is confirmed.
func roles(anchors []newleaf.AnchorInfo) (out []string) {
	for _, n := range anchors {
		out = append(out, n.Subject+" "+string(n.Role)+map[bool]string{true: "+"}[n.Confirmed])
	}
	slices.Sort(out)
	return out
}

func (d *device) wantAnchors(want ...string) {
	d.t.Helper()
	all, err := d.AnchorList(context.Background())
	must(d.t, err)
	if have := roles(all); !slices.Equal(have, want) {
		d.t.Errorf("the anchors are %q, want %q", have, want)
	}
}

// TestAnchorRoles: of all that an authority sends, one certificate becomes the
// anchor; the others are told apart (F7-G5, Q12).
func TestAnchorRoles(t *testing.T) {
	from, to := start.AddDate(-1, 0, 0), start.AddDate(10, 0, 0)
	root := newleaftest.CACertificate(t, "CN=Root", from, to, nil)
	sub := newleaftest.CACertificate(t, "CN=Sub", from, to, &root)
	ra := newleaftest.RACertificate(t, "CN=RA", from, to, &sub)
	leaf := newleaftest.Certificate(t, "CN=Leaf", from, to, &sub)
	other := newleaftest.CACertificate(t, "CN=Other", from, to, nil)
	for _, tt := range []struct {
		name string
		sent []enroll.Credential
		want []string
	}{
		{"one", []enroll.Credential{root}, []string{"CN=Root anchor"}},
		{"CA, RA and chain", []enroll.Credential{ra, sub, root}, []string{"CN=RA ra", "CN=Root anchor", "CN=Sub chain"}},
		{"in any order", []enroll.Credential{root, ra, sub}, []string{"CN=RA ra", "CN=Root anchor", "CN=Sub chain"}},
		{"Q12 without the root", []enroll.Credential{ra, sub}, []string{"CN=RA ra", "CN=Sub anchor"}},
		{"two RAs", []enroll.Credential{leaf, ra, root}, []string{"CN=Leaf ra", "CN=RA ra", "CN=Root anchor"}},
		{"a self-signed one goes before one whose issuer is missing", []enroll.Credential{sub, other}, []string{"CN=Other anchor", "CN=Sub chain"}},
		{"F7-S710 no CA certificate", []enroll.Credential{ra, leaf}, nil},
		{"F7-S710 none", nil, nil},
	} {
		t.Run("F7-G5 "+tt.name, func(t *testing.T) {
			d := newDevice(t, ca.Options{}, distrustful)
			var certs []*x509.Certificate
			for _, c := range tt.sent {
				certs = append(certs, c.Certificate)
			}
			d.present(certs...)
			_, err := d.FetchAnchors(context.Background(), newleaf.DefaultConnection, "")
			if code := newleaf.CodeOf(err); (code != "") != (tt.want == nil) || code != "" && code != newleaf.CodeBadAnswer {
				t.Fatalf("got %v", err)
			}
			d.wantAnchors(tt.want...)
		})
	}
}

// TestAnchorsKept: fetching again changes nothing, another CA comes beside the
// first (F7-G3, F7-G4), and a fetch that fails leaves everything as it is (F7-G1).
func TestAnchorsKept(t *testing.T) {
	fetch := func(d *device, thumbprint string) error {
		_, err := d.FetchAnchors(context.Background(), newleaf.DefaultConnection, thumbprint)
		return err
	}
	t.Run("F7-G3 twice the same", func(t *testing.T) {
		d := newDevice(t, ca.Options{}, distrustful)
		must(t, fetch(d, ""))
		_, err := d.ConfirmAnchors(context.Background(), newleaf.DefaultConnection)
		must(t, err)
		before := d.holding()
		d.after(day)
		must(t, fetch(d, ""))
		d.unchanged(before)
		if len(before.Anchors) != 2 || !before.Anchors[0].Confirmed {
			t.Errorf("the anchors are %q", roles(before.Anchors))
		}
	})
	t.Run("F7-G4 another CA of the same server", func(t *testing.T) {
		d := newDevice(t, ca.Options{}, fx17A)
		before, err := d.AnchorList(context.Background())
		must(t, err)
		other := newleaftest.CACertificate(t, "CN=Next", start.AddDate(-1, 0, 0), start.AddDate(9, 0, 0), nil)
		d.present(other.Certificate)
		must(t, fetch(d, ""))
		d.wantAnchors(append([]string{"CN=Next anchor"}, roles(before)...)...)
		d.dial = d.authority.Dial // the first goes on to work
		d.stands(d.issue("Xyz4", newleaf.TLS), newleaf.PhaseDone, fine)
		must(t, d.RemoveAnchor(context.Background(), newleaf.IDOf(other.Certificate.Raw)))
		d.wantAnchors(roles(before)...)
	})
	t.Run("F7-G1 DLS-06 whatever goes wrong, and whatever is deleted", func(t *testing.T) {
		d := newDevice(t, ca.Options{}, unused)
		d.deleting(nil, newleaf.AllRules()...)
		d.connect(func(c *newleaf.Connection) { c.Timeout = time.Second })
		before := d.holding().Anchors
		for _, f := range ca.Faults() {
			if f.Operation != "" && f.Operation != "GetCACert" {
				continue
			}
			d.misbehave(f.Name + ":GetCACert")
			err := fetch(d, "")
			if want := outcomes[f.Name].on; newleaf.CodeOf(err) != want && (f.Name != "leaf-as-ca" || newleaf.CodeOf(err) != newleaf.CodeBadAnswer) {
				t.Errorf("%s: got %v, want %s", f.Name, err, want)
			}
		}
		d.authority.Down = true
		wantCode(t, fetch(d, ""), newleaf.CodeUnreachable)
		d.authority.Down = false
		d.misbehave()
		d.issue("Xyz4", newleaf.TLS)
		d.now = before[0].NotAfter.Add(day) // expired, self-signed, without a purpose: nobody judges it
		d.reserve(func(r *newleaf.Reservation) { r.Method = newleaf.MethodOff })
		d.tick()
		after := d.holding().Anchors
		if !slices.Equal(roles(before), roles(after)) || before[0].ID != after[0].ID {
			t.Errorf("the anchors are %q, they were %q", roles(after), roles(before))
		}
	})
}

// TestThumbprint: what a person was told beforehand decides before anything is
// registered, and confirms at once (F7-G6, AMB-45).
func TestThumbprint(t *testing.T) {
	d := newDevice(t, ca.Options{}, distrustful)
	p, err := newleaf.Parse(d.authority.Identity().Issuer.Raw)
	must(t, err)
	before := d.holding()
	for _, wrong := range []string{strings.Repeat("0", 64), p.SHA256[:63], p.SHA1 + "00", string(newleaf.IDOf(d.authority.Identity().Signer.Raw))} {
		_, err := d.FetchAnchors(context.Background(), newleaf.DefaultConnection, wrong)
		wantCode(t, err, newleaf.CodeThumbprint)
		says(t, err.Error(), p.SHA256, p.SHA1)
	}
	d.unchanged(before)
	_, err = d.Issue(context.Background(), issueOf("Xyz1", newleaf.TLS))
	wantCode(t, err, newleaf.CodeNoAnchor)

	colons := strings.ToUpper(p.SHA256[:2])
	for i := 2; i < len(p.SHA256); i += 2 {
		colons += ":" + strings.ToUpper(p.SHA256[i:i+2])
	}
	for _, right := range []string{p.SHA1, p.SHA256, colons, " " + p.SHA256[:32] + " " + p.SHA256[32:]} {
		d := newDevice(t, ca.Options{}, distrustful)
		_, err := d.FetchAnchors(context.Background(), newleaf.DefaultConnection, right)
		must(t, err)
		if all := d.holding().Anchors; !slices.ContainsFunc(all, func(n newleaf.AnchorInfo) bool {
			return n.SHA256 == p.SHA256 && n.Confirmed && n.Role == newleaf.RoleAnchor
		}) {
			t.Errorf("%q left the anchors %q", right, roles(all))
		}
		d.stands(d.issue("Xyz1", newleaf.TLS), newleaf.PhaseDone, fine)
	}
}

// TestUnconfirmed: before a person has confirmed the CA certificate, nothing is
// made and nothing is sent (F8-G2, contract "Trust").
func TestUnconfirmed(t *testing.T) {
	d := newDevice(t, ca.Options{}, distrustful)
	refused := func(code newleaf.Code) {
		t.Helper()
		before, seen := d.holding(), len(d.authority.Exchanges())
		_, err := d.Issue(context.Background(), issueOf("Xyz1", newleaf.TLS))
		wantCode(t, err, code)
		d.after(time.Hour)
		d.unchanged(before)
		if n := len(d.authority.Exchanges()); n != seen || len(d.secrets()) != 0 {
			t.Errorf("%d requests were sent, the passwords %q kept", n-seen, d.secrets())
		}
	}
	refused(newleaf.CodeNoAnchor)
	_, err := d.ConfirmAnchors(context.Background(), newleaf.DefaultConnection)
	wantCode(t, err, newleaf.CodeNoAnchor)
	_, err = d.FetchAnchors(context.Background(), newleaf.DefaultConnection, "")
	must(t, err)
	refused(newleaf.CodeUnconfirmed)
	_, err = d.ConfirmAnchors(context.Background(), newleaf.DefaultConnection)
	must(t, err)
	d.stands(d.issue("Xyz1", newleaf.TLS), newleaf.PhaseDone, fine)

	// Taken away again, an update waits for a person, and goes on by itself then.
	for _, n := range d.holding().Anchors {
		must(t, d.RemoveAnchor(context.Background(), n.ID))
	}
	d.reserve(func(r *newleaf.Reservation) { r.Method, r.Every = newleaf.MethodEvery, 30*day })
	seen := len(d.authority.Exchanges())
	d.after(30 * day)
	d.stands(d.last(), newleaf.PhaseRetry, newleaf.CodeNoAnchor)
	d.after(day)
	if n := len(d.authority.Exchanges()); n != seen || !d.last().NextTry.IsZero() {
		t.Errorf("%d requests were sent, and it is tried again at %s", n-seen, d.last().NextTry)
	}
	_, err = d.AddAnchor(context.Background(), newleaf.DefaultConnection, pemOf(d.authority.Identity().Issuer.Raw))
	must(t, err)
	d.tick()
	d.holds("Xyz1", "Xyz1-2:tls")
}

// TestRAChanged: who signs for the authority is marked as an RA under the anchor,
// or was confirmed by its thumbprint; another one stops everything until a person
// has looked (contract, "Trust").
func TestRAChanged(t *testing.T) {
	d := newDevice(t, ca.Options{}, nil)
	d.issue("Xyz1", newleaf.TLS)
	d.reserve(func(r *newleaf.Reservation) { r.Method, r.Every = newleaf.MethodEvery, 30*day })
	d.misbehave("sibling-ra")
	d.after(30 * day)
	d.stands(d.last(), newleaf.PhaseRetry, newleaf.CodeRAChanged)
	seen := d.requests()
	d.after(7 * day)
	if n := d.requests(); n != seen || !d.last().NextTry.IsZero() {
		t.Errorf("%d requests were sent, and it is tried again at %s", n-seen, d.last().NextTry)
	}
	d.holds("Xyz1:tls")

	sibling := d.authority.Sibling().Certificate
	d.present(d.authority.Identity().Issuer, sibling)
	_, err := d.FetchAnchors(context.Background(), newleaf.DefaultConnection, "")
	must(t, err)
	d.tick()
	d.stands(d.last(), newleaf.PhaseRetry, newleaf.CodeRAChanged) // seen, not confirmed
	_, err = d.ConfirmAnchors(context.Background(), newleaf.DefaultConnection)
	must(t, err)
	d.dial = d.authority.Dial
	d.tick()
	d.stands(d.last(), newleaf.PhaseDone, fine)
	d.holds("Xyz1", "Xyz1-2:tls")

	must(t, d.RemoveAnchor(context.Background(), newleaf.IDOf(sibling.Raw))) // no longer
	d.stands(d.update("Xyz1-2"), newleaf.PhaseFailed, newleaf.CodeRAChanged)
}
