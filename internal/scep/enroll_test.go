package scep

import (
	"bytes"
	"crypto/x509"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"newleaf"
	"newleaf/internal/enroll"
)

const byGET = "AES\nSHA-256\nRenewal\nGetNextCACert\n"

// TestOperations drives every operation over both HTTP methods with every form of RA.
func TestOperations(t *testing.T) {
	for _, ra := range []string{"none", "one", "two"} {
		for _, method := range []string{http.MethodGet, http.MethodPost} {
			t.Run(ra+"/"+method, func(t *testing.T) { operations(t, newLab(ra), method) })
		}
	}
}

func operations(t *testing.T, l *lab, method string) {
	l.id.Next = []*x509.Certificate{root("LAB CA", rsaKey("next"), usageAll)}
	h := NewServer(l, ServerOptions{})
	if method == http.MethodGet {
		h = capped(h, byGET)
	}
	s := serve(t, h)
	c := dial(t, s.URL)
	sent := func(t *testing.T) {
		t.Helper()
		if all := s.asked("PKIOperation"); len(all) == 0 || all[len(all)-1].method != method {
			t.Errorf("PKIOperation went by %+v, want %s", all, method)
		}
	}
	t.Run("GetCACaps", func(t *testing.T) {
		caps, err := c.Capabilities(t.Context())
		if err != nil || caps.Unknown || !caps.Renewal || !caps.NextCA || caps.POST != (method == http.MethodPost) {
			t.Errorf("got %+v, %v", caps, err)
		}
	})
	t.Run("GetCACert", func(t *testing.T) {
		certs, err := c.Certificates(t.Context())
		if err != nil || !contains(certs, l.id.Issuer) || !contains(certs, l.id.Recipient) || !contains(certs, l.id.Signer) {
			t.Errorf("got %d certificates, %v", len(certs), err)
		}
	})
	t.Run("GetNextCACert", func(t *testing.T) {
		certs, err := c.NextCertificates(t.Context(), l.trust())
		if err != nil || len(certs) != 1 || !certs[0].Equal(l.id.Next[0]) {
			t.Errorf("got %d certificates, %v", len(certs), err)
		}
		_, err = c.NextCertificates(t.Context(), enroll.Trust{Anchors: []*x509.Certificate{l.id.Foreign.Certificate}})
		if err == nil {
			t.Error("an answer under another anchor was believed")
		}
	})
	var present *enroll.Credential
	t.Run("PKCSReq", func(t *testing.T) {
		r := first(l, "device")
		leaf := issuedBy(t, c, l, r)
		sent(t)
		present = &enroll.Credential{Certificate: leaf, Key: r.Key}
		got := l.submissions[len(l.submissions)-1]
		if got.Challenge != "secret" || got.Renewal || got.TransactionID != r.TransactionID || !bytes.Equal(got.CSR.RawSubject, r.Subject) || !bytes.Equal(got.Signer.RawSubject, r.Subject) {
			t.Errorf("the authority saw %+v", got)
		}
		parsed, err := newleaf.Parse(leaf.Raw)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff([]string{"dns:device001.example", "ip:192.0.2.7", "ip:2001:db8::7", "email:a@b.example"}, parsed.SAN); diff != "" {
			t.Error(diff)
		}
	})
	for _, m := range []enroll.Method{enroll.ByRenewal, enroll.BySignature} {
		t.Run(string(m), func(t *testing.T) {
			r := renewal(l, m, present, "device2")
			r.TransactionID += string(m)
			issuedBy(t, c, l, r)
			sent(t)
			if got := l.submissions[len(l.submissions)-1]; !got.Renewal || !got.Signer.Equal(present.Certificate) || got.Challenge != "" {
				t.Errorf("the authority saw %+v", got)
			}
		})
	}
	t.Run("CertPoll", func(t *testing.T) {
		a, err := c.Poll(t.Context(), first(l, "device"))
		if err != nil || a.Status != enroll.Issued || !a.Certificates[0].Equal(present.Certificate) || !a.Verified {
			t.Errorf("got %+v, %v", a, err)
		}
		sent(t)
	})
	t.Run("GetCert", func(t *testing.T) {
		found, err := c.GetCert(t.Context(), *present, l.trust(), l.id.Issuer.RawSubject, present.Certificate.SerialNumber)
		if err != nil || !found.Equal(present.Certificate) {
			t.Errorf("got %v, %v", found, err)
		}
		sent(t)
		_, err = c.GetCert(t.Context(), *present, l.trust(), l.id.Issuer.RawSubject, l.id.Issuer.SerialNumber)
		wantCode(t, err, newleaf.CodeRefused)
		_, err = c.GetCert(t.Context(), l.sibling, l.trust(), l.id.Issuer.RawSubject, present.Certificate.SerialNumber)
		wantCode(t, err, newleaf.CodeRefused)
	})
	t.Run("GetCRL", func(t *testing.T) {
		der, err := c.GetCRL(t.Context(), *present, l.trust())
		if err != nil {
			t.Fatal(err)
		}
		if list, err := x509.ParseRevocationList(der); err != nil || list.CheckSignatureFrom(l.id.Issuer) != nil {
			t.Errorf("the list is not the authority's: %v", err)
		}
		sent(t)
	})
}

