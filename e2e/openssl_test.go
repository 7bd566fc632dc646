package e2e_test

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
)

// thumbprint is the lower-case hex SHA-256.
func thumbprint(der []byte) string {
	sum := sha256.Sum256(der)
	return hex.EncodeToString(sum[:])
}

// plain takes "sha256 Fingerprint=AB:CD" and "serial=0A" down to lower-case hex.
func plain(line string) string {
	_, value, _ := strings.Cut(strings.TrimSpace(line), "=")
	return strings.ToLower(strings.ReplaceAll(value, ":", ""))
}

// iso is how openssl writes a time with -dateopt iso_8601.
const iso = "2006-01-02 15:04:05Z"

func TestOpenSSL(t *testing.T) {
	needs(t, "openssl", "openssl")
	for _, issuer := range []string{"p256", "rsa"} {
		t.Run("DM-10 DM-11 DM-12 openssl reads what a "+issuer+" issuer signs as we show it", func(t *testing.T) {
			t.Parallel()
			d, a := lab17A(t, "--issuer", issuer)
			d.do(d.issuing("Xyz4", "tls", "--san", "dns:device.lab,ip:192.0.2.1", "--key", "rsa-2048")...)
			file, c := d.export("Xyz4"), d.named("Xyz4")
			for flag, want := range map[string]string{"-serial": c.Serial, "-sha1": c.SHA1, "-sha256": c.SHA256} {
				args := []string{"x509", "-in", file, "-noout", flag}
				if flag != "-serial" {
					args = append(args, "-fingerprint")
				}
				if got := plain(must(t, "openssl", args...)); got != want {
					t.Errorf("openssl has %s %s, cert show has %s", flag, got, want)
				}
			}
			if got := strings.TrimSpace(must(t, "openssl", "x509", "-in", file, "-noout", "-subject", "-nameopt", "RFC2253")); got != "subject="+c.Subject {
				t.Errorf("openssl has %q, cert show has %q", got, c.Subject)
			}
			dates := must(t, "openssl", "x509", "-in", file, "-noout", "-dates", "-dateopt", "iso_8601")
			if want := fmt.Sprintf("notBefore=%s\nnotAfter=%s\n", c.NotBefore.Format(iso), c.NotAfter.Format(iso)); dates != want {
				t.Errorf("openssl has\n%scert show has\n%s", dates, want)
			}
			text := must(t, "openssl", "x509", "-in", file, "-noout", "-text")
			for _, line := range []string{"DNS:device.lab, IP Address:192.0.2.1", "TLS Web Server Authentication", "Digital Signature"} {
				if !strings.Contains(text, line) {
					t.Errorf("openssl does not show %q in\n%s", line, text)
				}
			}
			must(t, "openssl", "verify", "-CAfile", a.anchor(), "-purpose", "sslserver", file)
			shown := must(t, "openssl", "s_client", "-connect", d.address, "-CAfile", a.anchor(), "-verify_return_error")
			if !strings.Contains(shown, "Verify return code: 0 (ok)") {
				t.Errorf("openssl s_client says\n%s", shown)
			}
		})
	}
	t.Run("F7-G6 anchor list shows the thumbprints that openssl computes", func(t *testing.T) {
		t.Parallel()
		d, a := lab17A(t)
		d.do("anchor", "fetch")
		found := false
		for _, n := range ask[[]struct{ Role, SHA1, SHA256, Serial, PEM string }](d, "anchor", "list") {
			file := filepath.Join(folder(t), "anchor.pem")
			write(t, file, n.PEM)
			for flag, want := range map[string]string{"-sha1": n.SHA1, "-sha256": n.SHA256} {
				if got := plain(must(t, "openssl", "x509", "-in", file, "-noout", "-fingerprint", flag)); got != want {
					t.Errorf("%s: openssl has %s %s, anchor list has %s", n.Role, flag, got, want)
				}
			}
			found = found || n.Role == "anchor" && n.SHA256 == thumbprint(readCertificate(t, a.anchor()).Raw)
		}
		if !found {
			t.Error("the authority's certificate is not the anchor")
		}
	})
	t.Run("VAR-13 openssl verifies a certificate that the device signs itself, and reads its key", func(t *testing.T) {
		t.Parallel()
		d := newDevice(t, filepath.Join(folder(t), "device"))
		d.provision("")
		d.config = filepath.Join(d.aside, "newleaf.toml")
		write(t, d.config, "allow_export = true\n")
		d.start()
		d.do("cert", "generate", "--name", "Own", "--key", "p256", "--subject", "C=JP,CN=Device001", "--days", "30", "--exportable=yes")
		file := d.export("Own")
		must(t, "openssl", "verify", "-CAfile", file, file)
		secret := filepath.Join(d.aside, "passphrase")
		write(t, secret, "open sesame\n")
		bundle := filepath.Join(d.aside, "own.p12")
		write(t, bundle, d.do("cert", "export", "Own", "--format", "pkcs12", "--passphrase-file", secret))
		key := must(t, "openssl", "pkcs12", "-in", bundle, "-passin", "file:"+secret, "-nodes", "-nocerts")
		write(t, filepath.Join(d.aside, "own.key"), key)
		public := must(t, "openssl", "pkey", "-in", filepath.Join(d.aside, "own.key"), "-pubout")
		if public != must(t, "openssl", "x509", "-in", file, "-noout", "-pubkey") {
			t.Error("the key is another than the certificate's")
		}
	})
	for _, legacy := range []string{"", "-legacy"} {
		t.Run(fmt.Sprintf("DM-28 the device imports a PKCS #12 file of openssl %s", legacy), func(t *testing.T) {
			t.Parallel()
			d := newDevice(t, filepath.Join(folder(t), "device"))
			d.provision("")
			d.start()
			base, secret := filepath.Join(d.aside, "bought"), filepath.Join(d.aside, "passphrase")
			p := newPair(t, nil, "Bought", day("2026-01-01"), day("2036-01-01"))
			p.save(t, base)
			write(t, secret, "open sesame\n")
			args := []string{"pkcs12", "-export", "-in", base + ".pem", "-inkey", base + ".key", "-out", base + ".p12", "-passout", "file:" + secret}
			if legacy != "" {
				args = append(args, legacy)
			}
			must(t, "openssl", args...)
			d.do("cert", "import", base+".p12", "--name", "Bought", "--passphrase-file", secret)
			if c := d.named("Bought"); c.SHA256 != thumbprint(p.certificate.Raw) || c.Origin != "imported" {
				t.Errorf("the import is %+v", c)
			}
			write(t, secret, "guess\n")
			d.refuses(1, `the file cannot be opened: .*`, "passphrase", "cert", "import", base+".p12", "--name", "Again", "--passphrase-file", secret)
		})
	}
}

// export writes the certificate of an entry into a file.
func (d *device) export(name string) string {
	d.t.Helper()
	file := filepath.Join(d.aside, name+".pem")
	write(d.t, file, d.do("cert", "export", name, "--format", "pem"))
	return file
}
