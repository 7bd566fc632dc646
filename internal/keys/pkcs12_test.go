package keys_test

import (
	"crypto"
	"crypto/x509"
	"encoding/asn1"
	"errors"
	"slices"
	"strings"
	"testing"

	"newleaf/internal/keys"
)

func checkIdentity(t *testing.T, key crypto.Signer, certs []*x509.Certificate, got crypto.Signer, leaf *x509.Certificate, chain []*x509.Certificate) {
	t.Helper()
	if !samePublic(got, key) {
		t.Error("another key")
	}
	if !slices.EqualFunc(append([]*x509.Certificate{leaf}, chain...), certs, (*x509.Certificate).Equal) {
		t.Errorf("other certificates, or in another order: %v, then %d", leaf.Subject, len(chain))
	}
}

func TestPKCS12RoundTrip(t *testing.T) {
	for name, key := range importable(t) {
		t.Run(name, func(t *testing.T) {
			certs, pass := chainOf(t, key), []byte("correct horse")
			der, err := keys.EncodePKCS12(key, certs[0], certs[1:], pass)
			if err != nil {
				t.Fatal(err)
			}
			got, leaf, chain, err := keys.DecodePKCS12(der, pass)
			if err != nil {
				t.Fatal(err)
			}
			checkIdentity(t, key, certs, got, leaf, chain)
			if name != "p256" { // the derivation takes its time
				return
			}
			for _, wrong := range []string{"", "correct hors", "Correct horse"} {
				if _, _, _, err := keys.DecodePKCS12(der, []byte(wrong)); !errors.Is(err, keys.ErrPassphrase) {
					t.Errorf("passphrase %q: got %v, want ErrPassphrase", wrong, err)
				}
			}
		})
	}
}

func TestEncodePKCS12NeedsAPassphrase(t *testing.T) {
	key := generate(t, "p256")
	certs := chainOf(t, key)
	if _, err := keys.EncodePKCS12(key, certs[0], nil, nil); !errors.Is(err, keys.ErrPassphrase) {
		t.Errorf("got %v, want ErrPassphrase", err)
	}
}

func TestOpenSSLReadsOurs(t *testing.T) {
	key := generate(t, "rsa-2048")
	certs := chainOf(t, key)
	der, err := keys.EncodePKCS12(key, certs[0], certs[1:], []byte("pass phrase ü"))
	if err != nil {
		t.Fatal(err)
	}
	out, err := openssl(t, map[string][]byte{"p12": der}, "pkcs12", "-in", "p12", "-passin", "pass:pass phrase ü", "-nodes")
	if err != nil {
		t.Fatal(err)
	}
	got, leaf, chain, err := keys.DecodePEM(out, nil, nil) // its text around the blocks included
	if err != nil {
		t.Fatal(err)
	}
	checkIdentity(t, key, certs, got, leaf, chain)
}

func TestWeReadOpenSSL(t *testing.T) {
	key := generate(t, "rsa-2048")
	certs := chainOf(t, key)
	files := map[string][]byte{
		"key": keyPEM(t, key), "cert": certPEM(certs[0]),
		"chain": certPEM(certs[2], certs[1]), // in the wrong order
	}
	tests := map[string]struct {
		args []string
		pass string
	}{
		"default":          {nil, "secret"},
		"legacy":           {[]string{"-legacy"}, "secret"},
		"not ASCII":        {nil, "Schlüssel"},
		"empty passphrase": {nil, ""},
		"no encryption":    {[]string{"-keypbe", "NONE", "-certpbe", "NONE"}, "secret"},
		"AES-128, SHA-512": {[]string{"-keypbe", "AES-128-CBC", "-certpbe", "AES-128-CBC", "-macalg", "sha512"}, "secret"},
		"many iterations":  {[]string{"-iter", "300000"}, "secret"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			args := append([]string{"pkcs12", "-export", "-inkey", "key", "-in", "cert", "-certfile", "chain", "-passout", "pass:" + test.pass}, test.args...)
			der, err := openssl(t, files, args...)
			if err != nil {
				t.Skip("this openssl does not write it")
			}
			got, leaf, chain, err := keys.DecodePKCS12(der, []byte(test.pass))
			if err != nil {
				t.Fatal(err)
			}
			checkIdentity(t, key, certs, got, leaf, chain)
			if _, _, _, err := keys.DecodePKCS12(der, []byte("wrong")); !errors.Is(err, keys.ErrPassphrase) {
				t.Errorf("wrong passphrase: got %v, want ErrPassphrase", err)
			}
		})
	}
}

