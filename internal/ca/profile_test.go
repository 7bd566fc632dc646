package ca

import (
	"bytes"
	"crypto/x509"
	"crypto/x509/pkix"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"newleaf"
	"newleaf/internal/enroll"
)

func TestTemplateValidity(t *testing.T) {
	until := start.Add(10 * 365 * 24 * time.Hour)
	for _, tt := range []struct {
		name           string
		validity       time.Duration
		before, behind time.Duration // from start
	}{
		{"seconds", 20 * time.Second, -2 * time.Second, 20 * time.Second},
		{"ten minutes", 10 * time.Minute, -time.Minute, 10 * time.Minute},
		{"90 days", 90 * 24 * time.Hour, -time.Minute, 90 * 24 * time.Hour},
		{"clipped to the issuer", 20 * 365 * 24 * time.Hour, -time.Minute, until.Sub(start)},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := profile{Validity: tt.validity, Until: until}.template(csr(t, newKey(t), "CN=a"), newSerial(), start)
			if err != nil {
				t.Fatal(err)
			}
			if b, e := got.NotBefore.Sub(start), got.NotAfter.Sub(start); b != tt.before || e != tt.behind {
				t.Errorf("valid from %s to %s, want %s to %s", b, e, tt.before, tt.behind)
			}
		})
	}
}

func TestIssuedCertificateSaysWhatWasAsked(t *testing.T) {
	c, _ := open(t, Options{Challenge: "s", CRL: "http://127.0.0.1/lab/crl"})
	s := first(t, "t1", "s", newKey(t), "C=JP,O=ABC,OU=DEV01,CN=Device001", "b.example", "A.example")
	got := issue(t, c, s)
	if !bytes.Equal(got.RawSubject, s.CSR.RawSubject) {
		t.Errorf("subject %x, want the request's bytes %x", got.RawSubject, s.CSR.RawSubject)
	}
	p, err := newleaf.Parse(got.Raw)
	if err != nil {
		t.Fatal(err)
	}
	want := newleaf.Parsed{
		Subject: "CN=Device001,OU=DEV01,O=ABC,C=JP", Issuer: "CN=newleaf LAB CA",
		NotBefore: start.Add(-time.Minute), NotAfter: start.Add(90 * 24 * time.Hour), KeyAlgorithm: "ECDSA", KeyBits: 256,
		SAN: []string{"dns:b.example", "dns:A.example", "ip:192.0.2.1"},
		EKU: []string{newleaf.EKUServerAuth, newleaf.EKUClientAuth, newleaf.EKUIPsecIKE},
	}
	p.Serial, p.SHA1, p.SHA256 = "", "", ""
	if d := cmp.Diff(want, p); d != "" {
		t.Error(d)
	}
	if !bytes.Equal(got.AuthorityKeyId, c.identity.Issuer.SubjectKeyId) || len(got.SubjectKeyId) == 0 {
		t.Errorf("AKI %x SKI %x, issuer's SKI %x", got.AuthorityKeyId, got.SubjectKeyId, c.identity.Issuer.SubjectKeyId)
	}
	if got.KeyUsage != x509.KeyUsageDigitalSignature {
		t.Errorf("keyUsage %b for an ECDSA key", got.KeyUsage)
	}
	if d := cmp.Diff([]string{"http://127.0.0.1/lab/crl"}, got.CRLDistributionPoints); d != "" {
		t.Error(d)
	}
	if n := got.SerialNumber; n.Sign() <= 0 || n.BitLen() > 127 {
		t.Errorf("serial %x: want positive, at most 16 bytes, top bit clear (T3)", n)
	}
}

// RFC 5280, 4.2.1.6: without a subject the alternative name is critical.
func TestTemplateWithoutSubject(t *testing.T) {
	r := csr(t, newKey(t), "", "a.example")
	got, err := profile{Validity: time.Hour, Until: start.Add(time.Hour)}.template(r, newSerial(), start)
	if err != nil {
		t.Fatal(err)
	}
	if e := extension(got.ExtraExtensions, oidSAN); e == nil || !e.Critical {
		t.Errorf("alternative name %+v, want it critical", e)
	}
}

func TestSubjectOf(t *testing.T) {
	conventional, err := newleaf.MarshalSubject("C=JP,O=ABC,CN=Device001")
	if err != nil {
		t.Fatal(err)
	}
	other := csrSubject(t, pkix.Name{CommonName: "Device001", ExtraNames: []pkix.AttributeTypeAndValue{
		{Type: []int{2, 5, 4, 3}, Value: "Device001"}, {Type: []int{2, 5, 4, 10}, Value: "ABC"}, {Type: []int{2, 5, 4, 6}, Value: "JP"},
	}})
	if bytes.Equal(conventional, other) {
		t.Fatal("the two names have the same order")
	}
	if a, b := subjectOf(conventional), subjectOf(other); a != b || a != "CN=Device001,O=ABC,C=JP" {
		t.Errorf("%q and %q, want one subject", a, b)
	}
}

func csrSubject(t *testing.T, n pkix.Name) []byte {
	t.Helper()
	return selfSigned(t, newKey(t), n).RawSubject
}

func TestBend(t *testing.T) {
	for _, tt := range []struct {
		name string
		want func(*x509.Certificate) bool
	}{
		{"expired", func(c *x509.Certificate) bool { return c.NotAfter.Before(start) && c.NotBefore.Before(c.NotAfter) }},
		{"future", func(c *x509.Certificate) bool { return c.NotBefore.After(start) && c.NotBefore.Before(c.NotAfter) }},
		{"odd-validity", func(c *x509.Certificate) bool { return c.NotAfter.Before(c.NotBefore) }},
		{"no-eku", func(c *x509.Certificate) bool {
			return cmp.Equal(c.ExtKeyUsage, []x509.ExtKeyUsage{x509.ExtKeyUsageEmailProtection}) && c.UnknownExtKeyUsage == nil
		}},
		{"as-ca", func(c *x509.Certificate) bool { return c.IsCA && c.BasicConstraintsValid }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c, _ := open(t, Options{Challenge: "s", Mischief: []string{tt.name + "*1"}})
			s := first(t, "t1", "s", newKey(t), "CN=a")
			odd := issue(t, c, s)
			if !tt.want(odd) || !bytes.Equal(odd.RawSubjectPublicKeyInfo, s.CSR.RawSubjectPublicKeyInfo) {
				t.Errorf("issued %+v", odd)
			}
			if again := issue(t, c, s); !again.Equal(odd) {
				t.Error("T7: the repeated transaction has another certificate")
			}
			if d := decide(t, c, renewal(t, "t2", odd, newKey(t), "CN=a")); d.Status != enroll.Refused {
				t.Errorf("the odd certificate renews: %+v", d)
			}
			if straight := issue(t, c, first(t, "t3", "s", newKey(t), "CN=a")); tt.want(straight) {
				t.Error("the mischief struck twice")
			}
		})
	}
}
