// Package newleaftest has what several test packages need: an authority without
// sockets, certificates in every state, foreign programs. Only external test
// packages import it.
package newleaftest

import (
	"crypto/rand"
	"crypto/x509"
	"math/big"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"newleaf"
	"newleaf/internal/ca"
	"newleaf/internal/enroll"
	"newleaf/internal/keys"
	"newleaf/internal/scep"
)

// Authority is the lab authority, reached in process.
type Authority struct {
	*ca.CA
	Handler http.Handler
	Now     func() time.Time
	Down    bool // nothing answers
}

// NewAuthority opens one in a folder of the test. The challenge password is
// "secret" unless o has another.
func NewAuthority(t testing.TB, o ca.Options) *Authority {
	t.Helper()
	if o.Dir == "" {
		o.Dir = t.TempDir()
	}
	if o.Challenge == "" {
		o.Challenge = "secret"
	}
	c, err := ca.Open(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return &Authority{CA: c, Handler: scep.NewServer(c, scep.ServerOptions{}), Now: o.Now}
}

// RoundTrip answers without a socket, so that simulated time keeps running.
func (a *Authority) RoundTrip(r *http.Request) (*http.Response, error) {
	if a.Down {
		return nil, newleaf.Errorf(newleaf.CodeUnreachable, "the authority is down")
	}
	w := httptest.NewRecorder()
	a.Handler.ServeHTTP(w, r)
	return w.Result(), nil
}

// Dial is a device's way to it.
func (a *Authority) Dial(c newleaf.Connection) (enroll.Client, error) {
	return scep.NewClient(c, scep.Options{Transport: a, Now: a.Now})
}

// Certificate makes a key pair and a certificate valid from..to: self-signed when
// parent is nil. Keys are RSA-1024, as tests need many.
func Certificate(t testing.TB, subject string, from, to time.Time, parent *enroll.Credential) enroll.Credential {
	t.Helper()
	key, err := keys.Generate("rsa-1024")
	if err != nil {
		t.Fatal(err)
	}
	raw, err := newleaf.MarshalSubject(subject)
	if err != nil {
		t.Fatal(err)
	}
	serial := make([]byte, 8)
	_, _ = rand.Read(serial)
	serial[0] = serial[0]&0x7f | 0x40
	template := &x509.Certificate{SerialNumber: new(big.Int).SetBytes(serial), RawSubject: raw, NotBefore: from, NotAfter: to,
		BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageKeyEncipherment}
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
