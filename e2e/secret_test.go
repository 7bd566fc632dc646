package e2e_test

import (
	"bytes"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// needle is something that must not be found, in the forms it could take.
type needle struct {
	name  string
	forms [][]byte
}

// needleOf is a secret as it is, in hexadecimal, as numbers of its bytes and in Base64
// at every place of a group of three.
func needleOf(name string, secret []byte) needle {
	n := needle{name: name, forms: [][]byte{secret, []byte(hex.EncodeToString(secret)), []byte(strings.ToUpper(hex.EncodeToString(secret)))}}
	n.forms = append(n.forms, []byte(strings.Trim(strings.ReplaceAll(fmt.Sprint(secret), " ", ","), "[]")))
	for at := range 3 {
		if groups := (len(secret) - at) / 3 * 3; groups > 0 {
			part := secret[at : at+groups]
			n.forms = append(n.forms, []byte(base64.RawStdEncoding.EncodeToString(part)), []byte(base64.RawURLEncoding.EncodeToString(part)))
		}
	}
	return n
}

// keyNeedles are the beginnings of the integers that make an RSA key private.
func keyNeedles(k *rsa.PrivateKey) (out []needle) {
	for name, b := range map[string][]byte{"d": k.D.Bytes(), "p": k.Primes[0].Bytes(), "q": k.Primes[1].Bytes(),
		"dP": k.Precomputed.Dp.Bytes(), "dQ": k.Precomputed.Dq.Bytes(), "qInv": k.Precomputed.Qinv.Bytes()} {
		out = append(out, needleOf("the private key's "+name, b[:24]))
	}
	return out
}

// folds are the breaks that texts and JSON make within Base64.
var folds = regexp.MustCompile(`(?:\\[rn]|\s)+`)

// found names the needles in hay, broken into lines or not.
func found(hay []byte, needles []needle) (names []string) {
	unfolded := folds.ReplaceAll(hay, nil)
	for _, n := range needles {
		if slices.ContainsFunc(n.forms, func(f []byte) bool { return bytes.Contains(hay, f) || bytes.Contains(unfolded, f) }) {
			names = append(names, n.name)
		}
	}
	return names
}

// tapped is an address that passes on to a and writes down what passes.
func tapped(t testing.TB, a *authority, wire *record) string {
	t.Helper()
	target, err := url.Parse(a.url)
	if err != nil {
		t.Fatal(err)
	}
	to := httputil.NewSingleHostReverseProxy(&url.URL{Scheme: target.Scheme, Host: target.Host})
	to.ModifyResponse = func(r *http.Response) error {
		body, err := io.ReadAll(r.Body)
		fmt.Fprintf(wire, "%s %v\n%s\n", r.Status, r.Header, body)
		r.Body = io.NopCloser(bytes.NewReader(body))
		return err
	}
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return
		}
		message, err := base64.StdEncoding.DecodeString(r.URL.Query().Get("message"))
		if err != nil {
			message = nil // it is no message but a name
		}
		fmt.Fprintf(wire, "%s %s %v\n%s\n%s\n", r.Method, r.URL, r.Header, body, message)
		r.Body = io.NopCloser(bytes.NewReader(body))
		to.ServeHTTP(w, r)
	}))
	t.Cleanup(proxy.Close)
	return proxy.URL + target.Path
}

// TestSecretsStay gives a device a known private key, passwords and a token, lets
// it work, and looks for them in all that leaves it or lies on its disk.
func TestSecretsStay(t *testing.T) {
	const challenge, wrong, passphrase = "Chall3nge-of-the-lab", "Gu3ssed-by-nobody", "Pa55phrase-of-the-file"
	dir := folder(t)
	a := startAuthority(t, filepath.Join(dir, "ca"), "--challenge", challenge, "--approve")
	d := newDevice(t, filepath.Join(dir, "device"))
	wire := &record{}
	d.provision(strings.Replace(connected(a), a.url, tapped(t, a, wire), 1), fx17A()...)
	d.start()
	needles, known := carry(d, dir, passphrase)
	for name, text := range map[string]string{"the challenge password": challenge, "a password that was wrong": wrong, "the passphrase of a file": passphrase} {
		needles = append(needles, needleOf(name, []byte(text)))
	}
	write(t, filepath.Join(d.aside, "password"), challenge+"\n")
	write(t, filepath.Join(d.aside, "wrong"), wrong+"\n")
	token := strings.TrimSpace(d.do("token", "create", "--role", "administrator", "--days", "1"))
	needles = append(needles, needleOf("the token", []byte(strings.TrimPrefix(token, "nl_"))))

	outputs := map[string][]byte{}
	keep := func(name string, o outcome) { outputs["newleaf "+name] = []byte(o.stdout + o.stderr) }
	reach := func(moment string) {
		t.Helper()
		for name, o := range d.says() {
			keep(name+", "+moment, o)
		}
		for path, text := range d.answers(token) {
			outputs["GET "+path+", "+moment] = []byte(text)
		}
		for path, text := range tree(t, d.dir) {
			outputs[path+", "+moment] = text
		}
		outputs["the agent's log, "+moment] = []byte(d.log.String())
	}
	keep("cert issue, a wrong password", d.cli("cert", "issue", "--name", "X", "--key", "rsa-1024", "--subject", "CN=x", "--password-file", filepath.Join(d.aside, "wrong")))
	keep("cert import, a wrong passphrase", d.cli("cert", "import", filepath.Join(dir, "known.p12"), "--name", "Y", "--passphrase-file", filepath.Join(d.aside, "wrong")))
	keep("cert export, forbidden", d.cli("cert", "export", "Known", "--format", "pkcs12", "--passphrase-file", filepath.Join(d.aside, "wrong"), "-o", "json"))
	d.do("connection", "set", "--keep-password=yes")
	keep("cert issue", d.cli(d.issuing("Xyz4", "tls", "--wait", "0s")...))
	eventually(t, "the request waits for approval", func() bool { return len(decode[[]decided](t, a.get("pending"))) == 1 })
	reach("while the authority decides")
	a.post("approve", fmt.Sprintf(`{"transactionId": %q}`, decode[[]decided](t, a.get("pending"))[0].TransactionID))
	d.do("update", "retry")
	d.through()
	d.named("Xyz4")
	d.do("cert", "purpose", "Known", "tls")
	d.handshake()
	reach("while the key is in use")
	d.restart()
	d.do("cert", "unpin", "Known")
	d.do("cert", "delete", "Known", "--force")
	d.stop(t)
	for path, text := range tree(t, d.dir) {
		outputs[path+", stopped"] = text
	}
	outputs["the agent's last log"] = []byte(d.log.String())
	outputs["the wire"] = []byte(wire.String())

	t.Run("control: what is looked for is found where it is", func(t *testing.T) {
		for _, file := range []string{"known.pem", "known.json"} {
			text, err := os.ReadFile(filepath.Join(dir, file))
			if err != nil {
				t.Fatal(err)
			}
			if names := found(text, keyNeedles(known)); len(names) != 6 {
				t.Errorf("in %s only %q are found", file, names)
			}
		}
		for _, n := range needles {
			for _, form := range n.forms {
				if len(found(append([]byte("x"), form...), []needle{n})) != 1 {
					t.Errorf("%s is not found as %q", n.name, form)
				}
			}
		}
		if !strings.Contains(wire.String(), "PKIOperation") || len(outputs) < 80 {
			t.Errorf("%d outputs were looked at, %d bytes on the wire", len(outputs), len(wire.String()))
		}
	})
	for _, id := range []string{"DM-34", "ISS-20"} {
		t.Run(id+" no key, password or token in any output, journal, log, file or on the wire", func(t *testing.T) {
			for name, text := range outputs {
				for _, secret := range found(text, needles) {
					if strings.Contains(secret, "private key") == (id == "DM-34") {
						t.Errorf("%s is in %s", secret, name)
					}
				}
			}
		})
	}
}

