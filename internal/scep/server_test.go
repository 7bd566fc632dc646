package scep

import (
	"bytes"
	"context"
	"crypto"
	"crypto/rsa"
	"crypto/x509"
	"encoding/asn1"
	"encoding/base64"
	"errors"
	"io"
	"math/big"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"newleaf/internal/cms"
	"newleaf/internal/enroll"
)

// draft is a request message before it is written; tests bend it.
type draft struct {
	message
	content []byte // to be encrypted
	to      *x509.Certificate
	cipher  cms.Cipher
	hash    crypto.Hash
	by      signing
	embed   []*x509.Certificate
	bare    bool // content goes unencrypted
}

// drafted is a good PKCSReq for l.
func drafted(t testing.TB, l *lab) *draft {
	t.Helper()
	r := first(l, "device")
	by, err := selfSigned(r, today)
	if err != nil {
		t.Fatal(err)
	}
	csr, err := pkcs10(r)
	if err != nil {
		t.Fatal(err)
	}
	return &draft{
		message: message{transaction: r.TransactionID, kind: pkcsReq, sender: []byte("0123456789abcdef")},
		content: csr, to: l.id.Recipient, by: by, hash: crypto.SHA256, embed: nonNil(by.certificate),
	}
}

func (d *draft) der(t testing.TB) []byte {
	t.Helper()
	envelope, err := cms.Encrypt(d.content, d.to, cms.EncryptOptions{Cipher: d.cipher})
	if err != nil {
		t.Fatal(err)
	}
	if d.bare {
		envelope = d.content
	}
	der, err := cms.Sign(envelope, cms.Signer{Certificate: d.by.certificate, Key: d.by.key, Hash: d.hash}, d.attributes(), d.embed)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

// post sends a message and returns the HTTP status and the answer, if it is one.
func post(t testing.TB, h http.Handler, der []byte) (int, *message, []byte) {
	t.Helper()
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(http.MethodPost, "/x?operation=PKIOperation", bytes.NewReader(der)))
	m, err := readMessage(w.Body.Bytes())
	if w.Code == http.StatusOK && err != nil {
		t.Fatal(err)
	}
	return w.Code, m, w.Body.Bytes()
}

// TestCertRep is RFC 8894, 3.3.2, with what clients are known to need.
func TestCertRep(t *testing.T) {
	rsaEncryption := asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 1, 1}
	l := newLab("one")
	h := NewServer(l, ServerOptions{})
	nonces := map[string]bool{}
	for _, test := range []struct {
		m      enroll.Mischief
		status pkiStatus
	}{{enroll.Mischief{}, success}, {enroll.Mischief{Refuse: "badTime"}, failure}, {enroll.Mischief{Pending: true}, pending}} {
		l.misbehave("PKCSReq", test.m)
		d := drafted(t, l)
		_, m, _ := post(t, h, d.der(t))
		if m.status != test.status || m.kind != certRep || m.transaction != d.transaction || !bytes.Equal(m.recipient, d.sender) {
			t.Errorf("got %+v", m)
		}
		if len(m.sender) != 16 || bytes.Equal(m.sender, d.sender) || nonces[string(m.sender)] {
			t.Errorf("the senderNonce %x is not fresh", m.sender)
		}
		nonces[string(m.sender)] = true
		if !m.signer.Algorithm.Equal(rsaEncryption) {
			t.Errorf("T2: signatureAlgorithm %v", m.signer.Algorithm)
		}
		if (len(m.signed.Content) == 0) != (test.status != success) || m.signed.Content == nil {
			t.Errorf("T4: content of %d bytes, nil is %t", len(m.signed.Content), m.signed.Content == nil)
		}
		if err := m.signed.Verify(m.signer, l.id.Signer, cms.Policy{}); err != nil {
			t.Error(err)
		}
	}
}