// issuedBy sends r and takes the certificate through the checks of a device.
func issuedBy(t *testing.T, c *Client, l *lab, r enroll.Request) *x509.Certificate {
	t.Helper()
	a, err := c.Send(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	if a.Status != enroll.Issued || a.Verified != r.Verify || len(a.Raw) == 0 {
		t.Fatalf("got %+v", a)
	}
	accepted, err := enroll.Check(a.Certificates, enroll.Wanted{
		Public: r.Key.Public(), Purposes: []newleaf.Purpose{newleaf.TLS}, Kinds: newleaf.BuiltinKinds(), Trust: r.Trust, Verify: r.Verify, Now: today, Clock: true,
	})
	if err != nil {
		t.Fatal(err)
	}
	return accepted.Leaf
}

// TestPending is F8-G10: the decision comes later, to another process with the
// same key and transactionID.
func TestPending(t *testing.T) {
	l := newLab("one")
	l.approve = true
	s := serve(t, NewServer(l, ServerOptions{}))
	a, err := dial(t, s.URL).Send(t.Context(), first(l, "device"))
	if err != nil || a.Status != enroll.Pending || !a.Verified {
		t.Fatalf("got %+v, %v", a, err)
	}
	resumed := dial(t, s.URL)
	if a, err = resumed.Poll(t.Context(), first(l, "device")); err != nil || a.Status != enroll.Pending {
		t.Fatalf("got %+v, %v", a, err)
	}
	l.approval()
	if a, err = resumed.Poll(t.Context(), first(l, "device")); err != nil || a.Status != enroll.Issued {
		t.Fatalf("got %+v, %v", a, err)
	}
	if key := a.Certificates[0].PublicKey; !rsaKey("device").PublicKey.Equal(key) {
		t.Error("the certificate is for another key")
	}
	if len(l.submissions) != 1 {
		t.Errorf("the request was made %d times", len(l.submissions))
	}
}

// TestPollRepeats is Q13: an authority without CertPoll gets the request again.
func TestPollRepeats(t *testing.T) {
	for name, answer := range map[string]http.HandlerFunc{
		"HTTP 500": func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "unknown messageType", 500) },
		"text":     func(w http.ResponseWriter, _ *http.Request) { w.Write([]byte("not implemented")) },
	} {
		t.Run(name, func(t *testing.T) {
			l := newLab("one")
			l.approve = true
			inner := NewServer(l, ServerOptions{})
			s := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if m, err := readMessage(bodyOf(r)); err == nil && m.kind == certPoll {
					answer(w, r)
					return
				}
				inner.ServeHTTP(w, r)
			}))
			c := dial(t, s.URL)
			if a, err := c.Send(t.Context(), first(l, "device")); err != nil || a.Status != enroll.Pending {
				t.Fatalf("got %+v, %v", a, err)
			}
			l.approval()
			a, err := c.Poll(t.Context(), first(l, "device"))
			if err != nil || a.Status != enroll.Issued {
				t.Fatalf("got %+v, %v", a, err)
			}
			if len(l.submissions) != 2 || l.submissions[0].TransactionID != l.submissions[1].TransactionID {
				t.Errorf("the authority saw %d requests", len(l.submissions))
			}
			if !strings.Contains(strings.Join(a.Notes, " "), "repeated") {
				t.Errorf("notes %q", a.Notes)
			}
		})
	}
}

