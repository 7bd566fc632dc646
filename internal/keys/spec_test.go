package keys_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"errors"
	"fmt"
	"testing"

	"newleaf/internal/keys"
)

func generate(t testing.TB, spec keys.Spec) crypto.Signer {
	t.Helper()
	key, err := keys.Generate(spec)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func TestGenerate(t *testing.T) {
	for spec, want := range map[keys.Spec]struct {
		alg  string
		bits int
	}{
		"rsa-1024": {"RSA", 1024}, "rsa-2048": {"RSA", 2048}, "rsa-3072": {"RSA", 3072}, "rsa-4096": {"RSA", 4096},
		"p256": {"ECDSA", 256}, "p384": {"ECDSA", 384},
	} {
		t.Run(string(spec), func(t *testing.T) {
			if testing.Short() && want.bits > 2048 {
				t.Skip("large RSA keys take long")
			}
			key := generate(t, spec)
			if alg, bits := keys.SpecOf(key.Public()); alg != want.alg || bits != want.bits {
				t.Errorf("got %s with %d bits, want %s with %d", alg, bits, want.alg, want.bits)
			}
			der, err := x509.MarshalPKIXPublicKey(key.Public())
			if err != nil {
				t.Fatal(err)
			}
			if got, want := keys.ID(key.Public()), fmt.Sprintf("%x", sha256.Sum256(der)); got != want {
				t.Errorf("ID %s, want %s", got, want)
			}
		})
	}
	if got, want := len(keys.Specs()), 6; got != want {
		t.Errorf("%d specs, the table has %d", got, want)
	}
}

func TestGenerateRefuses(t *testing.T) {
	for _, spec := range []keys.Spec{"", "rsa-512", "rsa-2048x", "rsa-", "RSA-2048", "p521", "ed25519", "p224"} {
		if key, err := keys.Generate(spec); !errors.Is(err, keys.ErrKeyType) {
			t.Errorf("%q: got %T, %v; want ErrKeyType", spec, key, err)
		}
	}
}

func TestSpecOfImported(t *testing.T) {
	p521, err := ecdsa.GenerateKey(elliptic.P521(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	ed, _, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	for want, pub := range map[string]crypto.PublicKey{
		"ECDSA 521": p521.Public(), "Ed25519 256": ed, " 0": "no key",
	} {
		alg, bits := keys.SpecOf(pub)
		if got := fmt.Sprint(alg, " ", bits); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	if got := keys.ID("no key"); got != "" {
		t.Errorf("ID of no key: %q", got)
	}
}
