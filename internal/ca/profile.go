package ca

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha1"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"fmt"
	"math/big"
	"time"

	"newleaf/internal/enroll"
)

var (
	oidIPsecIKE = asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 3, 17} // RFC 4945, 5.1.3.12
	oidCMCRA    = asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 3, 28} // RFC 6402, 2.10
)

// profile is what every certificate gets beside the words of its request.
type profile struct {
	Validity time.Duration
	Until    time.Time // the issuer's notAfter: no certificate outlives it
	CRL      string    // URL of the revocation list; "" leaves the extension out
}

// template makes the certificate a request asks for: its subject and
// alternative names byte for byte, its key, and nothing else of it. notBefore
// lies back a little for clocks that are late, but by no more than a tenth of
// the lifetime, so that certificates of seconds work.
func (p profile) template(r *x509.CertificateRequest, serial *big.Int, now time.Time) (*x509.Certificate, error) {
	ski, err := keyIdentifier(r.RawSubjectPublicKeyInfo)
	if err != nil {
		return nil, err
	}
	t := &x509.Certificate{
		SerialNumber: serial, RawSubject: r.RawSubject, PublicKey: r.PublicKey, SubjectKeyId: ski,
		NotBefore:             now.Add(-min(time.Minute, p.Validity/10)),
		NotAfter:              earlier(now.Add(p.Validity), p.Until),
		BasicConstraintsValid: true,
		KeyUsage:              keyUsage(r.PublicKey),
		ExtKeyUsage:           []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
		UnknownExtKeyUsage:    []asn1.ObjectIdentifier{oidIPsecIKE},
	}
	if e := extension(r.Extensions, oidSAN); e != nil {
		nameless := bytes.Equal(r.RawSubject, []byte{0x30, 0}) // then it is critical: RFC 5280, 4.2.1.6
		t.ExtraExtensions = append(t.ExtraExtensions, pkix.Extension{Id: oidSAN, Critical: nameless, Value: e.Value})
	}
	if p.CRL != "" {
		t.CRLDistributionPoints = []string{p.CRL}
	}
	return t, nil
}

func keyUsage(public any) x509.KeyUsage {
	switch public.(type) {
	case *ecdsa.PublicKey, ed25519.PublicKey:
		return x509.KeyUsageDigitalSignature
	}
	return x509.KeyUsageDigitalSignature | x509.KeyUsageKeyEncipherment
}

// keyIdentifier is method (1) of RFC 5280, 4.2.1.2: SHA-1 as a name, not as a protection.
func keyIdentifier(spki []byte) ([]byte, error) {
	var info struct {
		Algorithm pkix.AlgorithmIdentifier
		Key       asn1.BitString
	}
	if _, err := asn1.Unmarshal(spki, &info); err != nil {
		return nil, fmt.Errorf("reading the public key: %w", err)
	}
	sum := sha1.Sum(info.Key.Bytes)
	return sum[:], nil
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

// newSerial is random, positive, 16 bytes long, and its top bit is clear: one
// client cannot verify answers signed under a serial that starts with a one.
func newSerial() *big.Int {
	b := make([]byte, 16)
	rand.Read(b)
	b[0] = b[0]&0x3f | 0x40
	return new(big.Int).SetBytes(b)
}

// bend makes the template odd, as a mischief asks. Expired and Future together
// give a validity that ends before it begins. other is the key that Key puts in.
func bend(t *x509.Certificate, m enroll.Mischief, other any, now time.Time) {
	if m.Expired {
		t.NotBefore, t.NotAfter = now.Add(-48*time.Hour), now.Add(-24*time.Hour)
	}
	if m.Future {
		t.NotBefore = now.Add(24 * time.Hour)
		if !m.Expired {
			t.NotAfter = now.Add(48 * time.Hour)
		}
	}
	if m.NoEKU {
		t.ExtKeyUsage, t.UnknownExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageEmailProtection}, nil
	}
	if m.AsCA {
		t.IsCA = true
		t.KeyUsage |= x509.KeyUsageCertSign | x509.KeyUsageCRLSign
	}
	if m.Key {
		t.PublicKey = other
	}
}
