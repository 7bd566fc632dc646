package scep

import (
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"net/http"
	"strings"
	"testing"
	"time"

	"newleaf"
	"newleaf/internal/cms"
	"newleaf/internal/enroll"
)

func TestRoles(t *testing.T) {
	ca := root("CA", rsaKey("ca"), usageAll)
	bare := root("CA", rsaKey("ca"), 0) // its key usage forgot SCEP
	ec := root("EC CA", ecKey(), 0)
	other := root("CA", rsaKey("foreign"), usageAll) // same name, another key
	sub := func(name, key string, of *x509.Certificate, change func(*x509.Certificate)) *x509.Certificate {
		return made(func(c *x509.Certificate) {
			c.Subject, c.IsCA, c.KeyUsage = pkix.Name{CommonName: name}, true, usageCA|usageAll
			if change != nil {
				change(c)
			}
		}, rsaKey(key), of, rsaKey("ca"))
	}
	issuing := sub("Issuing CA", "ra2", ca, nil)
	flat := made(func(c *x509.Certificate) {
		c.Subject, c.IsCA, c.KeyUsage, c.MaxPathLenZero = pkix.Name{CommonName: "Flat CA"}, true, usageCA|usageAll, true
	}, rsaKey("ca"), nil, rsaKey("ca"))
	below := sub("Below", "ra2", flat, nil)
	under := registrar("RA under Below", rsaKey("ra"), usageAll, below, rsaKey("ra2"), oidCMCRA)
	ra := func(usage x509.KeyUsage, eku ...asn1.ObjectIdentifier) *x509.Certificate {
		return registrar("RA", rsaKey("ra"), usage, ca, rsaKey("ca"), eku...)
	}
	aged := func(from, to time.Duration) *x509.Certificate {
		return made(func(c *x509.Certificate) {
			c.Subject, c.KeyUsage, c.UnknownExtKeyUsage = pkix.Name{CommonName: "RA"}, usageAll, []asn1.ObjectIdentifier{oidCMCRA}
			c.NotBefore, c.NotAfter = today.Add(from), today.Add(to)
		}, rsaKey("ra"), ca, rsaKey("ca"))
	}
	cmcRA, agent, both := ra(usageAll, oidCMCRA), ra(usageAll, oidRequestAgent), ra(usageAll, asn1.ObjectIdentifier{1, 2, 3}, oidRequestAgent)
	encrypt, sign := ra(x509.KeyUsageKeyEncipherment, oidRequestAgent), ra(x509.KeyUsageDigitalSignature, oidRequestAgent)
	open := ra(0, oidCMCRA) // no key usage: every use
	sibling, plain := ra(usageAll), ra(usageAll, asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 3, 2})
	ecRA := registrar("EC RA", ecKey(), usageAll, ca, rsaKey("ca"), oidCMCRA)
	foreign := registrar("RA", rsaKey("ra"), usageAll, other, rsaKey("foreign"), oidCMCRA)
	underEC := registrar("RA", rsaKey("ra"), usageAll, ec, ecKey(), oidCMCRA)
	underIssuing := registrar("RA", rsaKey("ra"), usageAll, issuing, rsaKey("ra2"), oidCMCRA)
	old, fresh := aged(-900*time.Hour, -time.Hour), aged(-2*time.Hour, 900*time.Hour)
	anchored := func(a ...*x509.Certificate) enroll.Trust { return enroll.Trust{Anchors: a} }
	list := func(c ...*x509.Certificate) []*x509.Certificate { return c }
	thumb := func(a *x509.Certificate, r ...*x509.Certificate) enroll.Trust {
		t := anchored(a)
		for _, c := range r {
			t.RAs = append(t.RAs, newleaf.IDOf(c.Raw))
		}
		return t
	}
	for _, test := range []struct {
		name      string
		certs     []*x509.Certificate
		trust     enroll.Trust
		recipient *x509.Certificate
		signers   []*x509.Certificate
		code      newleaf.Code
	}{
		{"CA alone", list(ca), anchored(ca), ca, list(ca), ""},
		{"CA whose key usage forgot SCEP", list(bare), anchored(bare), bare, list(bare), ""},
		{"RA by cmcRA before the CA", list(ca, cmcRA), anchored(ca), cmcRA, list(ca, cmcRA), ""},
		{"RA by Microsoft's usage", list(agent, ca), anchored(ca), agent, list(agent, ca), ""},
		{"one usage of several", list(ca, both), anchored(ca), both, list(ca, both), ""},
		{"RA without key usage", list(ca, open), anchored(ca), open, list(ca, open), ""},
		{"Q6 RAs apart (NDES)", list(sign, encrypt, ca), anchored(ca), encrypt, list(sign, ca), ""},
		{"RA by thumbprint", list(sibling, ca), thumb(ca, sibling), sibling, list(sibling, ca), ""},
		{"RA by thumbprint without chain", list(foreign, ca), thumb(ca, foreign), foreign, list(foreign, ca), ""},
		{"sibling as RA", list(sibling, ca), anchored(ca), nil, nil, newleaf.CodeRAChanged},
		{"sibling with client usage", list(ca, plain), anchored(ca), nil, nil, newleaf.CodeRAChanged},
		{"sibling beside a good RA", list(cmcRA, sibling, ca), anchored(ca), nil, nil, newleaf.CodeRAChanged},
		{"another RA than the confirmed", list(plain, ca), thumb(ca, sibling), nil, nil, newleaf.CodeRAChanged},
		{"stranger's RA beside our CA", list(foreign, ca), anchored(ca), nil, nil, newleaf.CodeRAChanged},
		{"Q7 expired RA beside a fresh one", list(old, fresh, ca), anchored(ca), fresh, list(old, fresh, ca), ""},
		{"Q7 the same the other way round", list(fresh, old, ca), anchored(ca), fresh, list(fresh, old, ca), ""},
		{"expired RA alone: the clock may be wrong", list(old, ca), anchored(ca), old, list(old, ca), ""},
		{"EC CA with an RSA RA", list(underEC, ec), anchored(ec), underEC, list(underEC, ec), ""},
		{"EC CA alone", list(ec), anchored(ec), nil, nil, newleaf.CodeBadAnswer},
		{"EC RA signs, CA receives", list(ecRA, ca), anchored(ca), ca, list(ecRA, ca), ""},
		{"Q23 the CA itself left out", list(cmcRA), anchored(ca), cmcRA, list(cmcRA, ca), ""},
		{"Q12 anchor is an intermediate", list(issuing), anchored(issuing), issuing, list(issuing), ""},
		{"Q12 RA under the intermediate", list(underIssuing, issuing), anchored(issuing), underIssuing, list(underIssuing, issuing), ""},
		{"intermediate and root", list(ca, issuing), anchored(ca), issuing, list(ca, issuing), ""},
		{"RA, intermediate, root", list(ca, issuing, underIssuing), anchored(ca), underIssuing, list(ca, issuing, underIssuing), ""},
		{"chain from the trust", list(underIssuing), enroll.Trust{Anchors: list(ca), Chain: list(issuing)}, underIssuing, list(underIssuing, issuing, ca), ""},
		{"RA below a path length of 0", list(under, below, flat), anchored(flat), nil, nil, newleaf.CodeRAChanged},
		{"CA below a path length of 0", list(below, flat), anchored(flat), flat, list(flat), ""},
		{"another CA of the same name", list(other), anchored(ca), nil, nil, newleaf.CodeUntrusted},
		{"another CA with its RA", list(foreign, other), anchored(ca), nil, nil, newleaf.CodeUntrusted},
		{"another CA beside ours", list(other, ca), anchored(ca), ca, list(ca), ""},
		{"twice the same", list(ca, ca, cmcRA, cmcRA), anchored(ca), cmcRA, list(ca, cmcRA), ""},
		{"nothing sent", nil, anchored(ca), nil, nil, newleaf.CodeUntrusted},
		{"nothing confirmed", list(ca), enroll.Trust{}, nil, nil, newleaf.CodeNoAnchor},
	} {
		t.Run(test.name, func(t *testing.T) {
			recipient, signers, err := Roles(test.certs, test.trust)
			wantCode(t, err, test.code)
			if err != nil {
				return
			}
			if !recipient.Equal(test.recipient) {
				t.Errorf("recipient %s", recipient.Subject)
			}
			if len(signers) != len(test.signers) {
				t.Fatalf("%d signers, want %d", len(signers), len(test.signers))
			}
			for i := range signers {
				if !signers[i].Equal(test.signers[i]) {
					t.Errorf("signer %d is %s", i, signers[i].Subject)
				}
			}
		})
	}
}

// TestRAChanged: an authority that brings an RA that is none gets no request (Q7, F7-G5).
func TestRAChanged(t *testing.T) {
	l := newLab("one")
	inner := NewServer(l, ServerOptions{})
	bundle, err := cms.Degenerate([]*x509.Certificate{l.sibling.Certificate, l.id.Issuer})
	if err != nil {
		t.Fatal(err)
	}
	s := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Query().Get("operation") == "GetCACert" {
			w.Write(bundle)
			return
		}
		inner.ServeHTTP(w, r)
	}))
	for _, verify := range []bool{true, false} {
		r := first(l, "device")
		r.Verify = verify
		_, err = dial(t, s.URL).Send(t.Context(), r)
		wantCode(t, err, newleaf.CodeRAChanged)
		if err == nil || !strings.Contains(err.Error(), string(newleaf.IDOf(l.sibling.Certificate.Raw))) {
			t.Errorf("error %v does not name the certificate", err)
		}
	}
	if len(s.asked("PKIOperation")) != 0 {
		t.Error("a request was sent")
	}
}
