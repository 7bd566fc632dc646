package store_test

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"math/big"
	"testing"
	"time"

	"newleaf"
	"newleaf/internal/store"
)

var then = time.Date(2026, 3, 1, 4, 0, 0, 123456789, time.UTC)

func open(t testing.TB, dir string) *store.Store {
	t.Helper()
	s, err := store.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func reopen(t testing.TB, s *store.Store, dir string) *store.Store {
	t.Helper()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	return open(t, dir)
}

func write(t testing.TB, s *store.Store, f func(*store.Tx) error) {
	t.Helper()
	if err := s.Write(t.Context(), f); err != nil {
		t.Fatal(err)
	}
}

func read(t testing.TB, s *store.Store, f func(*store.Tx) error) {
	t.Helper()
	if err := s.Read(t.Context(), f); err != nil {
		t.Fatal(err)
	}
}

// get reads one thing in a transaction of its own.
func get[T any](t testing.TB, s *store.Store, f func(*store.Tx) (T, error)) (v T) {
	t.Helper()
	read(t, s, func(tx *store.Tx) (err error) {
		v, err = f(tx)
		return err
	})
	return v
}

func certificates(t testing.TB, s *store.Store) []newleaf.Certificate {
	t.Helper()
	return get(t, s, (*store.Tx).Certificates)
}

func wantCode(t testing.TB, err error, want newleaf.Code) {
	t.Helper()
	if got := newleaf.CodeOf(err); got != want {
		t.Errorf("got code %q (%v), want %q", got, err, want)
	}
}

// selfSigned makes the DER of a new certificate.
func selfSigned(t testing.TB, name string) []byte {
	t.Helper()
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(7), Subject: pkix.Name{CommonName: name}, DNSNames: []string{"device.example"},
		NotBefore: then, NotAfter: then.AddDate(1, 0, 0), ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}}
	der, err := x509.CreateCertificate(rand.Reader, template, template, public, private)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

// entry makes a certificate ready to be added.
func entry(t testing.TB, name string) newleaf.Certificate {
	t.Helper()
	der := selfSigned(t, name)
	r := newleaf.DefaultRequest()
	r.Name, r.Subject = name, "CN="+name
	return newleaf.Certificate{ID: newleaf.IDOf(der), Name: name, DER: der, Chain: [][]byte{}, KeyID: "key of " + name,
		Origin: newleaf.Enrolled, Added: then, Updated: then, Connection: newleaf.DefaultConnection, Request: &r}
}

// filled is a store with the certificates Xyz1 to Xyz3.
func filled(t testing.TB) (*store.Store, []newleaf.Certificate) {
	t.Helper()
	s := open(t, t.TempDir())
	all := []newleaf.Certificate{entry(t, "Xyz1"), entry(t, "Xyz2"), entry(t, "Xyz3")}
	write(t, s, func(tx *store.Tx) error {
		for _, c := range all {
			if err := tx.AddCertificate(c); err != nil {
				return err
			}
		}
		return nil
	})
	return s, certificates(t, s)
}