// TestBadRequests: a message that can be read is refused, another is status 400.
func TestBadRequests(t *testing.T) {
	l := newLab("two")
	h := NewServer(l, ServerOptions{})
	foreignCSR := first(l, "device")
	foreignCSR.SAN = []string{"dns:other"}
	other, err := pkcs10(foreignCSR)
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name   string
		bend   func(*draft)
		damage func([]byte) []byte
		status int
		want   string
	}{
		{"good", nil, nil, 200, ""},
		{"type 3", func(d *draft) { d.kind = certRep }, nil, 200, badRequest},
		{"type 18", func(d *draft) { d.kind = "18" }, nil, 200, badRequest},
		{"type unknown", func(d *draft) { d.kind = "99" }, nil, 200, badRequest},
		{"type missing", func(d *draft) { d.kind = "" }, nil, 200, badRequest},
		{"no nonce", func(d *draft) { d.sender = nil }, nil, 200, badRequest},
		{"long nonce", func(d *draft) { d.sender = make([]byte, 257) }, nil, 200, badRequest},
		{"signature damaged", nil, func(b []byte) []byte { b[len(b)-1] ^= 1; return b }, 200, badMessageCheck},
		{"signer not enclosed", func(d *draft) { d.embed = nil }, nil, 200, badMessageCheck},
		{"signed by an EC key", func(d *draft) {
			c := registrar("EC", ecKey(), usageAll, l.id.Issuer, l.key)
			d.by, d.embed = signing{certificate: c, key: ecKey()}, nonNil(c)
		}, nil, 200, badAlg},
		{"to another recipient", func(d *draft) { d.to = l.id.Signer }, nil, 200, badMessageCheck},
		{"content is no request", func(d *draft) { d.content = []byte("x") }, nil, 200, badMessageCheck},
		{"content is another signature's", func(d *draft) { d.content = append(other[:len(other)-1:len(other)-1], other[len(other)-1]^1) }, nil, 200, badRequest},
		{"key too long", func(d *draft) {
			d.content, err = cms.CreateRequest(&cms.CertificateRequest{RawSubject: d.by.certificate.RawSubject}, enormous{})
			if err != nil {
				t.Error(err)
			}
		}, nil, 200, badAlg},
		{"poll of nothing", func(d *draft) { d.kind = certPoll }, nil, 200, badMessageCheck},
		{"GetCert of nothing", func(d *draft) { d.kind = getCert }, nil, 200, badMessageCheck},
		{"no envelope", func(d *draft) { d.bare = true }, nil, 200, badMessageCheck},
		{"no transactionID", func(d *draft) { d.transaction = "" }, nil, 400, ""},
		{"long transactionID", func(d *draft) { d.transaction = strings.Repeat("x", 257) }, nil, 400, ""},
		{"unprintable transactionID", func(d *draft) { d.transaction = "a\nb" }, nil, 400, ""},
		{"truncated", nil, func(b []byte) []byte { return b[:len(b)/2] }, 400, ""},
		{"garbage", nil, func([]byte) []byte { return []byte("hello") }, 400, ""},
		{"empty", nil, func([]byte) []byte { return nil }, 400, ""},
		{"too long", nil, func(b []byte) []byte { return append(b, make([]byte, maxBody)...) }, 413, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			d := drafted(t, l)
			if test.bend != nil {
				test.bend(d)
			}
			der := d.der(t)
			if test.damage != nil {
				der = test.damage(der)
			}
			status, m, body := post(t, h, der)
			if status != test.status {
				t.Fatalf("status %d: %s", status, body)
			}
			switch {
			case status != 200:
			case test.want == "" && m.status != success:
				t.Errorf("got %+v", m)
			case test.want != "" && (m.status != failure || m.failInfo != failNumber(test.want) || m.failText == ""):
				t.Errorf("got %+v", m)
			}
		})
	}
}

// enormous is a key that would take minutes to verify a signature of.
type enormous struct{}

