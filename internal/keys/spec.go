package keys

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"fmt"
	"slices"
)

// Spec names algorithm and size of a key in flags and forms: "rsa-2048", "p256".
type Spec string

// Specs are the kinds of keys that Generate makes. P-521 and Ed25519 are
// accepted on import only.
func Specs() []Spec {
	return []Spec{"rsa-1024", "rsa-2048", "rsa-3072", "rsa-4096", "p256", "p384"}
}

// Generate makes a key pair. An RSA key takes up to some seconds on a small device.
// The error is ErrKeyType for a spec that is not one of Specs.
func Generate(spec Spec) (crypto.Signer, error) {
	var bits int
	switch spec {
	case "p256":
		return ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	case "p384":
		return ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	}
	if !slices.Contains(Specs(), spec) {
		return nil, fmt.Errorf("%w: %q", ErrKeyType, spec)
	}
	if _, err := fmt.Sscanf(string(spec), "rsa-%d", &bits); err != nil {
		return nil, fmt.Errorf("%w: %q", ErrKeyType, spec)
	}
	return rsa.GenerateKey(rand.Reader, bits)
}

// SpecOf says algorithm (RSA, ECDSA, Ed25519) and size in bits of a public key;
// "" and 0 for any other kind.
func SpecOf(pub crypto.PublicKey) (alg string, bits int) {
	switch pub := pub.(type) {
	case *rsa.PublicKey:
		return "RSA", pub.N.BitLen()
	case *ecdsa.PublicKey:
		return "ECDSA", pub.Curve.Params().BitSize
	case ed25519.PublicKey:
		return "Ed25519", 256
	}
	return "", 0
}

// ID identifies a key pair: the SHA-256 of its SubjectPublicKeyInfo (RFC 5280,
// 4.1.2.7) in lower-case hex; "" for a kind of key that has none.
func ID(pub crypto.PublicKey) string {
	der, err := x509.MarshalPKIXPublicKey(pub)
	if err != nil {
		return ""
	}
	sum := sha256.Sum256(der)
	return hex.EncodeToString(sum[:])
}

// supported narrows what a parser gave to the keys that the device can use.
func supported(key any) (crypto.Signer, error) {
	switch key := key.(type) {
	case *rsa.PrivateKey:
		if bits := key.N.BitLen(); bits < 1024 || bits > 8192 {
			return nil, fmt.Errorf("%w: RSA with %d bits", ErrKeyType, bits)
		}
		return key, nil
	case *ecdsa.PrivateKey:
		if key.Curve == elliptic.P224() {
			return nil, fmt.Errorf("%w: P-224", ErrKeyType)
		}
		return key, nil
	case ed25519.PrivateKey:
		return key, nil
	}
	return nil, fmt.Errorf("%w: %T", ErrKeyType, key)
}
