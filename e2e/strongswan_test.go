package e2e_test

import (
	"crypto/x509"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// strongSwan's pki, as Debian has it, with its own defaults.
type strongswan struct {
	t   *testing.T
	a   *authority
	dir string
	key string
}

func newStrongswan(t *testing.T, caArgs ...string) *strongswan {
	t.Helper()
	needs(t, "pki", "strongswan-pki, libstrongswan-standard-plugins, libstrongswan-extra-plugins")
	s := &strongswan{t: t, a: startAuthority(t, folder(t), caArgs...), dir: folder(t)}
	s.key = filepath.Join(s.dir, "one.key")
	newPair(t, nil, "unused", day("2026-01-01"), day("2027-01-01")).save(t, filepath.Join(s.dir, "one"))
	return s
}

// authorities runs --scepca and tells which certificate is for what.
func (s *strongswan) authorities() (root, encrypt, sign string) {
	s.t.Helper()
	ca := filepath.Join(s.dir, "ca.pem")
	must(s.t, "pki", "--scepca", "--url", s.a.url, "--caout", ca, "--raout", filepath.Join(s.dir, "ra.pem"), "--outform", "pem", "--force")
	if !readCertificate(s.t, ca).Equal(readCertificate(s.t, s.a.anchor())) {
		s.t.Error("--scepca wrote another CA certificate")
	}
	ras, err := filepath.Glob(filepath.Join(s.dir, "ra*.pem"))
	if err != nil {
		s.t.Fatal(err)
	}
	root, encrypt, sign = ca, ca, ca
	for _, file := range ras {
		use := readCertificate(s.t, file).KeyUsage
		if use&x509.KeyUsageKeyEncipherment != 0 {
			encrypt = file
		}
		if use&x509.KeyUsageDigitalSignature != 0 {
			sign = file
		}
	}
	return root, encrypt, sign
}

// enroll runs --scep and returns the certificate's file.
func (s *strongswan) enroll(name string, more ...string) string {
	s.t.Helper()
	root, encrypt, sign := s.authorities()
	text := must(s.t, "pki", append([]string{"--scep", "--url", s.a.url, "--in", s.key, "--dn", "C=JP, O=Lab, CN=" + name, "--san", name + ".lab",
		"--cacert-enc", encrypt, "--cacert-sig", sign, "--cacert", root, "--interval", "1", "--maxpolltime", "50", "--outform", "pem"}, more...)...)
	file := filepath.Join(s.dir, name+".pem")
	write(s.t, file, text)
	c := readCertificate(s.t, file)
	s.a.trusts(c)
	if c.Subject.CommonName != name || !slices.Contains(c.DNSNames, name+".lab") {
		s.t.Errorf("the certificate is for %s, %q", c.Subject, c.DNSNames)
	}
	return file
}

func TestStrongswan(t *testing.T) {
	for _, ra := range []struct{ kind, issuer string }{{"one", "p256"}, {"two", "p256"}, {"one", "rsa"}, {"two", "rsa"}, {"none", "rsa"}} {
		t.Run("T1 T2 T3 pki --scepca and --scep with a "+ra.issuer+" issuer, --ra "+ra.kind, func(t *testing.T) {
			t.Parallel()
			s := newStrongswan(t, "--ra", ra.kind, "--issuer", ra.issuer)
			s.enroll("ss1", "--password", password)
			if got := s.a.commonNames(); !slices.Equal(got, []string{"ss1"}) {
				t.Errorf("the authority issued %q", got)
			}
		})
	}
	t.Run("RFC 8894 3.3.1.2 pki renews with the certificate it has", func(t *testing.T) {
		t.Parallel()
		s := newStrongswan(t)
		first := s.enroll("ss1", "--password", password)
		old := s.key
		newPair(t, nil, "unused", day("2026-01-01"), day("2027-01-01")).save(t, filepath.Join(s.dir, "two"))
		s.key = filepath.Join(s.dir, "two.key")
		serial := readCertificate(t, first).SerialNumber
		if next := readCertificate(t, s.enroll("ss1", "--cert", first, "--key", old)); next.SerialNumber.Cmp(serial) == 0 {
			t.Error("it is the same certificate")
		}
	})
	t.Run("T7 pki polls while a person decides", func(t *testing.T) {
		t.Parallel()
		s := newStrongswan(t, "--approve")
		approved := make(chan string, 1)
		go func() {
			for {
				waiting := decode[[]decided](t, s.a.get("pending"))
				asked := slices.ContainsFunc(s.a.requests(), func(r decided) bool { return r.Operation == "poll" })
				if len(waiting) == 1 && asked {
					s.a.post("approve", `{"transactionId": "`+waiting[0].TransactionID+`"}`)
					approved <- waiting[0].Subject
					return
				}
			}
		}()
		s.enroll("ss1", "--password", password)
		if subject := <-approved; !strings.HasPrefix(subject, "CN=ss1") {
			t.Errorf("%q was approved", subject)
		}
	})
	t.Run("a wrong password gets nothing", func(t *testing.T) {
		t.Parallel()
		s := newStrongswan(t)
		root, encrypt, sign := s.authorities()
		o := runProgram(t, "pki", "--scep", "--url", s.a.url, "--in", s.key, "--dn", "CN=ss1", "--password", "guess",
			"--cacert-enc", encrypt, "--cacert-sig", sign, "--cacert", root)
		if o.code == 0 || len(s.a.register()) != 0 || !strings.Contains(o.stderr, "badRequest") {
			t.Errorf("exit status %d, %d certificates\n%s", o.code, len(s.a.register()), o.stderr)
		}
	})
}
