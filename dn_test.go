package newleaf

import (
	"encoding/asn1"
	"encoding/hex"
	"strings"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"
)

// rdn is one relative name with attributes as dotted number, tag and bytes.
type rdn []struct {
	OID   asn1.ObjectIdentifier
	Tag   int
	Value string
}

func marshalDN(t testing.TB, rdns ...rdn) []byte {
	t.Helper()
	var name []relativeSET
	for _, r := range rdns {
		set := relativeSET{}
		for _, a := range r {
			set = append(set, typeAndValue{a.OID, asn1.RawValue{Tag: a.Tag, Bytes: []byte(a.Value)}})
		}
		name = append(name, set)
	}
	der, err := asn1.Marshal(name)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

// TestFormatDN holds the examples of RFC 4514, section 4, and what Go and others
// write differently.
func TestFormatDN(t *testing.T) {
	oid := func(p ...int) asn1.ObjectIdentifier { return p }
	cn, ou, dc, uid := oid(2, 5, 4, 3), oid(2, 5, 4, 11), oid(0, 9, 2342, 19200300, 100, 1, 25), oid(0, 9, 2342, 19200300, 100, 1, 1)
	const utf8String, printable, ia5, t61, bmp, universal, octets = 12, 19, 22, 20, 30, 28, 4
	net, example := rdn{{dc, ia5, "net"}}, rdn{{dc, ia5, "example"}}
	for _, c := range []struct {
		name string
		der  []byte
		want string
	}{
		{"RFC 4514, 4 UID", marshalDN(t, net, example, rdn{{uid, utf8String, "jsmith"}}), "UID=jsmith,DC=example,DC=net"},
		{"RFC 4514, 4 two in one", marshalDN(t, net, example, rdn{{ou, utf8String, "Sales"}, {cn, utf8String, "J.  Smith"}}), "OU=Sales+CN=J.  Smith,DC=example,DC=net"},
		{"RFC 4514, 4 quotes", marshalDN(t, net, example, rdn{{cn, utf8String, `James "Jim" Smith, III`}}), `CN=James \"Jim\" Smith\, III,DC=example,DC=net`},
		{"RFC 4514, 4 a line break", marshalDN(t, net, example, rdn{{cn, utf8String, "Before\rAfter"}}), `CN=Before\0DAfter,DC=example,DC=net`},
		{"RFC 4514, 4 no short name", marshalDN(t, rdn{{oid(1, 3, 6, 1, 4, 1, 1466, 0), octets, "Hi"}}), "1.3.6.1.4.1.1466.0=#04024869"},
		{"RFC 4514, 4 letters", marshalDN(t, rdn{{cn, utf8String, "Lučić"}}), "CN=Lučić"},
		{"RFC 4514, 2.4 ends", marshalDN(t, rdn{{cn, utf8String, " # "}}), `CN=\ #\ `},
		{"RFC 4514, 2.4 a number sign first", marshalDN(t, rdn{{cn, utf8String, "#1"}}), `CN=\#1`},
		{"RFC 4514, 2.4 a single space", marshalDN(t, rdn{{cn, utf8String, " "}}), `CN=\ `},
		{"RFC 4514, 2.4 NUL", marshalDN(t, rdn{{cn, utf8String, "a\x00b"}}), `CN=a\00b`},
		{"RFC 4514, 2.4 no string", marshalDN(t, rdn{{cn, octets, "Hi"}}), "CN=#04024869"},
		{"RFC 4514, 2.4 a type that is rarely read", marshalDN(t, rdn{{cn, universal, "\x00\x00\x00A"}}), "CN=#1c0400000041"},
		{"a terminal's escape", marshalDN(t, rdn{{cn, utf8String, "\x1b[2J\u0085"}}), `CN=\1B[2J\C2\85`},
		{"Latin-1 of old authorities", marshalDN(t, rdn{{cn, t61, "M\xfcller"}}), "CN=Müller"},
		{"two-byte characters of others", marshalDN(t, rdn{{cn, bmp, "\x00A\x8a\x3c"}}), "CN=A証"},
		{"DM-12 Fig. 17", marshalDN(t, rdn{{oid(2, 5, 4, 6), printable, "JP"}}, rdn{{oid(2, 5, 4, 10), printable, "ABC"}}, rdn{{ou, printable, "Dev.A"}}, rdn{{cn, printable, "Device001"}}),
			"CN=Device001,OU=Dev.A,O=ABC,C=JP"},
		{"nothing", marshalDN(t), ""},
		{"no name", []byte("\x30\x05x"), "#300578"},
		{"bytes behind it", append(marshalDN(t, net), 0), "#" + hex.EncodeToString(append(marshalDN(t, net), 0))},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := FormatDN(c.der); got != c.want {
				t.Errorf("%s, want %s", got, c.want)
			}
		})
	}
}

// TestEscapeDN: whatever the value, it is read back, and can trick nobody.
func TestEscapeDN(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		value := rapid.StringOf(rapid.OneOf(rapid.Rune(), rapid.RuneFrom([]rune(` ,+"\<>;#=0aF`+"\x00\n\x7f")))).Draw(t, "value")
		text := escapeDN(value)
		if pieces := splitDN("CN=" + text + ",O=ABC"); len(pieces) != 2 {
			t.Fatalf("%q falls into %q", text, pieces)
		}
		if got := unescapeDN(trimDN("  " + text + " \n")); got != value {
			t.Fatalf("%q is written as %q and read as %q", value, text, got)
		}
	})
}

// FuzzFormatDN: any bytes make one line of text.
func FuzzFormatDN(f *testing.F) {
	for _, s := range []string{"C=JP,O=ABC,OU=DEV01,CN=Device001", "UID=a,DC=b,DC=c", ""} {
		der, err := MarshalSubject(s)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(der)
	}
	f.Add(marshalDN(f, rdn{{asn1.ObjectIdentifier{2, 5, 4, 3}, 12, "\x1b[2J,\n"}, {asn1.ObjectIdentifier{1, 2, 3}, 4, "x"}}))
	f.Add([]byte("\x30\x80"))
	f.Fuzz(func(t *testing.T, der []byte) {
		text := FormatDN(der)
		if !utf8.ValidString(text) || strings.ContainsFunc(text, func(r rune) bool { return r < ' ' || r == 0x7f }) {
			t.Fatalf("%x is written as %q", der, text)
		}
		if text != FormatDN(der) {
			t.Fatal("two texts for the same bytes")
		}
	})
}
