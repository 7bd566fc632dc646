package ca

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"net"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"newleaf"
	"newleaf/internal/enroll"
)

// start is when the tests begin; a whole second, as certificates know no less.
var start = time.Date(2027, 3, 1, 4, 0, 0, 0, time.UTC)

// clock is a settable time.
type clock struct{ nanoseconds atomic.Int64 }

func newClock() *clock {
	c := &clock{}
	c.nanoseconds.Store(start.UnixNano())
	return c
}

func (c *clock) now() time.Time       { return time.Unix(0, c.nanoseconds.Load()).UTC() }
func (c *clock) pass(d time.Duration) { c.nanoseconds.Add(int64(d)) }

// made are the PEM files of an authority: making RSA keys is what takes time.
var made = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "newleaf-ca")
	if err != nil {
		return "", err
	}
	c, err := Open(Options{Dir: dir, Now: newClock().now})
	if err != nil {
		return "", err
	}
	if err := c.Close(); err != nil {
		return "", err
	}
	return dir, os.Remove(filepath.Join(dir, "ca.db"))
})

func TestMain(m *testing.M) {
	code := m.Run()
	if dir, err := made(); err == nil {
		_ = os.RemoveAll(dir)
	}
	os.Exit(code)
}

// open starts an authority that ends with the test. Without a folder it gets a
// fresh store; its keys are shared by all tests.
func open(t testing.TB, o Options) (*CA, *clock) {
	t.Helper()
	watch := newClock()
	if o.Now == nil {
		o.Now = watch.now
	}
	if o.Dir == "" {
		from, err := made()
		if err != nil {
			t.Fatal(err)
		}
		o.Dir = t.TempDir()
		if err := os.CopyFS(o.Dir, os.DirFS(from)); err != nil {
			t.Fatal(err)
		}
	}
	c, err := Open(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c, watch
}

func newKey(t testing.TB) crypto.Signer {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// csr makes a request as a device does, for the names dns.
func csr(t testing.TB, key crypto.Signer, subject string, dns ...string) *x509.CertificateRequest {
	t.Helper()
	raw, err := newleaf.MarshalSubject(subject)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.CertificateRequest{RawSubject: raw, DNSNames: dns}
	if len(dns) > 0 {
		template.IPAddresses = []net.IP{net.IPv4(192, 0, 2, 1)}
	}
	der, err := x509.CreateCertificateRequest(rand.Reader, template, key)
	if err != nil {
		t.Fatal(err)
	}
	r, err := x509.ParseCertificateRequest(der)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// selfSigned is the certificate a first SCEP message is signed with.
func selfSigned(t testing.TB, key crypto.Signer, subject pkix.Name) *x509.Certificate {
	t.Helper()
	template := &x509.Certificate{SerialNumber: newSerial(), Subject: subject, NotBefore: start, NotAfter: start.Add(time.Hour), PublicKey: key.Public()}
	c, err := sign(template, template, key)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// first is a first request with a challenge.
func first(t testing.TB, transaction, challenge string, key crypto.Signer, subject string, dns ...string) enroll.Submission {
	t.Helper()
	r := csr(t, key, subject, dns...)
	return enroll.Submission{
		Protocol: "scep", TransactionID: transaction, CSR: r, Challenge: challenge,
		Signer: selfSigned(t, key, r.Subject), Peer: "127.0.0.1:1",
	}
}

// renewal is a request signed by a certificate that was issued.
func renewal(t testing.TB, transaction string, signer *x509.Certificate, key crypto.Signer, subject string, dns ...string) enroll.Submission {
	t.Helper()
	return enroll.Submission{
		Protocol: "scep", TransactionID: transaction, CSR: csr(t, key, subject, dns...),
		Signer: signer, Renewal: true, Peer: "127.0.0.1:1",
	}
}

func decide(t testing.TB, c *CA, s enroll.Submission) enroll.Decision {
	t.Helper()
	d, err := c.Decide(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// issue is decide where nothing but a certificate will do.
func issue(t testing.TB, c *CA, s enroll.Submission) *x509.Certificate {
	t.Helper()
	d := decide(t, c, s)
	if d.Status != enroll.Issued || d.Certificate == nil {
		t.Fatalf("decision %s (%s %s), want a certificate", d.Status, d.FailInfo, d.Reason)
	}
	return d.Certificate
}
