package enroll_test

import (
	"crypto"
	"crypto/x509"
	"encoding/asn1"
	"slices"
	"strings"
	"testing"
	"time"

	"newleaf"
	"newleaf/internal/enroll"
	"newleaf/internal/newleaftest"
)

var today = time.Date(2027, 3, 1, 12, 0, 0, 0, time.UTC)

// bundle is an answer that passes every check, and what it is checked against.
type bundle struct {
	t                          *testing.T
	root, middle, bottom, leaf enroll.Credential // each issued by the one before
	template                   *x509.Certificate // of leaf
	received                   []*x509.Certificate
	wanted                     enroll.Wanted
}

func newBundle(t *testing.T) *bundle {
	t.Helper()
	from, to := today.Add(-time.Hour), today.AddDate(0, 3, 0)
	b := &bundle{t: t}
	b.root = newleaftest.CACertificate(t, "CN=Root", from, to, nil)
	b.middle = newleaftest.CACertificate(t, "CN=Middle", from, to, &b.root)
	b.bottom = newleaftest.CACertificate(t, "CN=Bottom", from, to, &b.middle)
	b.template = newleaftest.Template(t, "CN=Device001", from, to)
	b.template.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
	b.leaf = newleaftest.Issue(t, &b.bottom, newleaftest.Key(t), b.template)
	b.received = []*x509.Certificate{b.leaf.Certificate, b.bottom.Certificate, b.middle.Certificate}
	b.wanted = enroll.Wanted{Public: b.leaf.Key.Public(), Purposes: []newleaf.Purpose{newleaf.TLS}, Kinds: newleaf.BuiltinKinds(),
		Trust: enroll.Trust{Anchors: []*x509.Certificate{b.root.Certificate}}, Verify: true,
		Held: func(newleaf.ID) bool { return false }, Now: today, Clock: true}
	return b
}

// again issues the leaf anew after a change of its template.
func (b *bundle) again(change func(*x509.Certificate)) {
	b.t.Helper()
	change(b.template)
	b.leaf = newleaftest.Issue(b.t, &b.bottom, b.leaf.Key, b.template)
	b.received[0] = b.leaf.Certificate
}

