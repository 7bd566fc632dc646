package newleaf

import (
	"strings"
	"testing"
)

func TestParseSubject(t *testing.T) {
	for _, c := range []struct {
		name, subject string
		want          string // as FormatDN writes what was encoded
		says          string // "" is accepted
	}{
		{"ISS-05 Fig. 13A", "C=JP,O=ABC,OU=DEV01,CN=Device001", "CN=Device001,OU=DEV01,O=ABC,C=JP", ""},
		{"DM-12 the other direction is the same", "CN=Device001, OU=DEV01, O=ABC, C=JP", "CN=Device001,OU=DEV01,O=ABC,C=JP", ""},
		{"any order is the same", "O=ABC,CN=Device001,C=JP,OU=DEV01", "CN=Device001,OU=DEV01,O=ABC,C=JP", ""},
		{"ISS-07, ISS-08 all six", "C=JP,ST=Tokyo,L=Ota,O=ABC,OU=DEV01,CN=x", "CN=x,OU=DEV01,O=ABC,L=Ota,ST=Tokyo,C=JP", ""},
		{"ISS-12 empty fields", "C=JP,ST=,L= ,O=ABC,OU=,CN=x", "CN=x,O=ABC,C=JP", ""},
		{"ISS-12 nothing", "", "", ""},
		{"device profiles", "serialNumber=1,uid=u,cn=x,dc=com,postalCode=1,street=s,s=t",
			"SERIALNUMBER=1,UID=u,CN=x,DC=com,POSTALCODE=1,STREET=s,ST=t", ""},
		{"two units as people type them", "C=JP,OU=A,OU=B,CN=x", "CN=x,OU=B,OU=A,C=JP", ""},
		{"two units in the direction of RFC 4514", "CN=x,OU=B,OU=A,C=JP", "CN=x,OU=B,OU=A,C=JP", ""},
		{"two units and no common name, RFC 4514", "OU=B,OU=A,O=ABC", "OU=B,OU=A,O=ABC", ""},
		{"two units behind a serial number, RFC 4514", "SERIALNUMBER=1,CN=x,OU=B,OU=A", "SERIALNUMBER=1,CN=x,OU=B,OU=A", ""},
		{"two units, the common name first", "CN=x,OU=B,OU=A,SERIALNUMBER=1", "SERIALNUMBER=1,CN=x,OU=B,OU=A", ""},
		{"RFC 2247", "CN=x,DC=example,DC=com", "CN=x,DC=example,DC=com", ""},
		{"RFC 2247 alone", "DC=example,DC=com", "DC=example,DC=com", ""},
		{"a plus sign", "CN=x+OU=A", "CN=x,OU=A", ""},
		{"an escaped comma", `CN=Smith\, James,O=A\+B`, `CN=Smith\, James,O=A\+B`, ""},
		{"escaped bytes", `CN=Lu\C4\8Di\C4\87`, "CN=Lučić", ""},
		{"escaped spaces at the ends", `CN=\ x\ ,C=JP`, `CN=\ x\ ,C=JP`, ""},
		{"spaces that are not escaped", "CN =  x , C = JP", "CN=x,C=JP", ""},
		{"a backslash before the last space", `CN=x\\ ,C=JP`, `CN=x\\,C=JP`, ""},
		{"a file's line", "C=JP,CN=x\n", "CN=x,C=JP", ""},
		{"a space of another kind stays", "CN=\u00a0x", "CN=\u00a0x", ""},
		{"no equals sign", "C=JP,Device001", "", "NAME=value"},
		{"an empty part", "C=JP,,CN=x", "", "NAME=value"},
		{"an unknown attribute", "C=JP,FAX=1", "", `"FAX"`},
		{"an object identifier", "2.5.4.3=x", "", "not known"},
		{"twice the common name", "CN=a,CN=b", "", "CN twice"},
		{"ISS-06 lower case", "C=jp", "", "country"},
		{"ISS-06 one letter", "C=J", "", "country"},
		{"ISS-06 digits", "C=81", "", "country"},
		{"a control character", `CN=a\0Ab`, "", "CN has characters"},
		{"a tab", "CN=a\tb", "", "CN has characters"},
		{"no UTF-8", `CN=\FF`, "", "CN has characters"},
	} {
		t.Run(c.name, func(t *testing.T) {
			der, err := MarshalSubject(c.subject)
			checkInvalid(t, err, c.says)
			if got := FormatDN(der); err == nil && got != c.want {
				t.Errorf("%q, want %q", got, c.want)
			}
		})
	}
	for key, most := range map[string]int{"ST": 128, "L": 128, "O": 64, "OU": 64, "CN": 64, "SERIALNUMBER": 64, "DC": 63, "STREET": 128, "POSTALCODE": 40, "UID": 256} {
		t.Run("ISS-13 "+key, func(t *testing.T) {
			_, err := ParseSubject(key + "=" + strings.Repeat("é", most))
			checkInvalid(t, err, "")
			_, err = ParseSubject(key + "=" + strings.Repeat("é", most+1))
			checkInvalid(t, err, key+" has")
		})
	}
}

func TestCommonName(t *testing.T) {
	for subject, want := range map[string]string{
		"C=JP,CN=Device001": "Device001", `CN=a\,b`: "a,b", "C=JP": "", "": "", "nonsense": "", "FAX=1,CN=x": "",
	} {
		if got := CommonName(subject); got != want {
			t.Errorf("ISS-11 %q has CN %q, want %q", subject, got, want)
		}
	}
}

// FuzzParseSubject: what is accepted is written so that it is read as the same
// bytes again, and then as the same text.
func FuzzParseSubject(f *testing.F) {
	for _, s := range []string{"C=JP,O=ABC,OU=DEV01,CN=Device001", `CN=\ a\,b\+c\"d\\e\<f\>g\;h\#i=j\ `, `CN=\#1,OU=A,OU=B,SERIALNUMBER=7`,
		"DC=example,DC=com", `CN=x\`, `O=\C3\A9\20`, "CN=\u00a0", "OU=A,OU=B", "UID=a+DC=b,", "=", `CN=\`, `CN=x\\ `} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		der, err := MarshalSubject(s)
		if err != nil {
			if CodeOf(err) != CodeInvalid {
				t.Fatal(err)
			}
			return
		}
		text := FormatDN(der)
		again, err := MarshalSubject(text)
		if err != nil || string(again) != string(der) {
			t.Fatalf("%q is written as %q and read as %x, not %x: %v", s, text, again, der, err)
		}
		if CommonName(s) != CommonName(text) {
			t.Fatalf("%q and %q have different common names", s, text)
		}
	})
}
