package e2e_test

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// entry is a certificate of provision.toml.
type entry struct {
	name, origin string
	purposes     string // as "tls,ipsec"
	pinned       bool
	request      bool // it can be updated
	from, to     time.Time
}

// fx17A is the store of Fig. 17A with what makes deletion interesting: one
// certificate without purpose, one that expired, one that is pinned.
func fx17A() []entry {
	return []entry{
		{name: "Xyz1", origin: "enrolled", purposes: "tls", request: true},
		{name: "Xyz2", origin: "enrolled", purposes: "ipsec"},
		{name: "Xyz3", origin: "enrolled", purposes: "dot1x"},
		{name: "Old", origin: "enrolled"},
		{name: "Gone", origin: "enrolled", from: time.Now().AddDate(-2, 0, 0), to: time.Now().AddDate(0, -1, 0)},
		{name: "Bought", origin: "imported", pinned: true},
	}
}

// provision fills the store of d from a file that begins with head, and with
// certificates that a former authority issued.
func (d *device) provision(head string, entries ...entry) {
	d.t.Helper()
	dir := folder(d.t)
	var b strings.Builder
	fmt.Fprintf(&b, "lab = true\n%s\n", head)
	former := newPair(d.t, nil, "CA01", time.Now().AddDate(-5, 0, 0), time.Now().AddDate(10, 0, 0))
	for _, e := range entries {
		if e.to.IsZero() {
			e.from, e.to = time.Now().AddDate(-1, 0, 0), time.Now().AddDate(1, 0, 0)
		}
		newPair(d.t, former, "Device001", e.from, e.to).save(d.t, filepath.Join(dir, e.name))
		fmt.Fprintf(&b, "\n[[certificate]]\nname = %q\ncert = \"%[1]s.pem\"\nkey = \"%[1]s.key\"\norigin = %q\npurposes = %q\npinned = %t\n", e.name, e.origin, e.purposes, e.pinned)
		if e.request {
			b.WriteString("request = { key = \"rsa-1024\", subject = \"C=JP,O=ABC,OU=Dev.A,CN=Device001\" }\n")
		}
	}
	file := filepath.Join(dir, "provision.toml")
	write(d.t, file, b.String())
	must(d.t, "newleaf", "provision", "--state", d.dir, file)
}

// connected is the head of a provision.toml for a device that trusts a and
// deletes by all rules that reach what is unnecessary.
func connected(a *authority) string {
	return fmt.Sprintf(`[connection]
url = %q
[deletion]
auto = true
rules = ["replaced", "no-purpose", "expired"]
[[anchor]]
file = %q
`, a.url, a.anchor())
}

// issuing are the arguments of the issuance that Fig. 13A shows.
func (d *device) issuing(name, purpose string, more ...string) []string {
	return append([]string{"cert", "issue", "--name", name, "--key", "rsa-1024", "--subject", "C=JP,O=ABC,OU=DEV01,CN=Device001",
		"--purpose", purpose, "--password-file", filepath.Join(d.aside, "password")}, more...)
}

// lab17A is a device with the store of Fig. 17A beside an authority, both running.
func lab17A(t testing.TB, caArgs ...string) (*device, *authority) {
	t.Helper()
	dir := folder(t)
	a := startAuthority(t, filepath.Join(dir, "ca"), caArgs...)
	d := newDevice(t, filepath.Join(dir, "device"))
	d.provision(connected(a), fx17A()...)
	return d.start(), a
}

func write(t testing.TB, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// pair is a certificate with its key.
type pair struct {
	certificate *x509.Certificate
	key         *rsa.PrivateKey
}

// newPair makes a certificate that issuer signs, or a CA's own for nil. Keys
// have 1024 bits, as tests need many.
func newPair(t testing.TB, issuer *pair, name string, from, to time.Time) *pair {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 62))
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: serial, NotBefore: from, NotAfter: to,
		Subject:  pkix.Name{CommonName: name, OrganizationalUnit: []string{"Dev.A"}, Organization: []string{"ABC"}, Country: []string{"JP"}},
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageKeyEncipherment, BasicConstraintsValid: true}
	p := &pair{key: key}
	if issuer == nil {
		template.IsCA, template.KeyUsage = true, x509.KeyUsageCertSign
		issuer = &pair{template, key}
	}
	der, err := x509.CreateCertificate(rand.Reader, template, issuer.certificate, &key.PublicKey, issuer.key)
	if err != nil {
		t.Fatal(err)
	}
	if p.certificate, err = x509.ParseCertificate(der); err != nil {
		t.Fatal(err)
	}
	return p
}

// save writes base.pem and base.key.
func (p *pair) save(t testing.TB, base string) {
	t.Helper()
	pkcs8, err := x509.MarshalPKCS8PrivateKey(p.key)
	if err != nil {
		t.Fatal(err)
	}
	write(t, base+".pem", string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: p.certificate.Raw})))
	write(t, base+".key", string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8})))
}
