package newleaf

import (
	"crypto/x509/pkix"
	"encoding/asn1"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

type attribute struct {
	Names []string
	OID   asn1.ObjectIdentifier
	Max   int
	Many  bool
}

// attributes is the table of subject attributes a request may carry: the six
// fields of Fig. 13A and what device profiles add. Its order is the order in
// the certificate; Max is the X.520 upper bound in characters (ISS-13).
var attributes = []attribute{
	{[]string{"C"}, asn1.ObjectIdentifier{2, 5, 4, 6}, 2, false},
	{[]string{"ST", "S"}, asn1.ObjectIdentifier{2, 5, 4, 8}, 128, false},
	{[]string{"L"}, asn1.ObjectIdentifier{2, 5, 4, 7}, 128, false},
	{[]string{"STREET"}, asn1.ObjectIdentifier{2, 5, 4, 9}, 128, false},
	{[]string{"POSTALCODE"}, asn1.ObjectIdentifier{2, 5, 4, 17}, 40, false},
	{[]string{"DC"}, asn1.ObjectIdentifier{0, 9, 2342, 19200300, 100, 1, 25}, 63, true},
	{[]string{"O"}, asn1.ObjectIdentifier{2, 5, 4, 10}, 64, true},
	{[]string{"OU"}, asn1.ObjectIdentifier{2, 5, 4, 11}, 64, true},
	{[]string{"CN"}, asn1.ObjectIdentifier{2, 5, 4, 3}, 64, false},
	{[]string{"UID"}, asn1.ObjectIdentifier{0, 9, 2342, 19200300, 100, 1, 1}, 256, false},
	{[]string{"SERIALNUMBER"}, asn1.ObjectIdentifier{2, 5, 4, 5}, 64, false},
}

// ParseSubject reads a distinguished name such as "C=JP,O=ABC,OU=DEV01,CN=Device001"
// (RFC 4514 escapes, either direction) and puts it into the conventional order
// C, ST, L, O, OU, CN, so that form, command line and API give the same bytes.
// Empty values are left out (ISS-12).
func ParseSubject(s string) (pkix.RDNSequence, error) {
	type part struct {
		rank int
		av   pkix.AttributeTypeAndValue
	}
	var parts []part
	seen := map[int]bool{}
	for _, piece := range splitDN(s) {
		key, value, ok := strings.Cut(piece, "=")
		key, value = strings.ToUpper(strings.TrimSpace(key)), unescapeDN(trimDN(value))
		if !ok {
			return nil, Errorf(CodeInvalid, "the subject part %q is not of the form NAME=value", piece)
		}
		rank := slices.IndexFunc(attributes, func(a attribute) bool { return slices.Contains(a.Names, key) })
		if rank < 0 {
			return nil, Errorf(CodeInvalid, "the subject attribute %q is not known", key).
				WithHint("Known are C, ST, L, O, OU, CN, SERIALNUMBER, UID, DC, STREET and POSTALCODE.")
		}
		if value == "" {
			continue
		}
		if err := checkAttribute(key, value, attributes[rank].Max); err != nil {
			return nil, err
		}
		if seen[rank] && !attributes[rank].Many {
			return nil, Errorf(CodeInvalid, "the subject has %s twice", key)
		}
		seen[rank] = true
		parts = append(parts, part{rank, pkix.AttributeTypeAndValue{Type: attributes[rank].OID, Value: value}})
	}
	// The direction decides the order of repeated OUs only: people type C first,
	// RFC 4514 writes the last component first.
	if n := len(parts); n > 0 && (parts[0].rank >= parts[n-1].rank || attributes[parts[0].rank].Names[0] == "CN") {
		slices.Reverse(parts)
	}
	slices.SortStableFunc(parts, func(a, b part) int { return a.rank - b.rank })
	out := pkix.RDNSequence{}
	for _, p := range parts {
		out = append(out, pkix.RelativeDistinguishedNameSET{p.av})
	}
	return out, nil
}

// MarshalSubject is the DER of ParseSubject. Go writes PrintableString where
// possible and UTF8String elsewhere, as RFC 5280, 4.1.2.4 asks.
func MarshalSubject(s string) ([]byte, error) {
	rdns, err := ParseSubject(s)
	if err != nil {
		return nil, err
	}
	der, err := asn1.Marshal(rdns)
	if err != nil {
		return nil, Errorf(CodeInvalid, "encoding the subject: %w", err)
	}
	return der, nil
}

// CommonName is the CN of a subject string, "" where it has none.
func CommonName(subject string) string {
	rdns, err := ParseSubject(subject)
	if err != nil {
		return ""
	}
	var name pkix.Name
	name.FillFromRDNSequence(&rdns)
	return name.CommonName
}

func checkAttribute(key, value string, most int) error {
	switch n := utf8.RuneCountInString(value); {
	case !utf8.ValidString(value) || strings.ContainsFunc(value, unicode.IsControl):
		return Errorf(CodeInvalid, "the subject's %s has characters that do not belong in a name", key)
	case n > most:
		return Errorf(CodeInvalid, "the subject's %s has %d characters, at most %d are allowed", key, n, most)
	case key == "C" && (n != 2 || strings.ContainsFunc(value, func(r rune) bool { return r < 'A' || r > 'Z' })):
		return Errorf(CodeInvalid, "the subject's country %q is not two capital letters", value)
	}
	return nil
}
