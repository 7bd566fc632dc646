package newleaftest

import (
	"crypto"
	"crypto/rand"
	"crypto/x509"
	"encoding/asn1"
	"math/big"
	"testing"
	"time"

	"newleaf"
	"newleaf/internal/enroll"
)

// Certificate makes a key pair and a certificate valid from..to: self-signed when
// parent is nil. Keys are RSA-1024, as tests need many.
func Certificate(t testing.TB, subject string, from, to time.Time, parent *enroll.Credential) enroll.Credential {
	t.Helper()
	return Issue(t, parent, Key(t), Template(t, subject, from, to))
}

// CACertificate is the same for a CA.
func CACertificate(t testing.TB, subject string, from, to time.Time, parent *enroll.Credential) enroll.Credential {
	t.Helper()
	template := Template(t, subject, from, to)
	template.IsCA, template.KeyUsage = true, x509.KeyUsageCertSign|x509.KeyUsageDigitalSignature|x509.KeyUsageKeyEncipherment
	return Issue(t, parent, Key(t), template)
}

// RACertificate is the same for a registration authority (RFC 6402, 2.10).
func RACertificate(t testing.TB, subject string, from, to time.Time, parent *enroll.Credential) enroll.Credential {
	t.Helper()
	template := Template(t, subject, from, to)
	template.UnknownExtKeyUsage = []asn1.ObjectIdentifier{{1, 3, 6, 1, 5, 5, 7, 3, 28}}
	return Issue(t, parent, Key(t), template)
}

// Template is an end entity's certificate before it is signed.
func Template(t testing.TB, subject string, from, to time.Time) *x509.Certificate {
	t.Helper()
	raw, err := newleaf.MarshalSubject(subject)
	if err != nil {
		t.Fatal(err)
	}
	serial := make([]byte, 8)
	_, _ = rand.Read(serial)
	serial[0] = serial[0]&0x7f | 0x40
	return &x509.Certificate{SerialNumber: new(big.Int).SetBytes(serial), RawSubject: raw, NotBefore: from, NotAfter: to,
		BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageKeyEncipherment}
}

// Issue signs template for key, by parent or by key itself.
func Issue(t testing.TB, parent *enroll.Credential, key crypto.Signer, template *x509.Certificate) enroll.Credential {
	t.Helper()
	if parent == nil {
		parent = &enroll.Credential{Certificate: template, Key: key}
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent.Certificate, key.Public(), parent.Key)
	if err != nil {
		t.Fatal(err)
	}
	c, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return enroll.Credential{Certificate: c, Key: key}
}
