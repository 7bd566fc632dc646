package cms

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/asn1"
	"fmt"

	"golang.org/x/crypto/cryptobyte"
	casn1 "golang.org/x/crypto/cryptobyte/asn1"
)

// Signer is who signs a message.
type Signer struct {
	Certificate *x509.Certificate // names the signer by issuer and serial number
	Key         crypto.Signer     // RSA or ECDSA; must belong to Certificate
	Hash        crypto.Hash       // SHA-256 if zero; SHA-1 only in builds without the tag "device"
}

// Sign wraps content in a SignedData of version 1 with one signature over the signed attributes: contentType,
// messageDigest and attrs, sorted as DER asks. The content is present even when it has no bytes. certs are embedded in
// the given order; the signer's own certificate is not added by itself. The key is used once.
//
// An RSA signature is marked rsaEncryption (RFC 3370 section 3.2), which every known peer reads, whatever the hash.
func Sign(content []byte, s Signer, attrs []Attribute, certs []*x509.Certificate) ([]byte, error) {
	if s.Hash == 0 {
		s.Hash = crypto.SHA256
	}
	digest, sig, err := s.algorithms()
	if err != nil {
		return nil, err
	}
	set, err := signedAttributes(content, s.Hash, attrs)
	if err != nil {
		return nil, err
	}
	value, err := s.Key.Sign(rand.Reader, hashSet(s.Hash, set), s.Hash)
	if err != nil {
		return nil, fmt.Errorf("signing message: %w", err)
	}
	return encodeSigned(certs, nil, func(b *cryptobyte.Builder) {
		addAlgorithm(b, digest, nil)
	}, func(b *cryptobyte.Builder) {
		b.AddASN1(tag0.Constructed(), func(b *cryptobyte.Builder) { b.AddASN1OctetString(content) })
	}, func(b *cryptobyte.Builder) {
		b.AddASN1(casn1.SEQUENCE, func(b *cryptobyte.Builder) {
			b.AddASN1Int64(1)
			addIssuerAndSerial(b, s.Certificate)
			addAlgorithm(b, digest, nil)
			b.AddASN1(tag0.Constructed(), addRaw(set))
			if sig.Equal(oidRSA) {
				addAlgorithm(b, sig, addNull)
			} else {
				addAlgorithm(b, sig, nil)
			}
			b.AddASN1OctetString(value)
		})
	})
}

// Degenerate returns a SignedData without content and signers that carries certificates and CRLs (DER), in the given
// order: the certs-only message of RFC 8894 section 4 and RFC 7030 section 4.1.3.
func Degenerate(certs []*x509.Certificate, crls ...[]byte) ([]byte, error) {
	for i, crl := range crls {
		if !isSequence(crl) {
			return nil, fmt.Errorf("%w: CRL %d is not DER", ErrInvalid, i)
		}
	}
	return encodeSigned(certs, crls, addNothing, addNothing, addNothing)
}

// encodeSigned writes the frame that Sign and Degenerate share, with the functions for its variable parts.
func encodeSigned(certs []*x509.Certificate, crls [][]byte, digests, content, signers func(*cryptobyte.Builder)) ([]byte, error) {
	return encodeContentInfo(oidSignedData, func(b *cryptobyte.Builder) {
		b.AddASN1Int64(1)
		b.AddASN1(casn1.SET, digests)
		b.AddASN1(casn1.SEQUENCE, func(b *cryptobyte.Builder) {
			b.AddASN1ObjectIdentifier(oidData)
			content(b)
		})
		if len(certs) > 0 {
			b.AddASN1(tag0.Constructed(), func(b *cryptobyte.Builder) {
				for _, c := range certs {
					b.AddBytes(c.Raw)
				}
			})
		}
		if len(crls) > 0 {
			b.AddASN1(tag1.Constructed(), func(b *cryptobyte.Builder) {
				for _, crl := range crls {
					b.AddBytes(crl)
				}
			})
		}
		b.AddASN1(casn1.SET, signers)
	})
}

// algorithms returns the identifiers of the digest and of the signature.
func (s Signer) algorithms() (digest, sig asn1.ObjectIdentifier, err error) {
	if s.Certificate == nil || s.Key == nil {
		return nil, nil, fmt.Errorf("%w: signer without certificate or key", ErrInvalid)
	}
	if digest, err = digestOID(s.Hash); err != nil {
		return nil, nil, err
	}
	if s.Hash == crypto.MD5 || s.Hash == crypto.SHA1 && !writesSHA1 {
		return nil, nil, fmt.Errorf("%w: signing with %v", ErrWeak, s.Hash)
	}
	pub := s.Key.Public()
	switch pub.(type) {
	case *rsa.PublicKey:
		sig = oidRSA
	case *ecdsa.PublicKey:
		sig, err = signatureOID(x509.ECDSA, s.Hash)
	default:
		err = fmt.Errorf("%w: signing with %T", ErrUnsupported, pub)
	}
	if err == nil && !sameKey(pub, s.Certificate) {
		err = fmt.Errorf("%w: the key does not belong to the signer's certificate", ErrInvalid)
	}
	return digest, sig, err
}

// sameKey tells whether pub is the key that cert certifies.
func sameKey(pub crypto.PublicKey, cert *x509.Certificate) bool {
	k, ok := pub.(interface{ Equal(crypto.PublicKey) bool })
	return ok && k.Equal(cert.PublicKey)
}

// signedAttributes returns the content of the SET that is signed.
func signedAttributes(content []byte, h crypto.Hash, attrs []Attribute) ([]byte, error) {
	digest := h.New()
	digest.Write(content)
	all := append([]Attribute{
		{oidContentType, encodeOID(oidData)},
		OctetsAttribute(oidMessageDigest, digest.Sum(nil)),
	}, attrs...)
	for _, a := range all {
		if _, once := only(all, a.Type); !once {
			return nil, fmt.Errorf("%w: attribute %v twice", ErrInvalid, a.Type)
		}
	}
	set, ok := encodeAttributes(all)
	if !ok {
		return nil, fmt.Errorf("%w: an attribute without a value in DER", ErrInvalid)
	}
	return set, nil
}

// hashSet hashes the SET with the given content: what a signature covers (RFC 5652 section 5.4).
func hashSet(h crypto.Hash, set []byte) []byte {
	d := h.New()
	d.Write(appendHeader(nil, byte(casn1.SET), len(set)))
	d.Write(set)
	return d.Sum(nil)
}
