package cms

import (
	"crypto"
	"crypto/rsa"
	"fmt"

	"golang.org/x/crypto/cryptobyte"
	casn1 "golang.org/x/crypto/cryptobyte/asn1"
)

// readPSS reads RSASSA-PSS-params (RFC 4055 section 3.1). Both hashes must be h, the digest of the message.
func readPSS(params cryptobyte.String, h crypto.Hash, key *rsa.PublicKey) (*rsa.PSSOptions, error) {
	var seq cryptobyte.String
	if !params.ReadASN1(&seq, casn1.SEQUENCE) || !params.Empty() {
		return nil, malformed("RSASSA-PSS parameters")
	}
	hash, mgf, err := readHashes(&seq)
	if err != nil {
		return nil, fmt.Errorf("reading RSASSA-PSS parameters: %w", err)
	}
	var salt, trailer int
	if !seq.ReadOptionalASN1Integer(&salt, tag2.Constructed(), 20) ||
		!seq.ReadOptionalASN1Integer(&trailer, tag3.Constructed(), 1) || !seq.Empty() {
		return nil, malformed("RSASSA-PSS parameters")
	}
	if hash != h || mgf != h || trailer != 1 || salt < 0 || salt > key.Size() {
		return nil, fmt.Errorf("%w: RSASSA-PSS with %v, MGF1 with %v, salt of %d bytes", ErrUnsupported, hash, mgf, salt)
	}
	// A salt length of 0 means "any" to crypto/rsa; an empty salt verifies under it.
	return &rsa.PSSOptions{SaltLength: salt, Hash: h}, nil
}

// readOAEP reads RSAES-OAEP-params (RFC 4055 section 4.1). A label is not supported.
func readOAEP(params cryptobyte.String) (*rsa.OAEPOptions, error) {
	var seq, explicit cryptobyte.String
	var labeled bool
	if !params.ReadASN1(&seq, casn1.SEQUENCE) || !params.Empty() {
		return nil, malformed("RSAES-OAEP parameters")
	}
	hash, mgf, err := readHashes(&seq)
	if err != nil {
		return nil, fmt.Errorf("reading RSAES-OAEP parameters: %w", err)
	}
	if !seq.ReadOptionalASN1(&explicit, &labeled, tag2.Constructed()) || !seq.Empty() {
		return nil, malformed("RSAES-OAEP parameters")
	}
	if labeled {
		var source algorithm
		var label []byte
		if !readAlgorithm(&explicit, &source) || !explicit.Empty() || !source.oid.Equal(oidLabel) ||
			!source.params.ReadASN1Bytes(&label, casn1.OCTET_STRING) || !source.params.Empty() {
			return nil, malformed("RSAES-OAEP label")
		}
		if len(label) > 0 {
			return nil, fmt.Errorf("%w: RSAES-OAEP with a label", ErrUnsupported)
		}
	}
	return &rsa.OAEPOptions{Hash: hash, MGFHash: mgf}, nil
}

// readHashes reads the two fields with which both parameters begin: the hash, and MGF1 with its hash. Each is SHA-1 if absent.
func readHashes(seq *cryptobyte.String) (hash, mgf crypto.Hash, err error) {
	hash, mgf = crypto.SHA1, crypto.SHA1
	var explicit cryptobyte.String
	var a, inner algorithm
	var present bool
	if !seq.ReadOptionalASN1(&explicit, &present, tag0.Constructed()) ||
		present && (!readAlgorithm(&explicit, &a) || !explicit.Empty()) {
		return 0, 0, malformed("hash")
	}
	if present {
		if hash, err = digestHash(a.oid); err != nil {
			return 0, 0, err
		}
	}
	if !seq.ReadOptionalASN1(&explicit, &present, tag1.Constructed()) ||
		present && (!readAlgorithm(&explicit, &a) || !explicit.Empty()) {
		return 0, 0, malformed("mask generation function")
	}
	if present {
		if !a.oid.Equal(oidMGF1) {
			return 0, 0, fmt.Errorf("%w: mask generation function %v", ErrUnsupported, a.oid)
		}
		if !readAlgorithm(&a.params, &inner) || !a.params.Empty() {
			return 0, 0, malformed("MGF1 parameters")
		}
		if mgf, err = digestHash(inner.oid); err != nil {
			return 0, 0, err
		}
	}
	if hash == crypto.MD5 || mgf == crypto.MD5 {
		return 0, 0, fmt.Errorf("%w: %v", ErrWeak, crypto.MD5)
	}
	return hash, mgf, nil
}

// addOAEP writes the identifier of RSAES-OAEP with SHA-256 everywhere. It relies on no defaults and writes the parameters
// of SHA-256 as NULL: some peers insist on either.
func addOAEP(b *cryptobyte.Builder) {
	addHash := func(b *cryptobyte.Builder) { addAlgorithm(b, oidSHA256, addNull) }
	addAlgorithm(b, oidOAEP, func(b *cryptobyte.Builder) {
		b.AddASN1(casn1.SEQUENCE, func(b *cryptobyte.Builder) {
			b.AddASN1(tag0.Constructed(), addHash)
			b.AddASN1(tag1.Constructed(), func(b *cryptobyte.Builder) { addAlgorithm(b, oidMGF1, addHash) })
		})
	})
}
