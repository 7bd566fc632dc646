package keys_test

import (
	"bytes"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"errors"
	"slices"
	"testing"

	"newleaf/internal/keys"
)

func TestDecodePEM(t *testing.T) {
	for name, key := range importable(t) {
		certs := chainOf(t, key)
		own := keyPEM(t, key)
		params := pemOf("EC PARAMETERS", []byte{6, 8, 42, 134, 72, 206, 61, 3, 1, 7})
		files := map[string][2][]byte{
			"two files":            {certPEM(certs...), own},
			"one file":             {append(certPEM(certs...), own...), nil},
			"key first, text":      {slices.Concat([]byte("Bag Attributes\n"), own, []byte("subject=x\n"), certPEM(certs...)), nil},
			"chain in other order": {certPEM(certs[2], certs[0], certs[1]), own},
			"parameters of curve":  {certPEM(certs...), append(params, own...)},
			"leaf twice":           {certPEM(certs[0], certs[1], certs[0], certs[2]), own},
		}
		switch key := key.(type) {
		case *rsa.PrivateKey:
			files["PKCS #1"] = [2][]byte{certPEM(certs...), pemOf("RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(key))}
		case *ecdsa.PrivateKey:
			der, err := x509.MarshalECPrivateKey(key)
			if err != nil {
				t.Fatal(err)
			}
			files["SEC 1"] = [2][]byte{certPEM(certs...), pemOf("EC PRIVATE KEY", der)}
		}
		for form, file := range files {
			t.Run(name+"/"+form, func(t *testing.T) {
				got, leaf, chain, err := keys.DecodePEM(file[0], file[1], nil)
				if err != nil {
					t.Fatal(err)
				}
				checkIdentity(t, key, certs, got, leaf, chain)
			})
		}
	}
}

func TestDecodePEMRefuses(t *testing.T) {
	key := generate(t, "p256")
	certs, own := chainOf(t, key), keyPEM(t, key)
	x25519, err := ecdh.X25519().GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	agreement, err := x509.MarshalPKCS8PrivateKey(x25519)
	if err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		cert, key []byte
		err       error
	}{
		"nothing":                {nil, nil, keys.ErrNoKey},
		"no key":                 {certPEM(certs...), nil, keys.ErrNoKey},
		"no certificate":         {nil, own, keys.ErrNoCertificate},
		"DER":                    {certs[0].Raw, own, keys.ErrNoCertificate},
		"other key":              {certPEM(certs...), keyPEM(t, generate(t, "p256")), keys.ErrMismatch},
		"other kind of key":      {certPEM(certs...), keyPEM(t, generate(t, "rsa-1024")), keys.ErrMismatch},
		"only the chain":         {certPEM(certs[1:]...), own, keys.ErrMismatch},
		"two keys":               {append(certPEM(certs...), own...), own, keys.ErrFormat},
		"broken certificate":     {pemOf("CERTIFICATE", certs[0].Raw[1:]), own, keys.ErrFormat},
		"broken key":             {certPEM(certs...), pemOf("PRIVATE KEY", []byte("key")), keys.ErrFormat},
		"broken encrypted key":   {certPEM(certs...), pemOf("ENCRYPTED PRIVATE KEY", []byte("key")), keys.ErrFormat},
		"key for agreement only": {certPEM(certs...), pemOf("PRIVATE KEY", agreement), keys.ErrKeyType},
		"too large":              {append(certPEM(certs...), make([]byte, 1<<20)...), own, keys.ErrFormat},
	} {
		t.Run(name, func(t *testing.T) {
			if _, _, _, err := keys.DecodePEM(test.cert, test.key, nil); !errors.Is(err, test.err) {
				t.Errorf("got %v, want %v", err, test.err)
			}
		})
	}
}

func TestEncryptedKeyOfOpenSSL(t *testing.T) {
	key := generate(t, "rsa-2048")
	certs := chainOf(t, key)
	const pass = "Schlüssel 1"
	for name, test := range map[string]struct {
		args []string
		err  error
	}{
		"default":               {[]string{"pkcs8", "-topk8"}, nil},
		"AES-128":               {[]string{"pkcs8", "-topk8", "-v2", "aes-128-cbc"}, nil},
		"AES-192, HMAC SHA-1":   {[]string{"pkcs8", "-topk8", "-v2", "aes-192-cbc", "-v2prf", "hmacWithSHA1"}, nil},
		"AES-256, HMAC SHA-384": {[]string{"pkcs8", "-topk8", "-v2", "aes-256-cbc", "-v2prf", "hmacWithSHA384"}, nil},
		"AES-256, HMAC SHA-512": {[]string{"pkcs8", "-topk8", "-v2", "aes-256-cbc", "-v2prf", "hmacWithSHA512", "-iter", "50000"}, nil},
		"3DES":                  {[]string{"pkcs8", "-topk8", "-v2", "des3"}, keys.ErrEncrypted},
		"scrypt":                {[]string{"pkcs8", "-topk8", "-scrypt"}, keys.ErrEncrypted},
		"PBES1":                 {[]string{"pkcs8", "-topk8", "-v1", "PBE-SHA1-3DES"}, keys.ErrEncrypted},
		"traditional":           {[]string{"rsa", "-aes256", "-traditional"}, keys.ErrEncrypted},
		"too many iterations":   {[]string{"pkcs8", "-topk8", "-v2", "aes-256-cbc", "-iter", "2000001"}, keys.ErrFormat},
	} {
		t.Run(name, func(t *testing.T) {
			encrypted, err := openssl(t, map[string][]byte{"key": keyPEM(t, key)}, append(test.args, "-in", "key", "-passout", "pass:"+pass)...)
			if err != nil {
				t.Skip("this openssl does not write it")
			}
			got, leaf, chain, err := keys.DecodePEM(certPEM(certs...), encrypted, []byte(pass))
			if !errors.Is(err, test.err) {
				t.Fatalf("got %v, want %v", err, test.err)
			}
			if test.err != nil {
				return
			}
			checkIdentity(t, key, certs, got, leaf, chain)
			for _, wrong := range []string{"", "wrong"} {
				if _, _, _, err := keys.DecodePEM(certPEM(certs...), encrypted, []byte(wrong)); !errors.Is(err, keys.ErrPassphrase) {
					t.Errorf("passphrase %q: got %v, want ErrPassphrase", wrong, err)
				}
			}
		})
	}
}

func FuzzDecodePEM(f *testing.F) {
	key := generate(f, "p256")
	certs := chainOf(f, key)
	f.Add(certPEM(certs...), keyPEM(f, key), []byte(""))
	f.Add(append(certPEM(certs...), keyPEM(f, key)...), []byte(nil), []byte(""))
	encrypted, err := openssl(f, map[string][]byte{"key": keyPEM(f, key)}, "pkcs8", "-topk8", "-iter", "1", "-in", "key", "-passout", "pass:x")
	if err == nil {
		f.Add(certPEM(certs...), encrypted, []byte("x"))
	}
	f.Fuzz(func(t *testing.T, cert, key, pass []byte) {
		signer, leaf, _, err := keys.DecodePEM(bytes.Clone(cert), bytes.Clone(key), pass)
		if (err == nil) != (signer != nil && leaf != nil) {
			t.Errorf("key %v, leaf %v, error %v", signer, leaf, err)
		}
	})
}
