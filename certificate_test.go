package newleaf

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/asn1"
	"math/big"
	"net"
	"net/url"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// issued makes a certificate signed by CA01, or by its own key where signer is nil.
func issued(t testing.TB, template x509.Certificate, subject string, key, signer crypto.Signer) []byte {
	t.Helper()
	template.RawSubject = mustSubject(t, subject)
	if template.NotBefore.IsZero() {
		template.NotBefore, template.NotAfter = noon, noon.Add(90*24*time.Hour)
	}
	if template.SerialNumber == nil {
		template.SerialNumber = big.NewInt(1)
	}
	parent := template
	if signer == nil {
		signer = key
	} else {
		parent.RawSubject = mustSubject(t, "CN=CA01,C=JP")
	}
	der, err := x509.CreateCertificate(rand.Reader, &template, &parent, key.Public(), signer)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

// keyFor makes a key of the kind; nothing here needs a strong one.
func keyFor(t testing.TB, kind string) (key crypto.Signer) {
	t.Helper()
	var err error
	switch kind {
	case "RSA":
		key, err = rsa.GenerateKey(rand.Reader, 1024)
	case "Ed25519":
		_, key, err = ed25519.GenerateKey(rand.Reader)
	case "P-384":
		key, err = ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	default:
		key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	}
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func mustSubject(t testing.TB, s string) []byte {
	t.Helper()
	der, err := MarshalSubject(s)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

func mustParse(t testing.TB, der []byte) Parsed {
	t.Helper()
	p, err := Parse(der)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestParse(t *testing.T) {
	key, ca := keyFor(t, "P-256"), keyFor(t, "P-256")
	uri, _ := url.Parse("urn:uuid:1")
	der := issued(t, x509.Certificate{
		SerialNumber: big.NewInt(0x0102030405), DNSNames: []string{"device001"}, IPAddresses: []net.IP{net.ParseIP("192.0.2.1"), net.ParseIP("2001:db8::1")},
		EmailAddresses: []string{"a@b.example"}, URIs: []*url.URL{uri},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}, UnknownExtKeyUsage: []asn1.ObjectIdentifier{{1, 3, 6, 1, 5, 5, 7, 3, 17}},
	}, "C=JP,O=ABC,OU=Dev.A,CN=Device001", key, ca)
	p := mustParse(t, der)
	if diff := cmp.Diff(Parsed{
		Subject: "CN=Device001,OU=Dev.A,O=ABC,C=JP", Issuer: "CN=CA01,C=JP",
		NotBefore: noon, NotAfter: noon.Add(90 * 24 * time.Hour),
		KeyAlgorithm: "ECDSA", KeyBits: 256, Serial: "0102030405", SHA1: p.SHA1, SHA256: p.SHA256,
		SAN: []string{"dns:device001", "ip:192.0.2.1", "ip:2001:db8::1", "email:a@b.example", "uri:urn:uuid:1"},
		EKU: []string{EKUServerAuth, EKUIPsecIKE},
	}, p); diff != "" {
		t.Error(diff)
	}
	t.Run("DM-26 the ID is that of the bytes", func(t *testing.T) {
		if id := IDOf(der); string(id) != p.SHA256 || len(id) != 64 || id.Short() != p.SHA256[:8] || ID("ab").Short() != "ab" {
			t.Error(id)
		}
	})
	t.Run("lists are [] when empty", func(t *testing.T) {
		if p := mustParse(t, issued(t, x509.Certificate{}, "CN=x", key, ca)); p.SAN == nil || p.EKU == nil {
			t.Errorf("%#v", p)
		}
	})
	t.Run("DM-13..15 keys", func(t *testing.T) {
		for kind, want := range map[string]string{"RSA": "RSA 1024", "P-384": "ECDSA 384", "Ed25519": "Ed25519 256"} {
			k := keyFor(t, kind)
			if p := mustParse(t, issued(t, x509.Certificate{}, "CN=x", k, nil)); p.KeyAlgorithm+" "+big.NewInt(int64(p.KeyBits)).String() != want {
				t.Error(want, p.KeyAlgorithm, p.KeyBits)
			}
		}
	})
	t.Run("F8-G5 every usage has its number", func(t *testing.T) {
		for u := x509.ExtKeyUsageAny; u <= x509.ExtKeyUsageMicrosoftKernelCodeSigning; u++ {
			got := ekuStrings(&x509.Certificate{ExtKeyUsage: []x509.ExtKeyUsage{u}})
			if got[0] != u.OID().String() {
				t.Errorf("%v is %s, want %s", u, got, u.OID())
			}
		}
	})
	t.Run("what is no certificate", func(t *testing.T) {
		for _, bad := range [][]byte{nil, {}, []byte("x"), der[:len(der)-1], append(bytes.Clone(der), 0)} {
			if _, err := Parse(bad); CodeOf(err) != CodeInvalid {
				t.Errorf("%d bytes: %v", len(bad), err)
			}
		}
	})
}

// TestAMB06 tells self-certificates: self-verifying, the key here, not brought.
func TestAMB06(t *testing.T) {
	key, ca := keyFor(t, "RSA"), keyFor(t, "P-256")
	self := mustParse(t, issued(t, x509.Certificate{}, "CN=x", key, nil))
	root := mustParse(t, issued(t, x509.Certificate{IsCA: true, BasicConstraintsValid: true}, "CN=root", key, nil))
	leaf := mustParse(t, issued(t, x509.Certificate{}, "CN=x", key, ca))
	namesake := mustParse(t, issued(t, x509.Certificate{}, "CN=CA01,C=JP", key, ca)) // subject = issuer, another key
	renamed := mustParse(t, issued(t, x509.Certificate{}, "CN=x", key, key))         // its own key under another's name
	for _, c := range []struct {
		name   string
		parsed Parsed
		origin Origin
		want   bool
	}{
		{"made by the device", self, Generated, true},
		{"made by the factory", self, Factory, true},
		{"imported", self, Imported, false},
		{"from an authority in the same binary", self, Enrolled, false},
		{"an unreadable record", self, Unknown, false},
		{"a CA's own, made here", root, Generated, true},
		{"an issued one", leaf, Factory, false},
		{"of an issuer with the same key", renamed, Generated, false},
		{"of an issuer of the same name", namesake, Generated, false},
	} {
		t.Run("AMB-06 "+c.name, func(t *testing.T) {
			cert := Certificate{Origin: c.origin, Parsed: c.parsed}
			if cert.SelfSigned() != c.want {
				t.Errorf("self-signed %v, verifies under its own key %v", !c.want, c.parsed.SelfVerified)
			}
		})
	}
	t.Run("a CA says so", func(t *testing.T) {
		if !root.IsCA || self.IsCA || leaf.IsCA {
			t.Error(root.IsCA, self.IsCA, leaf.IsCA)
		}
	})
}

func TestExpired(t *testing.T) {
	p := Parsed{NotBefore: noon, NotAfter: noon.Add(time.Hour)}
	if p.Expired(p.NotAfter) || !p.Expired(p.NotAfter.Add(1)) || p.Lifetime() != time.Hour {
		t.Error("TIM-42: valid until notAfter inclusive")
	}
}

// openssl runs the judge. Without it the test is skipped, unless
// NEWLEAF_PEERS=require promises that it is there.
func openssl(t *testing.T, stdin []byte, args ...string) string {
	t.Helper()
	path, err := exec.LookPath("openssl")
	if err != nil {
		if os.Getenv("NEWLEAF_PEERS") == "require" {
			t.Fatal(err)
		}
		t.Skip("openssl is not installed: ", err)
	}
	cmd := exec.Command(path, args...)
	cmd.Stdin, cmd.Stderr = bytes.NewReader(stdin), os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(args, err)
	}
	return string(out)
}

// TestParseOpenSSL compares what Parse reads with what openssl does (DM-09..17, DM-27).
func TestParseOpenSSL(t *testing.T) {
	key, ca := keyFor(t, "P-256"), keyFor(t, "P-256")
	serial := func(hex string) *big.Int { n, _ := new(big.Int).SetString(hex, 16); return n }
	for _, c := range []struct {
		name, subject, serial string
		notAfter              string
		signer                crypto.Signer
	}{
		{"Fig. 17", "C=JP,O=ABC,OU=Dev.A,CN=Device001", "0102030405", "2036-01-01T00:00:00Z", ca},
		{"20 bytes", "CN=x", "7fffffffffffffffffffffffffffffffffffffff", "2049-12-31T23:59:59Z", ca},
		{"a first bit that is set", "CN=x", "80", "2050-01-01T00:00:00Z", ca},
		{"half a byte", "CN=x", "0a", "9999-12-31T23:59:59Z", ca},
		{"a zero within", "CN=x", "100000", "2036-01-01T00:00:00Z", ca},
		{"every attribute", "C=JP,ST=Tokyo,L=Ota,STREET=1 Chome,POSTALCODE=146,DC=com,DC=example,O=A,O=B,OU=C,OU=D,CN=x,UID=u,SERIALNUMBER=7", "01", "2036-01-01T00:00:00Z", ca},
		{"special characters", `CN=\ a\,b\+c\"d\\e\<f\>g\;h=i/j\ ,O=\#1`, "01", "2036-01-01T00:00:00Z", ca},
		{"letters", "CN=プリンター,O=Bücher", "01", "2036-01-01T00:00:00Z", ca},
		{"no subject", "", "01", "2036-01-01T00:00:00Z", ca},
		{"its own", "C=JP,CN=Device001", "01", "2036-01-01T00:00:00Z", nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			der := issued(t, x509.Certificate{SerialNumber: serial(c.serial), NotBefore: noon, NotAfter: utc(c.notAfter)}, c.subject, key, c.signer)
			p := mustParse(t, der)
			ask := func(args ...string) string {
				out := openssl(t, der, append([]string{"x509", "-inform", "DER", "-noout", "-nameopt", "RFC2253,-esc_msb", "-dateopt", "iso_8601"}, args...)...)
				_, value, _ := strings.Cut(strings.TrimSuffix(out, "\n"), "=")
				return value
			}
			thumb := func(kind string) string {
				return strings.ToLower(strings.ReplaceAll(ask("-fingerprint", kind), ":", ""))
			}
			// openssl writes three short names in other letters; RFC 4514, 2.3 leaves the case open.
			names := strings.NewReplacer("street=", "STREET=", "postalCode=", "POSTALCODE=", "serialNumber=", "SERIALNUMBER=")
			instant := func(s string) string { return strings.Replace(s, " ", "T", 1) }
			for what, got := range map[string][2]string{
				"serial":    {p.Serial, strings.ToLower(ask("-serial"))},
				"sha1":      {p.SHA1, thumb("-sha1")},
				"sha256":    {p.SHA256, thumb("-sha256")},
				"subject":   {p.Subject, names.Replace(ask("-subject"))},
				"issuer":    {p.Issuer, names.Replace(ask("-issuer"))},
				"notBefore": {p.NotBefore.Format(time.RFC3339), instant(ask("-startdate"))},
				"notAfter":  {p.NotAfter.Format(time.RFC3339), instant(ask("-enddate"))},
			} {
				if got[0] != got[1] {
					t.Errorf("%s %q, openssl reads %q", what, got[0], got[1])
				}
			}
			if p.SelfVerified != (c.signer == nil) {
				t.Error("self-verified", p.SelfVerified)
			}
		})
	}
}

// FuzzParse: any bytes are read or refused, and what is read is the bytes' own.
func FuzzParse(f *testing.F) {
	for _, kind := range []string{"P-256", "Ed25519"} {
		key := keyFor(f, kind)
		f.Add(issued(f, x509.Certificate{DNSNames: []string{"a"}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}, "C=JP,CN=x", key, nil))
	}
	f.Add([]byte("0\x80"))
	f.Fuzz(func(t *testing.T, der []byte) {
		p, err := Parse(der)
		if err != nil {
			if CodeOf(err) != CodeInvalid || !cmp.Equal(p, Parsed{}) {
				t.Fatal(p, err)
			}
			return
		}
		if p.SHA256 != string(IDOf(der)) || len(p.Serial)%2 != 0 || p.Serial == "" || p.SAN == nil || p.EKU == nil || p.KeyAlgorithm == "" {
			t.Fatalf("%+v", p)
		}
		for _, k := range BuiltinKinds() {
			p.Fits(k)
		}
	})
}
