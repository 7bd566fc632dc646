package cms

import (
	"bytes"
	"encoding/asn1"
	"slices"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"golang.org/x/crypto/cryptobyte"
	casn1 "golang.org/x/crypto/cryptobyte/asn1"
)

// Attribute is one signed attribute with its single value (RFC 5652 section 5.3).
type Attribute struct {
	Type  asn1.ObjectIdentifier
	Value []byte // DER of the one value
}

// TextAttribute is an attribute whose value is s, as PrintableString where its alphabet suffices, else UTF8String.
// Its Value is nil if s is not UTF-8.
func TextAttribute(oid asn1.ObjectIdentifier, s string) Attribute {
	return Attribute{Type: oid, Value: encodeText(s)}
}

// OctetsAttribute is an attribute whose value is the OCTET STRING b.
func OctetsAttribute(oid asn1.ObjectIdentifier, b []byte) Attribute {
	return Attribute{Type: oid, Value: append(appendHeader(nil, tagOctets, len(b)), b...)}
}

// Text returns the value as a string; [ErrMalformed] unless it is one of the string types of DirectoryString or IA5String.
func (a Attribute) Text() (string, error) {
	if s, ok := decodeText(a.Value); ok {
		return s, nil
	}
	return "", malformed("attribute %v is no text", a.Type)
}

// Octets returns the content of the value; [ErrMalformed] unless it is an OCTET STRING.
func (a Attribute) Octets() ([]byte, error) {
	var b []byte
	if s := cryptobyte.String(a.Value); s.ReadASN1Bytes(&b, casn1.OCTET_STRING) && s.Empty() {
		return b, nil
	}
	return nil, malformed("attribute %v is no OCTET STRING", a.Type)
}

// maxAttributes bounds the values in one set of attributes.
const maxAttributes = 64

// readAttributes reads the content of a SET OF Attribute. Types too long for crypto libraries (some arcs hold UUIDs) are
// skipped: nobody can ask for them.
func readAttributes(s cryptobyte.String) ([]Attribute, error) {
	var attrs []Attribute
	for !s.Empty() {
		var seq, oid, values cryptobyte.String
		if !s.ReadASN1(&seq, casn1.SEQUENCE) || !seq.ReadASN1Element(&oid, casn1.OBJECT_IDENTIFIER) ||
			!seq.ReadASN1(&values, casn1.SET) || !seq.Empty() || values.Empty() {
			return nil, malformed("attribute %d", len(attrs))
		}
		var a Attribute
		known := oid.ReadASN1ObjectIdentifier(&a.Type)
		for !values.Empty() {
			var v cryptobyte.String
			if !values.ReadAnyASN1Element(&v, new(casn1.Tag)) {
				return nil, malformed("value of attribute %v", a.Type)
			}
			a.Value = v
			if known {
				attrs = append(attrs, a)
			}
			if len(attrs) > maxAttributes {
				return nil, malformed("more than %d attributes", maxAttributes)
			}
		}
	}
	return attrs, nil
}

// only returns the attribute oid of attrs; false unless there is exactly one.
func only(attrs []Attribute, oid asn1.ObjectIdentifier) (a Attribute, found bool) {
	for _, b := range attrs {
		if !b.Type.Equal(oid) {
			continue
		}
		if found {
			return Attribute{}, false
		}
		a, found = b, true
	}
	return a, found
}

// encodeAttributes returns the content of a SET OF Attribute in DER order; false if an attribute cannot be encoded.
func encodeAttributes(attrs []Attribute) ([]byte, bool) {
	encoded := make([][]byte, 0, len(attrs))
	for _, a := range attrs {
		if v := cryptobyte.String(a.Value); !v.ReadAnyASN1(new(cryptobyte.String), new(casn1.Tag)) || !v.Empty() {
			return nil, false
		}
		var b cryptobyte.Builder
		b.AddASN1(casn1.SEQUENCE, func(b *cryptobyte.Builder) {
			b.AddASN1ObjectIdentifier(a.Type)
			b.AddASN1(casn1.SET, addRaw(a.Value))
		})
		der, err := b.Bytes()
		if err != nil {
			return nil, false
		}
		encoded = append(encoded, der)
	}
	return joinSorted(encoded), true
}

// joinSorted concatenates the elements of a SET OF in the order of DER (X.690 section 11.6). One encoding is never the
// prefix of another, so plain comparison gives that order.
func joinSorted(elements [][]byte) []byte {
	slices.SortFunc(elements, bytes.Compare)
	return bytes.Join(elements, nil)
}

// encodeText returns the DER of s as the simplest string type, nil if s is not UTF-8.
func encodeText(s string) []byte {
	tag := byte(casn1.PrintableString)
	for _, r := range s {
		alnum := 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9'
		if !alnum && !strings.ContainsRune(" '()+,-./:=?", r) {
			tag = byte(casn1.UTF8String)
			break
		}
	}
	if !utf8.ValidString(s) {
		return nil
	}
	return append(appendHeader(nil, tag, len(s)), s...)
}

const tagBMPString = casn1.Tag(30)

// decodeText reads DER of one string. Its alphabet is checked no further than its encoding needs: peers write '_' and '@' in
// PrintableString.
func decodeText(der []byte) (string, bool) {
	var b cryptobyte.String
	var tag casn1.Tag
	if s := cryptobyte.String(der); !s.ReadAnyASN1(&b, &tag) || !s.Empty() {
		return "", false
	}
	switch tag {
	case casn1.UTF8String:
		return string(b), utf8.Valid(b)
	case casn1.PrintableString, casn1.IA5String:
		return string(b), bytes.IndexFunc(b, func(r rune) bool { return r >= 0x80 }) < 0
	case casn1.T61String: // in practice Latin-1
		runes := make([]rune, len(b))
		for i, c := range b {
			runes[i] = rune(c)
		}
		return string(runes), true
	case tagBMPString:
		units := make([]uint16, len(b)/2)
		for i := range units {
			units[i] = uint16(b[2*i])<<8 | uint16(b[2*i+1])
		}
		return string(utf16.Decode(units)), len(b)%2 == 0
	}
	return "", false
}
