package ca

import (
	"crypto/rsa"
	"crypto/x509"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"newleaf"
	"newleaf/internal/enroll"
)

func TestIdentity(t *testing.T) {
	sign, encrypt := x509.KeyUsageDigitalSignature, x509.KeyUsageKeyEncipherment
	issue := x509.KeyUsageCertSign | x509.KeyUsageCRLSign
	for _, tt := range []struct {
		name              string
		options           Options
		issuer, from, at  x509.KeyUsage
		signer, recipient string
	}{
		{"p256 and one RA", Options{}, issue, sign | encrypt, sign | encrypt, "newleaf LAB CA RA", "newleaf LAB CA RA"},
		{"p256 and two RAs", Options{RA: RATwo, Dir: t.TempDir()}, issue, sign, encrypt, "newleaf LAB CA RA-sign", "newleaf LAB CA RA-encrypt"},
		{"rsa without RA", Options{Issuer: RSA, Dir: t.TempDir()}, issue | sign | encrypt, issue | sign | encrypt, issue | sign | encrypt, "newleaf LAB CA", "newleaf LAB CA"},
		{"rsa and one RA", Options{Issuer: RSA, RA: RAOne, Name: "CA01", Dir: t.TempDir()}, issue, sign | encrypt, sign | encrypt, "CA01 LAB RA", "CA01 LAB RA"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c, _ := open(t, tt.options)
			id := c.Identity()
			got := []any{id.Issuer.KeyUsage, id.Signer.KeyUsage, id.Recipient.KeyUsage, id.Signer.Subject.CommonName, id.Recipient.Subject.CommonName}
			if d := cmp.Diff([]any{tt.issuer, tt.from, tt.at, tt.signer, tt.recipient}, got); d != "" {
				t.Error(d)
			}
			if !id.Issuer.IsCA || id.Issuer.MaxPathLen != 0 || !id.Issuer.MaxPathLenZero || id.Issuer.CheckSignatureFrom(id.Issuer) != nil {
				t.Error("the issuer is not a self-signed CA of path length 0")
			}
			if !strings.Contains(id.Issuer.Subject.CommonName, "LAB") {
				t.Errorf("the issuer's name %q lacks LAB", id.Issuer.Subject.CommonName)
			}
			for _, ra := range []*x509.Certificate{id.Signer, id.Recipient} {
				checkRA(t, id, ra)
			}
			if _, ok := id.Decrypt.Public().(*rsa.PublicKey); !ok || !id.Recipient.PublicKey.(*rsa.PublicKey).Equal(id.Decrypt.Public()) {
				t.Error("the key that opens requests is not the recipient's RSA key")
			}
			if !id.Signer.PublicKey.(*rsa.PublicKey).Equal(id.Sign.Public()) {
				t.Error("the key that signs answers is not the signer's")
			}
			if f := id.Foreign.Certificate; f.CheckSignatureFrom(id.Issuer) == nil || f.Subject.String() != id.Signer.Subject.String() {
				t.Error("the stranger is not a stranger of the same name")
			}
			s := c.Sibling()
			if p, err := newleaf.Parse(s.Certificate.Raw); err != nil || s.Certificate.CheckSignatureFrom(id.Issuer) != nil || p.IsCA || slices.Contains(p.EKU, oidCMCRA.String()) {
				t.Errorf("the sibling is not an end entity of the issuer: %+v, %v", p, err)
			}
		})
	}
}

// checkRA wants a certificate of the issuer (or the issuer) with id-kp-cmcRA.
func checkRA(t *testing.T, id enroll.Identity, ra *x509.Certificate) {
	t.Helper()
	if ra.SerialNumber.Sign() <= 0 || ra.SerialNumber.BitLen() > 127 {
		t.Errorf("T3: serial %x", ra.SerialNumber)
	}
	if ra.Equal(id.Issuer) {
		return
	}
	if err := ra.CheckSignatureFrom(id.Issuer); err != nil || ra.IsCA {
		t.Errorf("%s: %v, CA %v", ra.Subject, err, ra.IsCA)
	}
	if len(ra.UnknownExtKeyUsage) != 1 || ra.UnknownExtKeyUsage[0].String() != "1.3.6.1.5.5.7.3.28" {
		t.Errorf("%s: extended key usage %v, want id-kp-cmcRA", ra.Subject, ra.UnknownExtKeyUsage)
	}
}

