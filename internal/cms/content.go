package cms

import (
	"bytes"
	"crypto/x509"
	"encoding/asn1"
	"math/big"

	"golang.org/x/crypto/cryptobyte"
	casn1 "golang.org/x/crypto/cryptobyte/asn1"
)

var (
	tag0 = casn1.Tag(0).ContextSpecific()
	tag1 = casn1.Tag(1).ContextSpecific()
	tag2 = casn1.Tag(2).ContextSpecific()
	tag3 = casn1.Tag(3).ContextSpecific()
)

// readContentInfo normalizes ber and returns its content type and the element inside (RFC 5652 section 3).
func readContentInfo(ber []byte) (oid asn1.ObjectIdentifier, content cryptobyte.String, err error) {
	der, err := Normalize(ber)
	if err != nil {
		return nil, nil, err
	}
	var info, explicit cryptobyte.String
	if s := cryptobyte.String(der); !s.ReadASN1(&info, casn1.SEQUENCE) ||
		!info.ReadASN1ObjectIdentifier(&oid) ||
		!info.ReadASN1(&explicit, tag0.Constructed()) || !info.Empty() ||
		!explicit.ReadASN1(&content, casn1.SEQUENCE) || !explicit.Empty() {
		return nil, nil, malformed("ContentInfo")
	}
	return oid, content, nil
}

// encodeContentInfo writes a ContentInfo around the SEQUENCE that content fills.
func encodeContentInfo(oid asn1.ObjectIdentifier, content func(*cryptobyte.Builder)) ([]byte, error) {
	var b cryptobyte.Builder
	b.AddASN1(casn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1ObjectIdentifier(oid)
		b.AddASN1(tag0.Constructed(), func(b *cryptobyte.Builder) { b.AddASN1(casn1.SEQUENCE, content) })
	})
	return b.Bytes()
}

// CertificateID points at a certificate (RFC 5652 sections 5.3 and 6.2.1), either by Issuer and Serial or by SubjectKeyID.
type CertificateID struct {
	Issuer       []byte   // DER of the name
	Serial       *big.Int // nil if SubjectKeyID is used
	SubjectKeyID []byte
}

// Names tells whether id is that of cert.
func (id CertificateID) Names(cert *x509.Certificate) bool {
	if id.Serial == nil {
		return len(id.SubjectKeyID) > 0 && bytes.Equal(id.SubjectKeyID, cert.SubjectKeyId)
	}
	return id.Serial.Cmp(cert.SerialNumber) == 0 && bytes.Equal(id.Issuer, cert.RawIssuer)
}

// maxSerial bounds the bytes of a serial number; RFC 5280 section 4.1.2.2 allows 20.
const maxSerial = 64

// readID reads a SignerIdentifier or RecipientIdentifier. The serial number is read as unsigned: some peers leave out the
// leading zero byte of a positive one.
func readID(s *cryptobyte.String) (id CertificateID, ok bool) {
	if s.PeekASN1Tag(tag0) {
		return id, s.ReadASN1Bytes(&id.SubjectKeyID, tag0)
	}
	var seq, issuer, serial cryptobyte.String
	if !s.ReadASN1(&seq, casn1.SEQUENCE) || !seq.ReadASN1Element(&issuer, casn1.SEQUENCE) ||
		!seq.ReadASN1(&serial, casn1.INTEGER) || !seq.Empty() || len(serial) == 0 || len(serial) > maxSerial {
		return id, false
	}
	return CertificateID{Issuer: issuer, Serial: new(big.Int).SetBytes(serial)}, true
}

func addIssuerAndSerial(b *cryptobyte.Builder, cert *x509.Certificate) {
	b.AddASN1(casn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddBytes(cert.RawIssuer)
		b.AddASN1BigInt(cert.SerialNumber)
	})
}

// isSequence tells whether der is one SEQUENCE and nothing else.
func isSequence(der []byte) bool {
	s := cryptobyte.String(der)
	return s.SkipASN1(casn1.SEQUENCE) && s.Empty()
}

// encodeOID returns the DER of one of our own identifiers.
func encodeOID(oid asn1.ObjectIdentifier) []byte {
	var b cryptobyte.Builder
	b.AddASN1ObjectIdentifier(oid)
	return b.BytesOrPanic()
}

// addRaw returns a function that writes raw bytes, for the nested calls of a Builder.
func addRaw(raw []byte) func(*cryptobyte.Builder) {
	return func(b *cryptobyte.Builder) { b.AddBytes(raw) }
}

func addNull(b *cryptobyte.Builder) { b.AddASN1NULL() }

func addNothing(*cryptobyte.Builder) {}
