package cms

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/pem"
	"errors"
	"math/big"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"
)

// identity is a key with a self-signed certificate.
type identity struct {
	cert *x509.Certificate
	key  crypto.Signer
}

func (id identity) signer() Signer { return Signer{Certificate: id.cert, Key: id.key} }

func (id identity) decrypter() crypto.Decrypter { return id.key.(crypto.Decrypter) }

// The identities are made once: key generation is the slowest part of these tests.
var (
	rsa1024 = sync.OnceValue(func() identity { return newIdentity("RSA 1024", 1024, must(rsa.GenerateKey(rand.Reader, 1024))) })
	rsa2048 = sync.OnceValue(func() identity { return newIdentity("RSA 2048", 2048, must(rsa.GenerateKey(rand.Reader, 2048))) })
	other   = sync.OnceValue(func() identity { return newIdentity("other", 7, must(rsa.GenerateKey(rand.Reader, 1024))) })
	p256    = sync.OnceValue(func() identity {
		return newIdentity("P-256", 256, must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader)))
	})
	p384 = sync.OnceValue(func() identity {
		return newIdentity("P-384", 384, must(ecdsa.GenerateKey(elliptic.P384(), rand.Reader)))
	})
	ed = sync.OnceValue(func() identity {
		_, key, err := ed25519.GenerateKey(rand.Reader)
		return newIdentity("Ed25519", 25519, must(key, err))
	})
)

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// newIdentity certifies key. The serial number has its top bit set, which needs a leading zero byte (trap T3).
func newIdentity(name string, serial int64, key crypto.Signer) identity {
	template := &x509.Certificate{
		SerialNumber: new(big.Int).Add(big.NewInt(serial), new(big.Int).Lsh(big.NewInt(1), 127)),
		Subject:      pkix.Name{Organization: []string{"Newleaf LAB"}, CommonName: name},
		NotBefore:    time.Now().Add(-time.Hour),
		NotAfter:     time.Now().Add(time.Hour),
		KeyUsage:     x509.KeyUsageDigitalSignature | x509.KeyUsageKeyEncipherment,
		SubjectKeyId: []byte(name),
	}
	der := must(x509.CreateCertificate(rand.Reader, template, template, key.Public(), key))
	return identity{must(x509.ParseCertificate(der)), key}
}

var (
	oidMessageType = asn1.ObjectIdentifier{2, 16, 840, 1, 113733, 1, 9, 2}
	oidNonce       = asn1.ObjectIdentifier{2, 16, 840, 1, 113733, 1, 9, 5}
	sha256OID      = oidSHA256
	sha1OID        = asn1.ObjectIdentifier{1, 3, 14, 3, 2, 26}
	md5OID         = asn1.ObjectIdentifier{1, 2, 840, 113549, 2, 5}
)

// kinds are all errors that tell failures apart.
var kinds = []error{ErrMalformed, ErrUnsupported, ErrWeak, ErrSignature, ErrDigest, ErrNoRecipient, ErrDecrypt, ErrInvalid}

// wantError fails unless err is want and no other kind.
func wantError(t *testing.T, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Fatalf("error %v, want %v", err, want)
	}
	for _, kind := range kinds {
		if want != nil && kind != want && errors.Is(err, kind) {
			t.Errorf("error %v is also %v", err, kind)
		}
	}
}

// openssl runs the program in dir and returns what it wrote. Without the program the test is skipped, or fails where
// NEWLEAF_PEERS=require promises it.
func openssl(t *testing.T, dir string, args ...string) []byte {
	t.Helper()
	path, err := exec.LookPath("openssl")
	if err != nil && os.Getenv("NEWLEAF_PEERS") == "require" {
		t.Fatal("openssl is required but not installed")
	}
	if err != nil {
		t.Skip("openssl is not installed")
	}
	cmd := exec.Command(path, args...)
	var stdout, stderr bytes.Buffer
	cmd.Dir, cmd.Stdout, cmd.Stderr = dir, &stdout, &stderr
	if err := cmd.Run(); err != nil {
		t.Fatalf("openssl %v: %v\n%s", args, err, stderr.Bytes())
	}
	return append(stdout.Bytes(), stderr.Bytes()...)
}

// save writes the identity's cert.pem and key.pem to dir.
func (id identity) save(t *testing.T, dir string) {
	t.Helper()
	key := must(x509.MarshalPKCS8PrivateKey(id.key))
	write(t, dir, "cert.pem", pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: id.cert.Raw}))
	write(t, dir, "key.pem", pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key}))
}

func write(t *testing.T, dir, name string, data []byte) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
		t.Fatal(err)
	}
}

func read(t *testing.T, dir, name string) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		t.Fatal(err)
	}
	return data
}
