package cms

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"fmt"

	"golang.org/x/crypto/cryptobyte"
	casn1 "golang.org/x/crypto/cryptobyte/asn1"
)

// CertificateRequest is what a PKCS #10 request asks for.
type CertificateRequest struct {
	RawSubject []byte           // DER of the name, as it stands in an older certificate; wins over Subject
	Subject    pkix.Name        // used when RawSubject is nil
	Extensions []pkix.Extension // for the extensionRequest attribute; none if empty
	Challenge  string           // for the challengePassword attribute; none if empty
}

// CreateRequest returns the DER of a CertificationRequest (RFC 2986) for the public half of key, which signs exactly
// once: RSA with SHA-256, ECDSA with the hash of the curve's size, Ed25519. The challenge becomes a PrintableString where its
// alphabet suffices, else a UTF8String (RFC 2985 section 5.4.1).
func CreateRequest(r *CertificateRequest, key crypto.Signer) ([]byte, error) {
	info, err := r.encodeInfo(key.Public())
	if err != nil {
		return nil, err
	}
	oid, params, hash, err := requestAlgorithm(key.Public())
	if err != nil {
		return nil, err
	}
	signed := info
	if hash != 0 {
		h := hash.New()
		h.Write(info)
		signed = h.Sum(nil)
	}
	signature, err := key.Sign(rand.Reader, signed, hash)
	if err != nil {
		return nil, fmt.Errorf("signing request: %w", err)
	}
	var b cryptobyte.Builder
	b.AddASN1(casn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddBytes(info)
		addAlgorithm(b, oid, params)
		b.AddASN1BitString(signature)
	})
	return b.Bytes()
}

// encodeInfo returns the DER of the CertificationRequestInfo.
func (r *CertificateRequest) encodeInfo(pub crypto.PublicKey) ([]byte, error) {
	subject := r.RawSubject
	if subject == nil {
		var err error
		if subject, err = asn1.Marshal(r.Subject.ToRDNSequence()); err != nil {
			return nil, fmt.Errorf("%w: encoding subject: %w", ErrInvalid, err)
		}
	}
	if !isSequence(subject) {
		return nil, fmt.Errorf("%w: the subject is not DER", ErrInvalid)
	}
	spki, err := x509.MarshalPKIXPublicKey(pub)
	if err != nil {
		return nil, fmt.Errorf("%w: encoding public key: %w", ErrUnsupported, err)
	}
	attrs, err := r.encodeAttributes()
	if err != nil {
		return nil, err
	}
	var b cryptobyte.Builder
	b.AddASN1(casn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1Int64(0)
		b.AddBytes(subject)
		b.AddBytes(spki)
		b.AddASN1(tag0.Constructed(), addRaw(attrs))
	})
	return b.Bytes()
}

func (r *CertificateRequest) encodeAttributes() ([]byte, error) {
	var attrs []Attribute
	if r.Challenge != "" {
		attrs = append(attrs, TextAttribute(oidChallenge, r.Challenge))
	}
	if len(r.Extensions) > 0 {
		var b cryptobyte.Builder
		b.AddASN1(casn1.SEQUENCE, func(b *cryptobyte.Builder) {
			for _, e := range r.Extensions {
				addExtension(b, e)
			}
		})
		der, err := b.Bytes()
		if err != nil {
			return nil, fmt.Errorf("%w: encoding extensions: %w", ErrInvalid, err)
		}
		attrs = append(attrs, Attribute{oidExtensionRequest, der})
	}
	der, ok := encodeAttributes(attrs)
	if !ok {
		return nil, fmt.Errorf("%w: the challenge password is not UTF-8", ErrInvalid)
	}
	return der, nil
}

func addExtension(b *cryptobyte.Builder, e pkix.Extension) {
	b.AddASN1(casn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1ObjectIdentifier(e.Id)
		if e.Critical {
			b.AddASN1Boolean(true)
		}
		b.AddASN1OctetString(e.Value)
	})
}

// requestAlgorithm chooses how the request for pub is signed. A zero hash means that the key signs the message itself.
func requestAlgorithm(pub crypto.PublicKey) (oid asn1.ObjectIdentifier, params func(*cryptobyte.Builder), h crypto.Hash, err error) {
	switch pub := pub.(type) {
	case *rsa.PublicKey:
		oid, err = signatureOID(x509.RSA, crypto.SHA256)
		return oid, addNull, crypto.SHA256, err
	case *ecdsa.PublicKey:
		switch size := pub.Curve.Params().BitSize; {
		case size <= 256:
			h = crypto.SHA256
		case size <= 384:
			h = crypto.SHA384
		default:
			h = crypto.SHA512
		}
		oid, err = signatureOID(x509.ECDSA, h)
		return oid, nil, h, err
	case ed25519.PublicKey:
		return oidEd25519, nil, 0, nil
	}
	return nil, nil, 0, fmt.Errorf("%w: signing with %T", ErrUnsupported, pub)
}

// ParseChallenge returns the challengePassword of a parsed request and whether it has one. A repeated, many-valued or
// unreadable challenge is [ErrMalformed]. Only csr.RawTBSCertificateRequest is read; the signature is not checked.
func ParseChallenge(csr *x509.CertificateRequest) (challenge string, found bool, err error) {
	info := cryptobyte.String(csr.RawTBSCertificateRequest)
	var seq, set cryptobyte.String
	var version int
	if !info.ReadASN1(&seq, casn1.SEQUENCE) || !info.Empty() || !seq.ReadASN1Integer(&version) ||
		!seq.SkipASN1(casn1.SEQUENCE) || !seq.SkipASN1(casn1.SEQUENCE) ||
		!seq.ReadOptionalASN1(&set, nil, tag0.Constructed()) || !seq.Empty() {
		return "", false, malformed("CertificationRequestInfo")
	}
	attrs, err := readAttributes(set)
	if err != nil {
		return "", false, fmt.Errorf("reading request attributes: %w", err)
	}
	for _, a := range attrs {
		if !a.Type.Equal(oidChallenge) {
			continue
		}
		if found {
			return "", false, malformed("more than one challengePassword")
		}
		if challenge, err = a.Text(); err != nil {
			return "", false, err
		}
		found = true
	}
	return challenge, found, nil
}
