package e2e_test

import (
	"net"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// Both programs of micromdm know DES and SHA-1 only, whatever is offered to
// them, and the client encrypts to every certificate it is shown, so it needs an
// RSA issuer without RA.

func TestMicromdmClient(t *testing.T) {
	client := micromdm(t, "scepclient")
	enroll := func(t *testing.T, a *authority, dir, name string) outcome {
		cmd := []string{"-server-url", a.url, "-private-key", filepath.Join(dir, "key.pem"), "-certificate", filepath.Join(dir, "cert.pem"),
			"-challenge", password, "-organization", "Lab", "-country", "JP", "-cn", name, "-dnsname", name + ".lab"}
		return runProgram(t, "env", append([]string{"-C", dir, client}, cmd...)...) // it writes into its folder
	}
	t.Run("ENT-04 ENT-05 micromdm scepclient gets a certificate from newleaf ca", func(t *testing.T) {
		t.Parallel()
		a, dir := startAuthority(t, folder(t), "--weak", "des,sha1", "--issuer", "rsa"), folder(t)
		if o := enroll(t, a, dir, "mm1"); o.code != 0 {
			t.Fatalf("exit status %d\n%s%s", o.code, o.stdout, o.stderr)
		}
		c := readCertificate(t, filepath.Join(dir, "cert.pem"))
		a.trusts(c)
		if c.Subject.CommonName != "mm1" || !slices.Contains(c.DNSNames, "mm1.lab") {
			t.Errorf("the certificate is for %s, %q", c.Subject, c.DNSNames)
		}
	})
	t.Run("contract weak algorithms: without --weak it is refused", func(t *testing.T) {
		t.Parallel()
		a, dir := startAuthority(t, folder(t), "--issuer", "rsa"), folder(t)
		if o := enroll(t, a, dir, "mm1"); o.code == 0 {
			t.Error("it got a certificate by DES and SHA-1")
		}
		if n := len(a.register()); n != 0 {
			t.Errorf("%d certificates were issued", n)
		}
	})
}

func TestMicromdmServer(t *testing.T) {
	server := micromdm(t, "scepserver")
	dir := folder(t)
	depot, address := filepath.Join(dir, "depot"), freeAddress(t)
	must(t, server, "ca", "-init", "-depot", depot, "-common_name", "Lab micromdm CA", "-keySize", "2048")
	p := launch(t, server, "-depot", depot, "-http-addr", address, "-challenge", password, "-allowrenew", "0", "-crtvalid", "30", "-sign-server-attrs")
	eventually(t, "scepserver listens", func() bool {
		c, err := net.Dial("tcp", address)
		if err == nil {
			_ = c.Close()
		}
		return err == nil || !p.running()
	})
	ca := readCertificate(t, filepath.Join(depot, "ca.pem"))
	d := newDevice(t, filepath.Join(dir, "device"))
	d.provision("[deletion]\nauto = true\nrules = [\"replaced\"]\n", fx17A()...)
	d.start()

	t.Run("contract weak algorithms: refused and said why until they are allowed", func(t *testing.T) {
		d.t = t
		d.do("connection", "set", "--url", "http://"+address+"/scep")
		d.do("anchor", "fetch", "--thumbprint", thumbprint(ca.Raw))
		d.refuses(1, `renewal 1 has failed: .*`, "--weak", d.issuing("Xyz4", "tls")...)
		d.unharmed()
	})
	t.Run("CLM-1d CLM-1g F19-G7 the device gets, uses and proves a certificate of micromdm scepserver", func(t *testing.T) {
		d.t = t
		d.do("connection", "set", "--weak", "des,sha1")
		d.do(d.issuing("Xyz5", "tls")...)
		d.holds("Xyz2:ipsec", "Xyz3:dot1x", "Old", "Gone", "Bought", "Xyz5:tls")
		der, err := exec.Command("newleaf", "--state", d.dir, "cert", "export", "Xyz5", "--format", "der").Output()
		if err != nil {
			t.Fatal(err)
		}
		if seen := d.handshake(); seen != thumbprint(der) {
			t.Errorf("HTTPS serves %.8s", seen)
		}
	})
	t.Run("T8 contract keep-password: the next one, for which this authority wants the password again", func(t *testing.T) {
		d.t = t
		if o := d.cli("update", "run", "Xyz5"); o.code != 1 || !strings.Contains(o.stderr, "Check the password") {
			t.Errorf("without a password exit status %d\n%s", o.code, o.stderr)
		}
		d.holds("Xyz2:ipsec", "Xyz3:dot1x", "Old", "Gone", "Bought", "Xyz5:tls")
		d.do("connection", "set", "--keep-password=yes")
		d.do(d.issuing("Xyz6", "tls")...)
		d.do("update", "run", "Xyz6")
		d.holds("Xyz2:ipsec", "Xyz3:dot1x", "Old", "Gone", "Bought", "Xyz6-2:tls")
	})
}
