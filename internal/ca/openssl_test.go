package ca

import (
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// openssl runs the foreign judge on files of dir.
func openssl(t *testing.T, dir string, args ...string) string {
	t.Helper()
	path, err := exec.LookPath("openssl")
	if err != nil {
		if os.Getenv("NEWLEAF_PEERS") == "require" {
			t.Fatal("openssl is missing")
		}
		t.Skip("openssl is missing")
	}
	command := exec.CommandContext(t.Context(), path, args...)
	command.Dir = dir
	out, err := command.CombinedOutput()
	if err != nil {
		t.Errorf("openssl %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return string(out)
}

func TestOpenSSL(t *testing.T) {
	for _, o := range []Options{{Challenge: "s"}, {Challenge: "s", Issuer: RSA, Dir: t.TempDir()}} {
		t.Run(o.Issuer+" issuer", func(t *testing.T) {
			c, _ := open(t, o)
			dir := t.TempDir()
			write := func(name, kind string, der []byte) {
				t.Helper()
				if err := os.WriteFile(filepath.Join(dir, name), pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			leaf := issue(t, c, first(t, "t1", "s", newKey(t), "C=JP,O=ABC,CN=Device001", "a.example"))
			gone := issue(t, c, first(t, "t2", "s", newKey(t), "CN=gone"))
			if err := c.Revoke(t.Context(), gone.SerialNumber); err != nil {
				t.Fatal(err)
			}
			crl, err := c.CRL(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			for name, certificate := range map[string]*x509.Certificate{"ca": c.identity.Issuer, "ra": c.identity.Signer, "leaf": leaf, "gone": gone} {
				write(name, "CERTIFICATE", certificate.Raw)
			}
			write("crl", "X509 CRL", crl)

			at := []string{"-attime", fmt.Sprint(start.Add(time.Hour).Unix()), "-x509_strict", "-CAfile", "ca"}
			for _, purpose := range []string{"sslserver", "sslclient"} {
				openssl(t, dir, append([]string{"verify", "-purpose", purpose}, append(at, "leaf")...)...)
			}
			openssl(t, dir, append([]string{"verify"}, append(at, "ra")...)...)
			openssl(t, dir, append([]string{"verify", "-crl_check", "-CRLfile", "crl"}, append(at, "leaf")...)...)
			says(t, openssl(t, dir, "crl", "-in", "crl", "-CAfile", "ca", "-noout", "-text", "-verify"),
				"verify OK", "X509v3 CRL Number", strings.ToUpper(serialHex(gone)))
			says(t, openssl(t, dir, "x509", "-in", "leaf", "-noout", "-text", "-nameopt", "RFC2253"),
				"Subject: CN=Device001,O=ABC,C=JP", "TLS Web Server Authentication, TLS Web Client Authentication, ipsec Internet Key Exchange",
				"DNS:a.example, IP Address:192.0.2.1", "CA:FALSE", "Authority Key Identifier", "Subject Key Identifier")
			says(t, openssl(t, dir, "x509", "-in", "ca", "-noout", "-text"), "CA:TRUE, pathlen:0", "Certificate Sign, CRL Sign")
			if !c.identity.Signer.Equal(c.identity.Issuer) {
				says(t, openssl(t, dir, "x509", "-in", "ra", "-noout", "-text"), "CMC Registration Authority")
			}
		})
	}
}

// says wants all parts in what openssl printed.
func says(t *testing.T, text string, parts ...string) {
	t.Helper()
	for _, p := range parts {
		if !strings.Contains(text, p) {
			t.Errorf("%q is not in\n%s", p, text)
		}
	}
}
