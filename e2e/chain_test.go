package e2e_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"path/filepath"
	"slices"
	"testing"
	"time"
)

// presented is the whole chain that HTTPS presents.
func (d *device) presented() (out [][]byte) {
	d.t.Helper()
	dialer := &tls.Dialer{Config: &tls.Config{InsecureSkipVerify: true}} // we look, we do not trust
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	conn, err := dialer.DialContext(ctx, "tcp", d.address)
	if err != nil {
		d.t.Fatalf("a TLS handshake with the device: %v", err)
	}
	defer conn.Close()
	for _, c := range conn.(*tls.Conn).ConnectionState().PeerCertificates {
		out = append(out, c.Raw)
	}
	return out
}

// TestChain imports two certificates of one intermediate. The chain belongs to
// each of them and to nobody else.
func TestChain(t *testing.T) {
	dir, whole := folder(t), t
	a := startAuthority(t, filepath.Join(dir, "ca"))
	d := newDevice(t, filepath.Join(dir, "device"))
	d.provision(connected(a))
	d.start()
	from, to := time.Now().AddDate(-1, 0, 0), time.Now().AddDate(5, 0, 0)
	root := newPair(t, nil, "Root", from, to)
	between := newCA(t, root, "Between", from, to)
	leaf := map[string]*pair{}
	for _, name := range []string{"Web", "Spare"} {
		leaf[name] = newPair(t, between, name, from, to)
		base := filepath.Join(dir, name)
		leaf[name].save(t, base)
		write(t, base+".pem", string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: leaf[name].certificate.Raw}))+
			string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: between.certificate.Raw}))+
			string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: root.certificate.Raw})))
		d.do("cert", "import", base+".pem", "--key-file", base+".key", "--name", name)
	}
	anchors := d.do("anchor", "list", "-o", "json")
	chained := func(t *testing.T, name string) {
		t.Helper()
		d.t = t
		want := [][]byte{leaf[name].certificate.Raw, between.certificate.Raw}
		if got := d.presented(); !slices.EqualFunc(got, want, bytes.Equal) {
			t.Errorf("HTTPS presents %d certificates, not %s and its intermediate", len(got), name)
		}
	}
	t.Run("DM-35 AMB-29 the chain is served with its leaf, and is no certificate of its own", func(t *testing.T) {
		d.t = t
		d.do("cert", "purpose", "Web", "tls")
		d.holds("Web:tls", "Spare")
		chained(t, "Web")
		if s := ask[struct{ Stored int }](d, "status"); s.Stored != 2 {
			t.Errorf("%d certificates are counted", s.Stored)
		}
		if shown := ask[struct{ Chain []string }](d, "cert", "show", "Web"); len(shown.Chain) != 1 {
			t.Errorf("the chain is shown as %q", shown.Chain)
		}
		if d.do("anchor", "list", "-o", "json") != anchors {
			t.Error("the import changed what the device trusts")
		}
		id := shaOf(between.certificate.Raw)
		d.refuses(1, `there is no certificate`, "", "cert", "delete", id, "--force")
		d.refuses(1, `there is no certificate`, "", "cert", "purpose", id, "tls")
		for _, v := range ask[[]verdict](d, "deletion", "plan", "--for", "tls", "--auto=yes", "--rules", "replaced,no-purpose,self,factory,expired") {
			if v.ID != d.named("Web").ID && v.ID != d.named("Spare").ID {
				t.Errorf("the plan judges %+v", v)
			}
		}
	})
	t.Run("DM-35 F19-G4 the deletion of another certificate leaves it", func(t *testing.T) {
		d.t = t
		d.do("cert", "delete", "Spare")
		chained(t, "Web")
		d.t = whole // a process ends with the test that started it
		d.restart()
		chained(t, "Web")
		if d.do("anchor", "list", "-o", "json") != anchors {
			t.Error("the deletion changed what the device trusts")
		}
	})
	t.Run("F19-G4 with its leaf it goes: certificate, chain, key and row", func(t *testing.T) {
		d.t = t
		d.do("deletion", "set", "--rules", "replaced", "--protect-imported=no")
		d.do(d.issuing("Xyz4", "tls")...)
		d.holds("Xyz4:tls")
		if got := d.presented(); len(got) == 0 || shaOf(got[0]) != d.named("Xyz4").SHA256 || slices.ContainsFunc(got, func(der []byte) bool { return bytes.Equal(der, between.certificate.Raw) }) {
			t.Errorf("HTTPS presents %d certificates", len(got))
		}
		if d.do("anchor", "list", "-o", "json") != anchors {
			t.Error("the deletion changed what the device trusts")
		}
		d.healthy()
	})
}

// newCA makes an intermediate that issuer signs.
func newCA(t testing.TB, issuer *pair, name string, from, to time.Time) *pair {
	t.Helper()
	p := newPair(t, issuer, name, from, to)
	template := *p.certificate
	template.IsCA, template.KeyUsage = true, x509.KeyUsageCertSign
	der, err := x509.CreateCertificate(rand.Reader, &template, issuer.certificate, &p.key.PublicKey, issuer.key)
	if err != nil {
		t.Fatal(err)
	}
	if p.certificate, err = x509.ParseCertificate(der); err != nil {
		t.Fatal(err)
	}
	return p
}