func (enormous) Public() crypto.PublicKey {
	return &rsa.PublicKey{N: new(big.Int).SetBit(big.NewInt(1), 100_000, 1), E: 65537}
}

func (e enormous) Sign(io.Reader, []byte, crypto.SignerOpts) ([]byte, error) {
	return make([]byte, 100), nil
}

// TestTransactionIDs are the forms real clients send (T7).
func TestTransactionIDs(t *testing.T) {
	for _, id := range []string{
		"x", strings.Repeat("a0", 32), strings.Repeat("7", 77), "aB3/+9zZ0Q4u8J1x2c5v6b7n8m9=", "with spaces", "a_b@c", strings.Repeat("x", 256),
	} {
		l := newLab("none")
		s := serve(t, NewServer(l, ServerOptions{}))
		r := first(l, "device")
		r.TransactionID = id
		issuedBy(t, dial(t, s.URL), l, r)
		if got := l.submissions[0].TransactionID; got != id {
			t.Errorf("got %q, want %q", got, id)
		}
	}
	id := TransactionID(rsaKey("device").Public())
	if len(id) != 64 || strings.ToLower(id) != id || TransactionID("no key") != "" {
		t.Errorf("TransactionID %q", id)
	}
}

// TestQueries: base64 as clients write it, and operations in any case.
func TestQueries(t *testing.T) {
	l := newLab("one")
	h := NewServer(l, ServerOptions{})
	der := drafted(t, l).der(t)
	text := base64.StdEncoding.EncodeToString(der)
	var lines strings.Builder
	for i := 0; i < len(text); i += 64 {
		lines.WriteString(text[i:min(i+64, len(text))] + "\n")
	}
	for name, test := range map[string]struct {
		method, query string
		status        int
		kind          string
	}{
		"escaped":            {"GET", "operation=PKIOperation&message=" + url.QueryEscape(text), 200, "application/x-pki-message"},
		"plus as it stands":  {"GET", "operation=PKIOperation&message=" + text, 200, "application/x-pki-message"},
		"Q25 with line ends": {"GET", "operation=PKIOperation&message=" + url.QueryEscape(lines.String()), 200, "application/x-pki-message"},
		"URL-safe, unpadded": {"GET", "operation=PKIOperation&message=" + base64.RawURLEncoding.EncodeToString(der), 200, "application/x-pki-message"},
		"lower case":         {"GET", "operation=pkioperation&message=" + url.QueryEscape(text), 200, "application/x-pki-message"},
		"no base64":          {"GET", "operation=PKIOperation&message=%25", 400, "text/plain; charset=utf-8"},
		"no message":         {"GET", "operation=PKIOperation", 400, "text/plain; charset=utf-8"},
		"caps":               {"GET", "operation=GETCACAPS", 200, "text/plain"},
		"caps by POST":       {"POST", "operation=GetCACaps", 200, "text/plain"},
		"VAR-25 CA by POST":  {"POST", "operation=getcacert", 200, "application/x-x509-ca-ra-cert"},
		"no rollover":        {"GET", "operation=GetNextCACert", 404, "text/plain; charset=utf-8"},
		"unknown":            {"GET", "operation=x", 400, "text/plain; charset=utf-8"},
		"none":               {"GET", "", 400, "text/plain; charset=utf-8"},
		"PUT":                {"PUT", "operation=GetCACaps", 405, "text/plain; charset=utf-8"},
	} {
		t.Run(name, func(t *testing.T) {
			w := httptest.NewRecorder()
			h.ServeHTTP(w, httptest.NewRequest(test.method, "/cgi-bin/pkiclient.exe?"+test.query, nil))
			if w.Code != test.status || w.Header().Get("Content-Type") != test.kind {
				t.Errorf("got %d, %q: %.80s", w.Code, w.Header().Get("Content-Type"), w.Body)
			}
			if n := w.Header().Get("Content-Length"); test.status == 200 && n != strconv.Itoa(w.Body.Len()) {
				t.Errorf("Content-Length %q for %d bytes", n, w.Body.Len())
			}
		})
	}
}