func TestIncompletePKCS12(t *testing.T) {
	key := generate(t, "p256")
	certs := chainOf(t, key)
	files := map[string][]byte{"key": keyPEM(t, key), "cert": certPEM(certs[0])}
	for want, args := range map[error][]string{
		keys.ErrNoKey:         {"-nokeys", "-in", "cert"},
		keys.ErrNoCertificate: {"-nocerts", "-inkey", "key", "-in", "key"},
	} {
		der, err := openssl(t, files, append([]string{"pkcs12", "-export", "-passout", "pass:x"}, args...)...)
		if err != nil {
			t.Errorf("openssl %v: %v", args, err)
			continue
		}
		if _, _, _, err := keys.DecodePKCS12(der, []byte("x")); !errors.Is(err, want) {
			t.Errorf("%v: got %v, want %v", args, err, want)
		}
	}
}

// A file must not keep the device busy for hours. What stands here is not yet
// PKCS #12, but the parts that ask for the work, in their places.
func TestCostlyPKCS12(t *testing.T) {
	type derivation struct {
		Salt       []byte
		Iterations int
	}
	nest := func(content any) []byte {
		der, err := asn1.Marshal(content)
		if err != nil {
			t.Fatal(err)
		}
		return der
	}
	for iterations, refused := range map[int]bool{1: false, 2_000_000: false, 2_000_001: true, 1 << 62: true} {
		plain := nest(derivation{[]byte("salt"), iterations})
		for name, der := range map[string][]byte{
			"MAC":              plain,
			"in octet strings": nest([][]byte{nest([][]byte{plain})}),
		} {
			_, _, _, err := keys.DecodePKCS12(der, []byte("x"))
			if !errors.Is(err, keys.ErrFormat) || strings.Contains(err.Error(), "iterations") != refused {
				t.Errorf("%d iterations, %s: got %v", iterations, name, err)
			}
		}
	}
}

func TestMismatchInPKCS12(t *testing.T) {
	key := generate(t, "p256")
	certs := chainOf(t, generate(t, "p256"))
	der, err := keys.EncodePKCS12(key, certs[0], nil, []byte("x"))
	if err != nil {
		t.Fatal(err)
	}
	if _, _, _, err := keys.DecodePKCS12(der, []byte("x")); !errors.Is(err, keys.ErrMismatch) {
		t.Errorf("got %v, want ErrMismatch", err)
	}
}

func TestNotPKCS12(t *testing.T) {
	for name, content := range map[string][]byte{
		"empty": nil, "text": []byte("hello"), "too large": make([]byte, 1<<20+1),
		"PEM": certPEM(chainOf(t, generate(t, "p256"))...),
	} {
		if _, _, _, err := keys.DecodePKCS12(content, []byte("x")); !errors.Is(err, keys.ErrFormat) {
			t.Errorf("%s: got %v, want ErrFormat", name, err)
		}
	}
}

func FuzzDecodePKCS12(f *testing.F) {
	key := generate(f, "p256")
	certs := chainOf(f, key)
	der, err := keys.EncodePKCS12(key, certs[0], certs[1:], []byte("x"))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(der, []byte("x"))
	for _, args := range [][]string{{"-iter", "1"}, {"-legacy", "-iter", "1"}, {"-nomac", "-keypbe", "NONE", "-certpbe", "NONE"}} {
		files := map[string][]byte{"key": keyPEM(f, key), "cert": certPEM(certs...)}
		der, err := openssl(f, files, append([]string{"pkcs12", "-export", "-inkey", "key", "-in", "cert", "-passout", "pass:"}, args...)...)
		if err == nil {
			f.Add(der, []byte(""))
		}
	}
	f.Fuzz(func(t *testing.T, der, pass []byte) {
		key, leaf, _, err := keys.DecodePKCS12(der, pass)
		if (err == nil) != (key != nil && leaf != nil) {
			t.Errorf("key %v, leaf %v, error %v", key, leaf, err)
		}
	})
}