// carry imports a certificate whose key the test knows, from PEM and as a file
// that a passphrase protects.
func carry(d *device, dir, passphrase string) ([]needle, *rsa.PrivateKey) {
	d.t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		d.t.Fatal(err)
	}
	p := selfSigned(d.t, key)
	p.save(d.t, filepath.Join(dir, "known"))
	cert, err := os.ReadFile(filepath.Join(dir, "known.pem"))
	if err != nil {
		d.t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(dir, "known.key"))
	if err != nil {
		d.t.Fatal(err)
	}
	write(d.t, filepath.Join(dir, "known.pem"), string(cert)+string(text))
	write(d.t, filepath.Join(dir, "known.json"), fmt.Sprintf("{\"key\": %q}", text))
	write(d.t, filepath.Join(dir, "passphrase"), passphrase+"\n")
	d.do("cert", "import", filepath.Join(dir, "known.pem"), "--name", "Known", "--exportable=yes")
	d.do("cert", "pin", "Known")
	write(d.t, filepath.Join(dir, "known.p12"), "no PKCS #12")
	return keyNeedles(key), key
}

// says runs every command that shows something, both ways.
func (d *device) says() map[string]outcome {
	d.t.Helper()
	out := map[string]outcome{}
	for _, line := range []string{"status", "doctor", "events", "version", "cert list", "cert show Known", "cert show Xyz1", "cert request show Xyz1",
		"cert export Known --format pem", "cert export Known --format chain", "cert export Known --format der", "anchor list", "connection show", "connection test",
		"reservation show", "reservation plan", "deletion show", "deletion plan --for tls", "update list", "update show", "update run --dry-run",
		"settings show", "settings export", "token list"} {
		for _, form := range []string{"table", "json"} {
			out[line+" -o "+form] = d.cli(append(strings.Fields(line), "-o", form)...)
		}
	}
	return out
}

// answers gets every page of the API that takes no body, over HTTPS.
func (d *device) answers(token string) map[string]string {
	d.t.Helper()
	_, text := d.network("GET", token, "/openapi.json", "")
	out, good := map[string]string{"/openapi.json": text}, 0
	for path, operations := range decode[struct{ Paths map[string]map[string]any }](d.t, text).Paths {
		path = strings.TrimPrefix(path, "/api/v1")
		if operations["get"] == nil || strings.HasSuffix(path, "/follow") || strings.HasSuffix(path, "/watch") {
			continue
		}
		path = strings.NewReplacer("{ref}", "Known", "{id}", "1", "{name}", "default").Replace(path)
		code, text := d.network("GET", token, path, "")
		if out[path] = text; code == http.StatusOK {
			good++
		}
	}
	if good < 12 {
		d.t.Errorf("only %d pages of %d were answered", good, len(out))
	}
	return out
}

// tree reads every regular file below dir.
func tree(t testing.TB, dir string) map[string][]byte {
	t.Helper()
	out := map[string][]byte{}
	err := filepath.WalkDir(dir, func(path string, e os.DirEntry, err error) error {
		if err != nil || !e.Type().IsRegular() {
			return err
		}
		out[path], err = os.ReadFile(path)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// selfSigned is a certificate of its own for a key that is given.
func selfSigned(t testing.TB, key *rsa.PrivateKey) *pair {
	t.Helper()
	template := newPair(t, nil, "Known", day("2026-01-01"), day("2036-01-01")).certificate
	template.PublicKey = nil // it is for another key
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	c, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return &pair{certificate: c, key: key}
}
