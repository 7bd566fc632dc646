package newleaf

import (
	"encoding/asn1"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"unicode"
)

// FormatDN writes a DER name as RFC 4514 says, last component first. A value
// without a short name, or that is no string, is written in hex (2.4), and so is
// a name that cannot be read at all.
func FormatDN(raw []byte) string {
	var rdns []relativeSET
	if rest, err := asn1.Unmarshal(raw, &rdns); err != nil || len(rest) > 0 {
		return "#" + hex.EncodeToString(raw)
	}
	var out []string
	for _, rdn := range slices.Backward(rdns) {
		var set []string
		for _, av := range rdn {
			set = append(set, formatAttribute(av))
		}
		out = append(out, strings.Join(set, "+"))
	}
	return strings.Join(out, ",")
}

// relativeSET is pkix.RelativeDistinguishedNameSET with the values as they are;
// encoding/asn1 wants the three letters.
type relativeSET []typeAndValue

type typeAndValue struct {
	Type  asn1.ObjectIdentifier
	Value asn1.RawValue
}

func formatAttribute(av typeAndValue) string {
	var value any
	_, err := asn1.Unmarshal(av.Value.FullBytes, &value)
	text, ok := value.(string)
	i := slices.IndexFunc(attributes, func(a attribute) bool { return a.OID.Equal(av.Type) })
	switch {
	case i < 0:
		return av.Type.String() + "=#" + hex.EncodeToString(av.Value.FullBytes)
	case err != nil || !ok:
		return attributes[i].Names[0] + "=#" + hex.EncodeToString(av.Value.FullBytes)
	}
	return attributes[i].Names[0] + "=" + escapeDN(text)
}

// escapeDN protects what RFC 4514, 2.4 names, and writes control characters in
// hex, so that no name can play tricks on a terminal or a log.
func escapeDN(s string) string {
	var b strings.Builder
	for i, r := range s {
		switch {
		case unicode.IsControl(r):
			for _, c := range []byte(string(r)) {
				fmt.Fprintf(&b, `\%02X`, c)
			}
			continue
		case strings.ContainsRune(`"+,;<>\`, r), r == ' ' && (i == 0 || i == len(s)-1), r == '#' && i == 0:
			b.WriteByte('\\')
		}
		b.WriteRune(r)
	}
	return b.String()
}

// splitDN splits at commas and plus signs that no backslash protects.
func splitDN(s string) []string {
	var out []string
	start, escaped := 0, false
	for i := range len(s) {
		switch {
		case escaped:
			escaped = false
		case s[i] == '\\':
			escaped = true
		case s[i] == ',' || s[i] == '+':
			out = append(out, s[start:i])
			start = i + 1
		}
	}
	if rest := s[start:]; strings.TrimSpace(rest) != "" || len(out) > 0 {
		out = append(out, rest)
	}
	return out
}

// trimDN drops the spaces around a value, but not one that a backslash protects.
func trimDN(s string) string {
	const space = " \t\r\n"
	s = strings.TrimLeft(s, space)
	cut := strings.TrimRight(s, space)
	if slashes := len(cut) - len(strings.TrimRight(cut, `\`)); slashes%2 == 1 && len(cut) < len(s) {
		return s[:len(cut)+1]
	}
	return cut
}

// unescapeDN undoes RFC 4514, 2.4: a backslash before a special character or
// before two hex digits.
func unescapeDN(s string) string {
	if !strings.Contains(s, `\`) {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] != '\\' || i+1 == len(s) {
			b.WriteByte(s[i])
			continue
		}
		if i+2 < len(s) {
			if hi, lo := unhex(s[i+1]), unhex(s[i+2]); hi >= 0 && lo >= 0 {
				b.WriteByte(byte(hi<<4 | lo))
				i += 2
				continue
			}
		}
		i++
		b.WriteByte(s[i])
	}
	return b.String()
}

func unhex(c byte) int {
	switch {
	case '0' <= c && c <= '9':
		return int(c - '0')
	case 'a' <= c && c <= 'f':
		return int(c-'a') + 10
	case 'A' <= c && c <= 'F':
		return int(c-'A') + 10
	}
	return -1
}
