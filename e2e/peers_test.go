package e2e_test

import (
	"crypto/x509"
	"encoding/pem"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// missing skips a test for want of something that is not ours; it fails it where
// NEWLEAF_PEERS=require promises that everything is there.
func missing(t testing.TB, why string) {
	t.Helper()
	if required() {
		t.Fatal(why)
	}
	t.Skip(why)
}

func required() bool { return os.Getenv("NEWLEAF_PEERS") == "require" }

// needs looks for a foreign program.
func needs(t testing.TB, program, debian string) {
	t.Helper()
	if _, err := exec.LookPath(program); err != nil {
		missing(t, program+" is not installed (Debian package "+debian+")")
	}
}

// micromdm is the path of one of its programs, scepclient or scepserver, which
// are kept in the user's cache. They are installed where they are required.
func micromdm(t testing.TB, program string) string {
	t.Helper()
	const version = "v2.3.0"
	cache, err := os.UserCacheDir()
	if err != nil {
		missing(t, "there is no folder for caches: "+err.Error())
	}
	dir := filepath.Join(cache, "newleaf-peers", "micromdm-scep-"+version)
	path := filepath.Join(dir, program)
	if _, err := os.Stat(path); err == nil {
		return path
	}
	if !required() {
		missing(t, program+" of micromdm is not installed (NEWLEAF_PEERS=require installs it)")
	}
	install := exec.Command("go", "install", "github.com/micromdm/scep/v2/cmd/"+program+"@"+version)
	install.Dir = t.TempDir()
	install.Env = append(os.Environ(), "GOBIN="+dir, "CGO_ENABLED=0", "GOFLAGS=")
	if out, err := install.CombinedOutput(); err != nil {
		t.Fatalf("installing %s: %v\n%s", program, err, out)
	}
	return path
}

// freeAddress is one on loopback that nobody listens at, for programs that
// cannot choose one.
func freeAddress(t testing.TB) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	return ln.Addr().String()
}

// readCertificate reads a PEM file.
func readCertificate(t testing.TB, path string) *x509.Certificate {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode(text)
	if block == nil {
		t.Fatalf("%s holds no PEM", path)
	}
	c, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// trusts checks that a certificate that a peer got was issued by a.
func (a *authority) trusts(c *x509.Certificate) {
	a.t.Helper()
	if err := c.CheckSignatureFrom(readCertificate(a.t, a.anchor())); err != nil {
		a.t.Errorf("the authority did not issue %s: %v", c.Subject, err)
	}
}

// commonNames lists the subjects of what a issued, newest first.
func (a *authority) commonNames() (out []string) {
	for _, i := range a.register() {
		name, _, _ := strings.Cut(strings.TrimPrefix(i.Subject, "CN="), ",")
		out = append(out, name)
	}
	return out
}
