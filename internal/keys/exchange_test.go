package keys_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// chainOf makes root, intermediate and a leaf for key, in the order leaf first.
func chainOf(t testing.TB, key crypto.Signer) []*x509.Certificate {
	t.Helper()
	rootKey, midKey := generate(t, "p256"), generate(t, "p256")
	root := certify(t, "Root", true, rootKey, nil, rootKey)
	mid := certify(t, "Intermediate", true, midKey, root, rootKey)
	return []*x509.Certificate{certify(t, "Leaf", false, key, mid, midKey), mid, root}
}

// certify issues a certificate; without issuer it is self-signed.
func certify(t testing.TB, name string, ca bool, key crypto.Signer, issuer *x509.Certificate, issuerKey crypto.Signer) *x509.Certificate {
	t.Helper()
	start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(int64(len(name))), Subject: pkix.Name{CommonName: name},
		NotBefore: start, NotAfter: start.AddDate(10, 0, 0), IsCA: ca, BasicConstraintsValid: true,
	}
	if issuer == nil {
		issuer = template
	}
	der, err := x509.CreateCertificate(rand.Reader, template, issuer, key.Public(), issuerKey)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return cert
}

// importable are one key of each kind that the device accepts.
func importable(t testing.TB) map[string]crypto.Signer {
	t.Helper()
	_, ed, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	p521, err := ecdsa.GenerateKey(elliptic.P521(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return map[string]crypto.Signer{
		"rsa-2048": generate(t, "rsa-2048"), "p256": generate(t, "p256"), "p384": generate(t, "p384"),
		"p521": p521, "ed25519": ed,
	}
}

func pemOf(kind string, der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
}

func certPEM(certs ...*x509.Certificate) (all []byte) {
	for _, c := range certs {
		all = append(all, pemOf("CERTIFICATE", c.Raw)...)
	}
	return all
}

func keyPEM(t testing.TB, key crypto.Signer) []byte {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return pemOf("PRIVATE KEY", der)
}

// openssl runs the program on files of these names and contents and gives
// back what it writes. Where it is missing the test is skipped.
func openssl(t testing.TB, files map[string][]byte, args ...string) ([]byte, error) {
	t.Helper()
	program, err := exec.LookPath("openssl")
	if err != nil {
		t.Skip("openssl is not installed")
	}
	dir := t.TempDir()
	for name, content := range files {
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	c := exec.Command(program, args...)
	c.Dir = dir
	out, err := c.Output()
	if exit, ok := err.(*exec.ExitError); ok {
		t.Logf("openssl %v: %s", args, exit.Stderr)
	}
	return out, err
}