// TestRefused is F8-G11.
func TestRefused(t *testing.T) {
	l := newLab("one")
	s := serve(t, NewServer(l, ServerOptions{}))
	r := first(l, "device")
	r.Challenge = "wrong"
	a, err := dial(t, s.URL).Send(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	if a.Status != enroll.Refused || a.FailInfo != "badRequest" || !a.Verified || len(a.Certificates) != 0 {
		t.Errorf("got %+v", a)
	}
	if want := "badRequest: it does not permit the request (the challenge password is wrong)"; a.Reason != want {
		t.Errorf("reason %q, want %q", a.Reason, want)
	}
}

// TestPrepare: what cannot work fails before anything is sent.
func TestPrepare(t *testing.T) {
	l := newLab("one")
	s := serve(t, NewServer(l, ServerOptions{}))
	c := dial(t, s.URL)
	for name, test := range map[string]struct {
		change func(*enroll.Request)
		want   newleaf.Code
	}{
		"F8-G2 no anchor":     {func(r *enroll.Request) { r.Trust = enroll.Trust{} }, newleaf.CodeNoAnchor},
		"no key":              {func(r *enroll.Request) { r.Key = nil }, newleaf.CodeInternal},
		"elliptic curve":      {func(r *enroll.Request) { r.Key = ecKey() }, newleaf.CodeInvalid},
		"renewal of nothing":  {func(r *enroll.Request) { r.Method = enroll.ByRenewal }, newleaf.CodeInvalid},
		"signed by nothing":   {func(r *enroll.Request) { r.Method = enroll.BySignature }, newleaf.CodeInvalid},
		"unknown method":      {func(r *enroll.Request) { r.Method = "x" }, newleaf.CodeInternal},
		"SAN no address":      {func(r *enroll.Request) { r.SAN = []string{"ip:x"} }, newleaf.CodeInvalid},
		"SAN of unknown kind": {func(r *enroll.Request) { r.SAN = []string{"uri:x"} }, newleaf.CodeInvalid},
		"challenge not UTF-8": {func(r *enroll.Request) { r.Challenge = "\xff" }, newleaf.CodeInvalid},
		"subject is no name":  {func(r *enroll.Request) { r.Subject = []byte("x") }, newleaf.CodeInternal},
	} {
		t.Run(name, func(t *testing.T) {
			r := first(l, "device")
			test.change(&r)
			_, err := c.Send(t.Context(), r)
			wantCode(t, err, test.want)
		})
	}
	if len(s.seen) != 0 {
		t.Errorf("the authority was asked %d times", len(s.seen))
	}
}

// TestRAURL is CON-11: the CA certificate comes from one server, requests go to another.
func TestRAURL(t *testing.T) {
	l := newLab("one")
	ra := serve(t, NewServer(l, ServerOptions{}))
	silent := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if op := r.URL.Query().Get("operation"); op == "GetCACert" {
			http.NotFound(w, r)
			return
		}
		NewServer(l, ServerOptions{}).ServeHTTP(w, r)
	}))
	for name, s := range map[string]*site{"answers GetCACert": ra, "does not": silent} {
		t.Run(name, func(t *testing.T) {
			ca := serve(t, NewServer(l, ServerOptions{}))
			c := dial(t, ca.URL, func(c *newleaf.Connection) { c.RAURL = s.URL + "/ra" })
			if _, err := c.Certificates(t.Context()); err != nil {
				t.Fatal(err)
			}
			issuedBy(t, c, l, first(l, "device"))
			if len(ca.asked("PKIOperation")) != 0 || len(s.asked("PKIOperation")) != 1 || len(ca.asked("GetCACert")) == 0 {
				t.Error("the request went to the wrong server")
			}
		})
	}
}

// TestMessageParameter is CON-10 and Q5.
func TestMessageParameter(t *testing.T) {
	l := newLab("none")
	for _, id := range []string{"", "lab ca", "a+b&c=d/é"} {
		s := serve(t, NewServer(l, ServerOptions{}))
		c := dial(t, s.URL, func(c *newleaf.Connection) { c.CAID = id })
		if _, err := c.Certificates(t.Context()); err != nil {
			t.Fatal(err)
		}
		if got := s.asked("GetCACert")[0].message; got != id {
			t.Errorf("message=%q, want %q", got, id)
		}
	}
}