func TestRestartKeepsIdentityAndState(t *testing.T) {
	watch := newClock()
	o := Options{Dir: filepath.Join(t.TempDir(), "ca"), Challenge: "s", Next: true, Now: watch.now}
	c, _ := open(t, o)
	before := c.Identity()
	s := first(t, "t1", "s", newKey(t), "CN=a")
	certificate := issue(t, c, s)
	if _, err := Open(o); newleaf.CodeOf(err) != newleaf.CodeConflict {
		t.Errorf("a second process: %v, want a conflict", err)
	}
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}

	watch.pass(time.Hour)
	o.Next = false
	again, _ := open(t, o)
	after := again.Identity()
	for _, pair := range [][2]*x509.Certificate{{before.Issuer, after.Issuer}, {before.Signer, after.Signer},
		{before.Foreign.Certificate, after.Foreign.Certificate}, {before.Next[0], after.Next[0]},
		{c.Sibling().Certificate, again.Sibling().Certificate}} {
		if !pair[0].Equal(pair[1]) {
			t.Errorf("%s changed", pair[0].Subject)
		}
	}
	if got := issue(t, again, s); !got.Equal(certificate) {
		t.Error("the transaction is forgotten")
	}
	if found, err := again.Find(t.Context(), certificate.SerialNumber); err != nil || !found.Equal(certificate) {
		t.Errorf("Find = %v, %v", found, err)
	}
	if found, err := again.Find(t.Context(), newSerial()); err != nil || found != nil {
		t.Errorf("Find of nothing = %v, %v", found, err)
	}
	if err := again.Close(); err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(*Options){
		"issuer": func(o *Options) { o.Issuer = RSA }, "name": func(o *Options) { o.Name = "other LAB" },
		"issuer without RA": func(o *Options) { o.Issuer, o.RA = RSA, RANone },
	} {
		other := o
		change(&other)
		if _, err := Open(other); newleaf.CodeOf(err) != newleaf.CodeConflict {
			t.Errorf("restart with another %s: %v, want a conflict", name, err)
		}
	}
	checkModes(t, o.Dir)
}

func checkModes(t *testing.T, dir string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err == nil && info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s has mode %v", path, info.Mode())
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}

func TestNextIsAnotherKeyOfTheSameName(t *testing.T) {
	c, _ := open(t, Options{Next: true})
	next := c.Identity().Next
	if len(next) != 1 || next[0].Subject.String() != c.identity.Issuer.Subject.String() || next[0].CheckSignatureFrom(c.identity.Issuer) == nil {
		t.Errorf("next %v", next)
	}
	if plain, _ := open(t, Options{}); plain.Identity().Next != nil {
		t.Error("a rollover that was not announced")
	}
}

func TestOpenRefuses(t *testing.T) {
	for name, o := range map[string]Options{
		"no folder":           {Now: newClock().now},
		"no clock":            {Dir: t.TempDir()},
		"p256 without RA":     {Dir: t.TempDir(), Now: newClock().now, RA: RANone},
		"unknown issuer":      {Dir: t.TempDir(), Now: newClock().now, Issuer: "dsa"},
		"unknown RA":          {Dir: t.TempDir(), Now: newClock().now, RA: "three"},
		"unknown weakness":    {Dir: t.TempDir(), Now: newClock().now, Weak: []string{"md5"}},
		"unknown mischief":    {Dir: t.TempDir(), Now: newClock().now, Mischief: []string{"joke"}},
		"validity too short":  {Dir: t.TempDir(), Now: newClock().now, Validity: time.Millisecond},
		"validity too long":   {Dir: t.TempDir(), Now: newClock().now, Validity: 40 * 365 * day},
		"name of two lines":   {Dir: t.TempDir(), Now: newClock().now, Name: "a\nLAB"},
		"name without an end": {Dir: t.TempDir(), Now: newClock().now, Name: strings.Repeat("LAB", 30)},
	} {
		if _, err := Open(o); err == nil {
			t.Errorf("%s: opened", name)
		} else if entries, _ := os.ReadDir(o.Dir); len(entries) > 0 {
			t.Errorf("%s: left %v behind", name, entries)
		}
	}
}

func TestCredentialRefusesWhatDoesNotBelongTogether(t *testing.T) {
	c, _ := open(t, Options{})
	path := filepath.Join(t.TempDir(), "issuer.pem")
	if err := save(path, enroll.Credential{Certificate: c.identity.Issuer, Key: newKey(t)}); err != nil {
		t.Fatal(err)
	}
	if _, err := credential(path, nil); err == nil || !strings.Contains(err.Error(), "does not belong") {
		t.Errorf("credential = %v", err)
	}
}