// TestCheck: every mutation of a good answer has a code of its own, and passes
// where it is allowed to (F8-G5, F8-G6, F8-G13, Q2, AMB-39).
func TestCheck(t *testing.T) {
	const fine = newleaf.Code("")
	for _, tt := range []struct {
		name    string
		mutate  func(*bundle)
		on, off newleaf.Code // with the chain verified (1304), and not
		says    string
	}{
		{"control", func(*bundle) {}, fine, fine, ""},
		{"F8-G13 the leaf is not the first", func(b *bundle) { slices.Reverse(b.received) }, fine, fine, ""},
		{"F8-G13 it is there twice", func(b *bundle) { b.received = append(b.received, b.received...) }, fine, fine, ""},
		{"Q12 an intermediate is the anchor", func(b *bundle) {
			b.wanted.Trust.Anchors = []*x509.Certificate{b.middle.Certificate}
			b.received = b.received[:2]
		}, fine, fine, ""},
		{"F7-G5 the chain is known from before", func(b *bundle) {
			b.wanted.Trust.Chain = []*x509.Certificate{b.middle.Certificate, b.bottom.Certificate}
			b.received = b.received[:1]
		}, fine, fine, ""},
		{"S818 nothing", func(b *bundle) { b.received = nil }, newleaf.CodeBadAnswer, newleaf.CodeBadAnswer, "no certificate"},
		{"F8-G5 for another key", func(b *bundle) { b.wanted.Public = newleaftest.Key(b.t).Public() }, newleaf.CodeForeignKey, newleaf.CodeForeignKey, "none of the 3"},
		{"F8-G5 for a key of another kind", func(b *bundle) { b.wanted.Public = []byte("no key") }, newleaf.CodeInternal, newleaf.CodeInternal, "compared"},
		{"Q2 held already", func(b *bundle) {
			held := newleaf.IDOf(b.leaf.Certificate.Raw)
			b.wanted.Held = func(id newleaf.ID) bool { return id == held }
		}, newleaf.CodeOldCert, newleaf.CodeOldCert, "in the store already"},
		{"F8-G6 the chain is broken", func(b *bundle) { b.received = b.received[:2] }, newleaf.CodeUntrusted, fine, "CN=Bottom"},
		{"F8-G6 no anchor", func(b *bundle) { b.wanted.Trust = enroll.Trust{} }, newleaf.CodeUntrusted, fine, "CN=Bottom"},
		{"F8-G6 a stranger of the same name", func(b *bundle) {
			b.wanted.Trust.Anchors[0] = newleaftest.CACertificate(b.t, "CN=Root", today.Add(-time.Hour), today.AddDate(1, 0, 0), nil).Certificate
		}, newleaf.CodeUntrusted, fine, "does not lead to"},
		{"F8-G6 the answer brings its own root", func(b *bundle) {
			b.wanted.Trust.Anchors[0] = newleaftest.CACertificate(b.t, "CN=Other", today.Add(-time.Hour), today.AddDate(1, 0, 0), nil).Certificate
			b.received = append(b.received, b.root.Certificate)
		}, newleaf.CodeUntrusted, fine, "does not lead to"},
		{"F8-G6 issued by an end entity", func(b *bundle) {
			brother := newleaftest.Certificate(b.t, "CN=Brother", today.Add(-time.Hour), today.AddDate(0, 1, 0), &b.bottom)
			b.received[0] = newleaftest.Issue(b.t, &brother, b.leaf.Key, b.template).Certificate
			b.received = append(b.received, brother.Certificate)
		}, newleaf.CodeUntrusted, fine, "CN=Brother"},
		{"F8-G6 signed by itself", func(b *bundle) {
			b.received[0] = newleaftest.Issue(b.t, nil, b.leaf.Key, b.template).Certificate
		}, newleaf.CodeUntrusted, fine, "CN=Device001"},
		{"F8-G6 a CA", func(b *bundle) { b.again(func(c *x509.Certificate) { c.IsCA = true }) }, newleaf.CodeUnfit, newleaf.CodeUnfit, "CA certificate"},
		{"F8-G6 expired", func(b *bundle) { b.wanted.Now = b.leaf.Certificate.NotAfter.Add(time.Second) }, newleaf.CodeUnfit, newleaf.CodeUnfit, "expired"},
		{"TIM-42 at its very end", func(b *bundle) { b.wanted.Now = b.leaf.Certificate.NotAfter }, fine, fine, ""},
		{"F8-G6 not valid yet", func(b *bundle) { b.wanted.Now = b.leaf.Certificate.NotBefore.Add(-time.Second) }, newleaf.CodeUnfit, newleaf.CodeUnfit, "not valid before"},
		{"F8-G6 at its very beginning", func(b *bundle) { b.wanted.Now = b.leaf.Certificate.NotBefore }, fine, fine, ""},
		{"TIM-31 not valid yet, by a clock in doubt", func(b *bundle) {
			b.wanted.Now, b.wanted.Clock = b.leaf.Certificate.NotBefore.AddDate(-50, 0, 0), false
		}, fine, fine, ""},
		{"TIM-31 expired even before the earliest time that can be", func(b *bundle) {
			b.wanted.Clock, b.wanted.Floor = false, b.leaf.Certificate.NotAfter.Add(time.Second)
		}, newleaf.CodeUnfit, newleaf.CodeUnfit, "in doubt"},
		{"TIM-31 it would end before the present one", func(b *bundle) {
			b.wanted.Clock, b.wanted.Ends = false, b.leaf.Certificate.NotAfter.Add(time.Second)
		}, newleaf.CodeUnfit, newleaf.CodeUnfit, "in doubt"},
		{"the end before the beginning", func(b *bundle) {
			b.wanted.Clock = false
			b.again(func(c *x509.Certificate) { c.NotAfter = c.NotBefore.Add(-time.Hour) })
		}, newleaf.CodeUnfit, newleaf.CodeUnfit, "before it begins"},
		{"F8-G6 another usage", func(b *bundle) {
			b.again(func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageEmailProtection} })
		}, newleaf.CodeUnfit, newleaf.CodeUnfit, "TLS"},
		{"F8-G6 fit for one purpose of two", func(b *bundle) {
			b.wanted.Purposes = append(b.wanted.Purposes, newleaf.Dot1X)
		}, newleaf.CodeUnfit, newleaf.CodeUnfit, "IEEE802.1X"},
		{"F8-G6 any usage", func(b *bundle) {
			b.again(func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageAny} })
		}, fine, fine, ""},
		{"F8-G6 no usage said", func(b *bundle) { b.again(func(c *x509.Certificate) { c.ExtKeyUsage = nil }) }, fine, fine, ""},
		{"F8-G6 a usage known by its number only", func(b *bundle) {
			b.wanted.Purposes = []newleaf.Purpose{newleaf.IPsec}
			b.again(func(c *x509.Certificate) {
				c.ExtKeyUsage, c.UnknownExtKeyUsage = nil, []asn1.ObjectIdentifier{{1, 3, 6, 1, 5, 5, 7, 3, 17}}
			})
		}, fine, fine, ""},
		{"ISS-18 no purpose: any usage will do", func(b *bundle) {
			b.wanted.Purposes = nil
			b.again(func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageEmailProtection} })
		}, fine, fine, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b := newBundle(t)
			tt.mutate(b)
			for verify, want := range map[bool]newleaf.Code{true: tt.on, false: tt.off} {
				b.wanted.Verify = verify
				a, err := enroll.Check(b.received, b.wanted)
				if code := newleaf.CodeOf(err); code != want {
					t.Fatalf("verify %t: the code is %q (%v), want %q", verify, code, err, want)
				}
				switch {
				case err != nil && !strings.Contains(err.Error(), tt.says):
					t.Errorf("verify %t: %q does not say %q", verify, err, tt.says)
				case err != nil && a.Leaf != nil:
					t.Errorf("verify %t: refused, and accepted", verify)
				case err == nil && !b.leaf.Key.Public().(interface{ Equal(crypto.PublicKey) bool }).Equal(a.Leaf.PublicKey):
					t.Errorf("verify %t: %q was taken for the leaf", verify, a.Leaf.Subject)
				case err == nil && a.Verified != (tt.on == fine):
					t.Errorf("verify %t: it counts as verified: %t (DLS-41)", verify, a.Verified)
				}
			}
		})
	}
}

// TestChain: what goes with the leaf, in order, without the root (AMB-29).
func TestChain(t *testing.T) {
	b := newBundle(t)
	subjects := func(list []*x509.Certificate) (out []string) {
		for _, c := range list {
			out = append(out, c.Subject.String())
		}
		return out
	}
	b.received = append(b.received, newBundle(t).middle.Certificate, b.root.Certificate) // others do not belong to it
	a, err := enroll.Check(b.received, b.wanted)
	if err != nil || !slices.Equal(subjects(a.Chain), []string{"CN=Bottom", "CN=Middle"}) {
		t.Errorf("the chain is %q (%v)", subjects(a.Chain), err)
	}
	b.wanted.Trust.Anchors = []*x509.Certificate{b.middle.Certificate}
	a, err = enroll.Check(b.received, b.wanted)
	if err != nil || !slices.Equal(subjects(a.Chain), []string{"CN=Bottom", "CN=Middle"}) {
		t.Errorf("with an intermediate as the anchor it is %q (%v)", subjects(a.Chain), err)
	}
}
