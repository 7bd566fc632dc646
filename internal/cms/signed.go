package cms

import (
	"crypto/x509"
	"encoding/asn1"
	"fmt"

	"golang.org/x/crypto/cryptobyte"
	casn1 "golang.org/x/crypto/cryptobyte/asn1"
)

// SignedData is a parsed message; nothing in it is trustworthy before [SignedData.Verify].
type SignedData struct {
	ContentType asn1.ObjectIdentifier
	// Content is nil when the message carries none, and empty but not nil when it carries zero bytes; Verify treats both alike.
	// For a detached signature the caller sets it before Verify.
	Content []byte
	// Certificates are those that crypto/x509 can parse, in the order of the message.
	Certificates []*x509.Certificate
	// RawCertificates is the DER of all X.509 certificates, also of those that crypto/x509 refuses (such as negative serials).
	RawCertificates [][]byte
	CRLs            [][]byte // DER
	Signers         []SignerInfo
}

// SignerInfo is one signature of a [SignedData].
type SignerInfo struct {
	CertificateID                       // of the signer
	Digest        asn1.ObjectIdentifier // digestAlgorithm
	Algorithm     asn1.ObjectIdentifier // signatureAlgorithm: rsaEncryption, sha256WithRSAEncryption, ...
	// Attributes are the signed ones; an attribute with several values appears once for each.
	Attributes []Attribute
	Signature  []byte

	params cryptobyte.String // of Algorithm
	set    []byte            // content of signedAttrs in DER, as sent; nil if absent
}

// The most items a message may carry, so that memory stays in proportion.
const (
	maxCertificates = 256
	maxCRLs         = 64
	maxSigners      = 16
)

// ParseSigned reads a ContentInfo with SignedData, in BER or DER, with or without signers.
// It checks form only and returns [ErrMalformed] or [ErrUnsupported].
func ParseSigned(ber []byte) (*SignedData, error) {
	oid, body, err := readContentInfo(ber)
	if err != nil {
		return nil, err
	}
	if !oid.Equal(oidSignedData) {
		return nil, malformed("content type %v instead of SignedData", oid)
	}
	s := new(SignedData)
	var version int
	var encap, certs, crls, signers cryptobyte.String
	if !body.ReadASN1Integer(&version) || !body.SkipASN1(casn1.SET) || !body.ReadASN1(&encap, casn1.SEQUENCE) ||
		!body.ReadOptionalASN1(&certs, nil, tag0.Constructed()) || !body.ReadOptionalASN1(&crls, nil, tag1.Constructed()) ||
		!body.ReadASN1(&signers, casn1.SET) || !body.Empty() {
		return nil, malformed("SignedData")
	}
	if err := s.readContent(encap); err != nil {
		return nil, err
	}
	if s.RawCertificates, err = readSequences(certs, maxCertificates, "certificates"); err != nil {
		return nil, err
	}
	if s.CRLs, err = readSequences(crls, maxCRLs, "CRLs"); err != nil {
		return nil, err
	}
	for _, raw := range s.RawCertificates {
		if c, err := x509.ParseCertificate(raw); err == nil {
			s.Certificates = append(s.Certificates, c)
		}
	}
	for !signers.Empty() {
		if len(s.Signers) == maxSigners {
			return nil, malformed("more than %d signers", maxSigners)
		}
		si, err := readSignerInfo(&signers)
		if err != nil {
			return nil, fmt.Errorf("reading signer %d: %w", len(s.Signers), err)
		}
		s.Signers = append(s.Signers, si)
	}
	return s, nil
}

// readContent reads EncapsulatedContentInfo.
func (s *SignedData) readContent(encap cryptobyte.String) error {
	var explicit cryptobyte.String
	var present bool
	if !encap.ReadASN1ObjectIdentifier(&s.ContentType) ||
		!encap.ReadOptionalASN1(&explicit, &present, tag0.Constructed()) || !encap.Empty() {
		return malformed("encapContentInfo")
	}
	if !present {
		return nil
	}
	if !explicit.ReadASN1Bytes(&s.Content, casn1.OCTET_STRING) || !explicit.Empty() {
		return malformed("eContent is not one OCTET STRING")
	}
	return nil
}

// readSequences returns the SEQUENCE elements of a SET of choices. The tagged choices (attribute certificates,
// other revocation formats) are skipped.
func readSequences(set cryptobyte.String, most int, what string) ([][]byte, error) {
	var list [][]byte
	for !set.Empty() {
		var e cryptobyte.String
		var tag casn1.Tag
		if !set.ReadAnyASN1Element(&e, &tag) {
			return nil, malformed("%s", what)
		}
		if tag != casn1.SEQUENCE {
			continue
		}
		if len(list) == most {
			return nil, malformed("more than %d %s", most, what)
		}
		list = append(list, e)
	}
	return list, nil
}

func readSignerInfo(s *cryptobyte.String) (si SignerInfo, err error) {
	var seq, set cryptobyte.String
	var version int
	var present, ok bool
	if !s.ReadASN1(&seq, casn1.SEQUENCE) || !seq.ReadASN1Integer(&version) {
		return si, malformed("SignerInfo")
	}
	if si.CertificateID, ok = readID(&seq); !ok {
		return si, malformed("signer identifier")
	}
	var digest, sig algorithm
	if !readAlgorithm(&seq, &digest) || !seq.ReadOptionalASN1(&set, &present, tag0.Constructed()) ||
		!readAlgorithm(&seq, &sig) || !seq.ReadASN1Bytes(&si.Signature, casn1.OCTET_STRING) ||
		!seq.SkipOptionalASN1(tag1.Constructed()) || !seq.Empty() {
		return si, malformed("SignerInfo")
	}
	si.Digest, si.Algorithm, si.params = digest.oid, sig.oid, sig.params
	if present {
		si.set = set
		si.Attributes, err = readAttributes(set)
	}
	return si, err
}

// Signer returns the only signer; [ErrMalformed] when there is none or more than one.
func (s *SignedData) Signer() (*SignerInfo, error) {
	if len(s.Signers) != 1 {
		return nil, malformed("%d signers instead of one", len(s.Signers))
	}
	return &s.Signers[0], nil
}

// Find returns the certificate that si names, from the message or else from also; nil when neither has it.
// The answer is a candidate: only Verify shows that its key made the signature, only the caller knows whether to trust it.
func (s *SignedData) Find(si *SignerInfo, also []*x509.Certificate) *x509.Certificate {
	for _, list := range [][]*x509.Certificate{s.Certificates, also} {
		for _, c := range list {
			if si.Names(c) {
				return c
			}
		}
	}
	return nil
}

// Attribute returns the DER of the value of the signed attribute oid; false unless there is exactly one.
func (si *SignerInfo) Attribute(oid asn1.ObjectIdentifier) ([]byte, bool) {
	a, ok := only(si.Attributes, oid)
	return a.Value, ok
}

// Text returns the signed attribute oid as a string; [ErrMalformed] if it is absent, repeated or no string.
func (si *SignerInfo) Text(oid asn1.ObjectIdentifier) (string, error) {
	a, ok := only(si.Attributes, oid)
	if !ok {
		return "", malformed("attribute %v absent or repeated", oid)
	}
	return a.Text()
}

// Octets returns the content of the signed attribute oid; [ErrMalformed] if it is absent, repeated or no OCTET STRING.
func (si *SignerInfo) Octets(oid asn1.ObjectIdentifier) ([]byte, error) {
	a, ok := only(si.Attributes, oid)
	if !ok {
		return nil, malformed("attribute %v absent or repeated", oid)
	}
	return a.Octets()
}
