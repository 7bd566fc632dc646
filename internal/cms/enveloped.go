package cms

import (
	"encoding/asn1"
	"fmt"

	"golang.org/x/crypto/cryptobyte"
	casn1 "golang.org/x/crypto/cryptobyte/asn1"
)

// Enveloped is a parsed EnvelopedData or AuthEnvelopedData.
type Enveloped struct {
	ContentType asn1.ObjectIdentifier // of the encrypted content
	Cipher      Cipher
	Recipients  []Recipient // those addressed by key transport

	iv     []byte
	sealed []byte // for GCM followed by the tag
	tag    int    // bytes of the GCM tag
	aad    []byte // DER of the authenticated attributes, nil if none
}

// Recipient is one recipient of an [Enveloped] that is addressed by key transport (RFC 5652 section 6.2.1).
type Recipient struct {
	CertificateID
	Algorithm asn1.ObjectIdentifier // rsaEncryption or id-RSAES-OAEP

	params  cryptobyte.String // of Algorithm
	wrapped []byte
}

const maxRecipients = 64

// ParseEnveloped reads a ContentInfo with EnvelopedData or AuthEnvelopedData, in BER or DER. It checks form only and
// returns [ErrMalformed], or [ErrUnsupported] when the content cipher is unknown.
func ParseEnveloped(ber []byte) (*Enveloped, error) {
	oid, body, err := readContentInfo(ber)
	if err != nil {
		return nil, err
	}
	auth := oid.Equal(oidAuthEnveloped)
	if !auth && !oid.Equal(oidEnvelopedData) {
		return nil, malformed("content type %v instead of EnvelopedData", oid)
	}
	e := new(Enveloped)
	var version int
	var recipients, encrypted cryptobyte.String
	if !body.ReadASN1Integer(&version) || !body.SkipOptionalASN1(tag0.Constructed()) ||
		!body.ReadASN1(&recipients, casn1.SET) || !body.ReadASN1(&encrypted, casn1.SEQUENCE) {
		return nil, malformed("EnvelopedData")
	}
	if e.Recipients, err = readRecipients(recipients); err != nil {
		return nil, err
	}
	if err := e.readEncrypted(encrypted); err != nil {
		return nil, err
	}
	if auth != suites[e.Cipher].gcm {
		return nil, malformed("%v in content type %v", e.Cipher, oid)
	}
	if !auth {
		// Unprotected attributes may follow.
		if !body.SkipOptionalASN1(tag1.Constructed()) || !body.Empty() {
			return nil, malformed("EnvelopedData")
		}
		return e, nil
	}
	return e, e.readTag(body)
}

func readRecipients(set cryptobyte.String) ([]Recipient, error) {
	var list []Recipient
	for n := 0; !set.Empty(); n++ {
		if n == maxRecipients {
			return nil, malformed("more than %d recipients", maxRecipients)
		}
		if !set.PeekASN1Tag(casn1.SEQUENCE) {
			// Key agreement and the other kinds are tagged.
			if !set.ReadAnyASN1(new(cryptobyte.String), new(casn1.Tag)) {
				return nil, malformed("recipient %d", n)
			}
			continue
		}
		var seq cryptobyte.String
		var version int
		var r Recipient
		var a algorithm
		var ok bool
		if !set.ReadASN1(&seq, casn1.SEQUENCE) || !seq.ReadASN1Integer(&version) {
			return nil, malformed("recipient %d", n)
		}
		if r.CertificateID, ok = readID(&seq); !ok {
			return nil, malformed("identifier of recipient %d", n)
		}
		if !readAlgorithm(&seq, &a) || !seq.ReadASN1Bytes(&r.wrapped, casn1.OCTET_STRING) || !seq.Empty() {
			return nil, malformed("recipient %d", n)
		}
		r.Algorithm, r.params = a.oid, a.params
		list = append(list, r)
	}
	return list, nil
}

// readEncrypted reads EncryptedContentInfo. Its content is [0] IMPLICIT OCTET STRING, of which Normalize could not know
// that the segments belong together.
func (e *Enveloped) readEncrypted(s cryptobyte.String) error {
	var a algorithm
	if !s.ReadASN1ObjectIdentifier(&e.ContentType) || !readAlgorithm(&s, &a) {
		return malformed("EncryptedContentInfo")
	}
	var err error
	if e.Cipher, e.iv, e.tag, err = readCipher(a); err != nil {
		return fmt.Errorf("reading cipher: %w", err)
	}
	var segments cryptobyte.String
	var segmented bool
	if !s.ReadOptionalASN1(&segments, &segmented, tag0.Constructed()) ||
		!segmented && !s.ReadASN1Bytes(&e.sealed, tag0) || !s.Empty() {
		return malformed("encryptedContent")
	}
	for !segments.Empty() {
		var segment cryptobyte.String
		if !segments.ReadASN1(&segment, casn1.OCTET_STRING) {
			return malformed("segment of encryptedContent")
		}
		e.sealed = append(e.sealed, segment...)
	}
	if s := suites[e.Cipher]; !s.gcm && (len(e.sealed) == 0 || len(e.sealed)%s.block != 0) {
		return malformed("%d bytes of %v are no whole blocks", len(e.sealed), e.Cipher)
	}
	return nil
}

// readTag reads what follows the content of AuthEnvelopedData: authenticated attributes, mac, unauthenticated attributes
// (RFC 5083 section 2.1). The attributes are authenticated as a SET.
func (e *Enveloped) readTag(s cryptobyte.String) error {
	var attrs cryptobyte.String
	var present bool
	var tag []byte
	if !s.ReadOptionalASN1(&attrs, &present, tag1.Constructed()) || !s.ReadASN1Bytes(&tag, casn1.OCTET_STRING) ||
		!s.SkipOptionalASN1(tag2.Constructed()) || !s.Empty() {
		return malformed("AuthEnvelopedData")
	}
	if len(tag) != e.tag {
		return malformed("tag of %d bytes instead of %d", len(tag), e.tag)
	}
	if present {
		e.aad = append(appendHeader(nil, byte(casn1.SET), len(attrs)), attrs...)
	}
	e.sealed = append(e.sealed[:len(e.sealed):len(e.sealed)], tag...)
	return nil
}
