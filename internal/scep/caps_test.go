package scep

import (
	"crypto"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"newleaf"
	"newleaf/internal/cms"
	"newleaf/internal/enroll"
)

func TestReadCaps(t *testing.T) {
	standard := enroll.Capabilities{POST: true, Ciphers: []string{aes128}, Hashes: []string{"sha256"}, AsReceived: []string{"SCEPStandard"}}
	for name, test := range map[string]struct {
		body string
		want enroll.Capabilities
	}{
		"RFC 8894 3.5.2":     {"SCEPStandard\n", standard},
		"no newline":         {"SCEPStandard", standard},
		"Q22 CRLF, any case": {"\r\nscepSTANDARD\r\n", enroll.Capabilities{POST: true, Ciphers: []string{aes128}, Hashes: []string{"sha256"}, AsReceived: []string{"scepSTANDARD"}}},
		"micromdm": {"Renewal\nSHA-1\nSHA-256\nAES\nDES3\nSCEPStandard\nPOSTPKIOperation", enroll.Capabilities{
			Renewal: true, POST: true, Ciphers: []string{aes128, tripleDES}, Hashes: []string{"sha256", "sha1"},
			AsReceived: []string{"Renewal", "SHA-1", "SHA-256", "AES", "DES3", "SCEPStandard", "POSTPKIOperation"},
		}},
		"NDES": {"POSTPKIOperation Renewal SHA-512 SHA-256 SHA-1 DES3", enroll.Capabilities{
			Renewal: true, POST: true, Ciphers: []string{tripleDES}, Hashes: []string{"sha512", "sha256", "sha1"},
			AsReceived: []string{"POSTPKIOperation", "Renewal", "SHA-512", "SHA-256", "SHA-1", "DES3"},
		}},
		"best first": {"AES\nAES-256\nSHA-256\nSHA-384\nSHA-512\nGetNextCACert", enroll.Capabilities{
			NextCA: true, Ciphers: []string{aes256, aes128}, Hashes: []string{"sha512", "sha384", "sha256"},
			AsReceived: []string{"AES", "AES-256", "SHA-256", "SHA-384", "SHA-512", "GetNextCACert"},
		}},
		"unknown words":   {"Renewal Frobnicate", enroll.Capabilities{Renewal: true, AsReceived: []string{"Renewal", "Frobnicate"}}},
		"Q4 nothing":      {"", enroll.Capabilities{Unknown: true}},
		"Q4 none known":   {"not supported", enroll.Capabilities{Unknown: true, AsReceived: []string{"not", "supported"}}},
		"Q4 web page":     {" <html> AES Renewal", enroll.Capabilities{Unknown: true}},
		"Q4 binary":       {"AES\x00Renewal", enroll.Capabilities{Unknown: true}},
		"control letters": {"AES \x01\x02", enroll.Capabilities{Ciphers: []string{aes128}, AsReceived: []string{"AES"}}},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(test.want, readCaps([]byte(test.body))); diff != "" {
				t.Error(diff)
			}
		})
	}
	if got := readCaps([]byte(strings.Repeat("AES ", 1000))); len(got.AsReceived) != maxWords {
		t.Errorf("%d words kept", len(got.AsReceived))
	}
}

// TestCapabilities: an authority that has no answer is Unknown; one that cannot
// be reached is an error.
func TestCapabilities(t *testing.T) {
	l := newLab("one")
	for _, m := range []enroll.Mischief{{Status: 404}, {Garbage: true}, {Empty: true}, {Endless: true}} {
		l.misbehave("GetCACaps", m)
		s := serve(t, NewServer(l, ServerOptions{}))
		caps, err := dial(t, s.URL).Capabilities(t.Context())
		if err != nil || !caps.Unknown {
			t.Errorf("%+v: got %+v, %v", m, caps, err)
		}
		a, err := dial(t, s.URL).Send(t.Context(), first(l, "device"))
		if err != nil || a.Status != enroll.Issued || s.asked("PKIOperation")[0].method != "GET" || !strings.Contains(strings.Join(a.Notes, " "), "GetCACaps") {
			t.Errorf("%+v: got %v, %q, %v", m, a.Status, a.Notes, err)
		}
	}
	l.misbehave("GetCACaps", enroll.Mischief{Reset: true})
	_, err := dial(t, serve(t, NewServer(l, ServerOptions{})).URL).Capabilities(t.Context())
	wantCode(t, err, newleaf.CodeInterrupted)
}

func TestWriteCaps(t *testing.T) {
	l := newLab("one")
	if got, want := writeCaps(l.id), "POSTPKIOperation\nSCEPStandard\nAES\nSHA-256\nSHA-384\nSHA-512\nRenewal\n"; got != want {
		t.Errorf("got %q", got)
	}
	l.id.Next, l.id.Weak = nonNil(l.id.Issuer), []string{"3des", "des", "sha1"}
	if got, want := writeCaps(l.id), "POSTPKIOperation\nSCEPStandard\nAES\nSHA-256\nSHA-384\nSHA-512\nRenewal\nGetNextCACert\nDES3\nSHA-1\n"; got != want {
		t.Errorf("got %q", got)
	}
}

func TestChoose(t *testing.T) {
	all := []newleaf.Weak{newleaf.Weak3DES, newleaf.WeakDES, newleaf.WeakSHA1}
	for _, test := range []struct {
		caps   string
		weak   []newleaf.Weak
		cipher cms.Cipher
		hash   crypto.Hash
		code   newleaf.Code
	}{
		{"AES SHA-256 DES3 SHA-1", all, cms.AES128CBC, crypto.SHA256, ""},
		{"AES AES-256 SHA-256 SHA-512", nil, cms.AES256CBC, crypto.SHA512, ""},
		{"AES SHA-384 SHA-256", nil, cms.AES128CBC, crypto.SHA384, ""},
		{"AES SHA-1", all, cms.AES128CBC, crypto.SHA256, ""},
		{"DES3 SHA-512", []newleaf.Weak{newleaf.Weak3DES}, cms.TripleDESCBC, crypto.SHA512, ""},
		{"DES3 SHA-256", []newleaf.Weak{newleaf.WeakDES, newleaf.WeakSHA1}, 0, 0, newleaf.CodeWeak},
		{"Renewal", all, cms.AES128CBC, crypto.SHA256, ""},
		{"", nil, cms.AES128CBC, crypto.SHA256, ""},
		{"", all, cms.TripleDESCBC, crypto.SHA256, ""},
	} {
		c := newleaf.NewConnection("x")
		c.Weak = test.weak
		cipher, hash, err := choose(readCaps([]byte(test.caps)), c)
		if cipher != test.cipher || hash != test.hash || newleaf.CodeOf(err) != test.code {
			t.Errorf("%q with %q: got %v, %v, %v", test.caps, test.weak, cipher, hash, err)
		}
	}
}
