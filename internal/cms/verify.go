package cms

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/x509"
	"fmt"
	"slices"

	"golang.org/x/crypto/cryptobyte"
	casn1 "golang.org/x/crypto/cryptobyte/asn1"
)

// The sizes of RSA keys, in bits, that are used. Anybody can put a certificate with an enormous key into a message.
const (
	MinRSA = 1024
	MaxRSA = 8192
)

// Verify checks that the key of cert signed s as si says: the signature over the signed attributes, and that these name
// the digest and the type of the content (RFC 5652 sections 5.4 and 5.6). A signature without signed attributes is
// [ErrUnsupported]. Whether cert is trusted, and valid now, is the caller's question.
//
// It accepts RSA with PKCS #1 v1.5 (marked rsaEncryption or shaXWithRSAEncryption), RSASSA-PSS and ECDSA, each with
// SHA-256, SHA-384 or SHA-512; SHA-1 only if policy says so, MD5 never ([ErrWeak]). Without a certificate, as when
// Find has none, nothing verifies.
func (s *SignedData) Verify(si *SignerInfo, cert *x509.Certificate, policy Policy) error {
	if cert == nil {
		return fmt.Errorf("%w: no certificate of the signer", ErrSignature)
	}
	with, err := si.scheme()
	if err != nil {
		return err
	}
	hash, err := si.hash(with, policy)
	if err != nil {
		return err
	}
	if si.set == nil {
		return fmt.Errorf("%w: signature without signed attributes", ErrUnsupported)
	}
	contentType, found := si.Attribute(oidContentType)
	if !found {
		return malformed("attribute contentType absent or repeated")
	}
	digest, err := si.Octets(oidMessageDigest)
	if err != nil {
		return fmt.Errorf("reading messageDigest: %w", err)
	}
	if err := si.verify(cert.PublicKey, with, hash); err != nil {
		return err
	}
	if !bytes.Equal(contentType, encodeOID(s.ContentType)) {
		return fmt.Errorf("%w: another content type was signed", ErrDigest)
	}
	sum := hash.New()
	sum.Write(s.Content)
	if !bytes.Equal(digest, sum.Sum(nil)) {
		return ErrDigest
	}
	return nil
}

// scheme looks up the signature algorithm.
func (si *SignerInfo) scheme() (scheme, error) {
	for _, s := range schemes {
		if s.oid.Equal(si.Algorithm) {
			return s, nil
		}
	}
	return scheme{}, fmt.Errorf("%w: signature %v", ErrUnsupported, si.Algorithm)
}

// hash returns the digest of si, once it agrees with the signature algorithm and with policy.
func (si *SignerInfo) hash(with scheme, policy Policy) (crypto.Hash, error) {
	h, err := digestHash(si.Digest)
	if err != nil {
		return 0, err
	}
	for _, weak := range []crypto.Hash{h, with.hash} {
		if weak == crypto.MD5 || weak == crypto.SHA1 && !policy.SHA1 {
			return 0, fmt.Errorf("%w: %v", ErrWeak, weak)
		}
	}
	if with.hash != 0 && with.hash != h {
		return 0, fmt.Errorf("%w: digest %v with a signature over %v", ErrUnsupported, h, with.hash)
	}
	return h, nil
}

// verify checks the signature over the attributes. They are sorted when the signer was correct; if not, it may have signed
// what the standard says, or what it sent.
func (si *SignerInfo) verify(key crypto.PublicKey, with scheme, h crypto.Hash) error {
	check, err := si.checker(key, with, h)
	if err != nil {
		return err
	}
	sorted, err := sortSet(si.set)
	if err != nil {
		return err
	}
	if check(hashSet(h, sorted)) || !bytes.Equal(sorted, si.set) && check(hashSet(h, si.set)) {
		return nil
	}
	return ErrSignature
}

// checker returns the function that checks a signature over a hash with key.
func (si *SignerInfo) checker(key crypto.PublicKey, with scheme, h crypto.Hash) (func(sum []byte) bool, error) {
	switch key := key.(type) {
	case *rsa.PublicKey:
		if err := checkRSA(key); err != nil {
			return nil, err
		}
		if with.oid.Equal(oidPSS) {
			options, err := readPSS(si.params, h, key)
			return func(sum []byte) bool { return rsa.VerifyPSS(key, h, sum, si.Signature, options) == nil }, err
		}
		if with.key == x509.RSA {
			return func(sum []byte) bool { return rsa.VerifyPKCS1v15(key, h, sum, si.Signature) == nil }, nil
		}
	case *ecdsa.PublicKey:
		if with.key == x509.ECDSA {
			return func(sum []byte) bool { return ecdsa.VerifyASN1(key, sum, si.Signature) }, nil
		}
	default:
		return nil, fmt.Errorf("%w: verifying with %T", ErrUnsupported, key)
	}
	return nil, fmt.Errorf("%w: signature %v under %T", ErrSignature, si.Algorithm, key)
}

// checkRSA bounds the work that a key of unknown origin may cause.
func checkRSA(key *rsa.PublicKey) error {
	switch n := key.N.BitLen(); {
	case n < MinRSA:
		return fmt.Errorf("%w: RSA key of %d bits", ErrWeak, n)
	case n > MaxRSA:
		return fmt.Errorf("%w: RSA key of %d bits", ErrUnsupported, n)
	}
	return nil
}

// sortSet returns the content of a SET OF in DER order.
func sortSet(set []byte) ([]byte, error) {
	var elements [][]byte
	for s := cryptobyte.String(set); !s.Empty(); {
		var e cryptobyte.String
		if !s.ReadAnyASN1Element(&e, new(casn1.Tag)) {
			return nil, malformed("signed attributes")
		}
		elements = append(elements, e)
	}
	if slices.IsSortedFunc(elements, func(a, b []byte) int { return bytes.Compare(a, b) }) {
		return set, nil
	}
	return joinSorted(elements), nil
}