// TestGetCACertOpenSSL has another program read the certs-only message, and T3:
// RA, then CA.
func TestGetCACertOpenSSL(t *testing.T) {
	openssl, err := exec.LookPath("openssl")
	if err != nil {
		t.Skip("there is no openssl")
	}
	for ra, want := range map[string][]string{"one": {"LAB RA", "LAB CA"}, "two": {"LAB RA encrypt", "LAB RA sign", "LAB CA"}} {
		w := httptest.NewRecorder()
		NewServer(newLab(ra), ServerOptions{}).ServeHTTP(w, httptest.NewRequest("GET", "/?operation=GetCACert&message=", nil))
		cmd := exec.Command(openssl, "pkcs7", "-inform", "DER", "-print_certs", "-noout")
		cmd.Stdin = w.Body
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		var got []string
		for line := range strings.Lines(string(out)) {
			if name, ok := strings.CutPrefix(strings.TrimSpace(line), "subject="); ok {
				got = append(got, strings.TrimSpace(strings.TrimPrefix(strings.ReplaceAll(name, " ", ""), "CN=")))
			}
		}
		if strings.Join(got, "|") != strings.ReplaceAll(strings.Join(want, "|"), " ", "") {
			t.Errorf("%s: got %q, want %q", ra, got, want)
		}
	}
}

// counted is a key that counts what it is used for.
type counted struct {
	key interface {
		crypto.Signer
		crypto.Decrypter
	}
	signed, decrypted atomic.Int32
}

func (c *counted) Public() crypto.PublicKey { return c.key.Public() }

func (c *counted) Sign(random io.Reader, digest []byte, o crypto.SignerOpts) ([]byte, error) {
	c.signed.Add(1)
	return c.key.Sign(random, digest, o)
}

func (c *counted) Decrypt(random io.Reader, b []byte, o crypto.DecrypterOpts) ([]byte, error) {
	c.decrypted.Add(1)
	return c.key.Decrypt(random, b, o)
}

// TestPrivateOperations: one enrollment takes one decryption and two signatures.
func TestPrivateOperations(t *testing.T) {
	l := newLab("none")
	key := &counted{key: rsaKey("ca")}
	l.id.Sign, l.id.Decrypt, l.key = key, key, key
	_, m, _ := post(t, NewServer(l, ServerOptions{}), drafted(t, l).der(t))
	if m.status != success || key.signed.Load() != 2 || key.decrypted.Load() != 1 {
		t.Errorf("status %q after %d signatures and %d decryptions", m.status, key.signed.Load(), key.decrypted.Load())
	}
}

// TestInternalFailure: trouble of the authority is no decision.
func TestInternalFailure(t *testing.T) {
	l := newLab("one")
	l.fail = errors.New("disk full")
	status, m, body := post(t, NewServer(l, ServerOptions{}), drafted(t, l).der(t))
	if status != http.StatusInternalServerError || m != nil || strings.Contains(string(body), "disk") {
		t.Errorf("got %d %q", status, body)
	}
}

// TestGate: many requests at once all get their answer; a peer that left does
// not take a place.
func TestGate(t *testing.T) {
	l := newLab("one")
	h := NewServer(l, ServerOptions{}).(*server)
	var wait sync.WaitGroup
	for i := range 20 {
		wait.Go(func() {
			d := drafted(t, l)
			d.transaction += strconv.Itoa(i)
			if _, m, _ := post(t, h, d.der(t)); m.status != success {
				t.Errorf("got %+v", m)
			}
		})
	}
	wait.Wait()
	for range cap(h.gate) {
		h.gate <- struct{}{}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if h.gated(ctx, func() { t.Error("got in") }) {
		t.Error("was let in")
	}
}
