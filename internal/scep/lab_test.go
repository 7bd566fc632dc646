package scep

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"io"
	"math/big"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"newleaf"
	"newleaf/internal/enroll"
)

// today is the time of every test, so that no certificate here ever expires.
var today = time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)

func now() time.Time { return today }

// rsaKey returns the key of a name, the same one each time: making them takes long.
var rsaKey = func() func(string) *rsa.PrivateKey {
	var mu sync.Mutex
	keys := map[string]*rsa.PrivateKey{}
	return func(name string) *rsa.PrivateKey {
		mu.Lock()
		defer mu.Unlock()
		if keys[name] == nil {
			key, err := rsa.GenerateKey(rand.Reader, 2048)
			if err != nil {
				panic(err)
			}
			keys[name] = key
		}
		return keys[name]
	}
}()

var ecKey = sync.OnceValue(func() *ecdsa.PrivateKey {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err)
	}
	return key
})

var serials atomic.Int64

// made is a certificate from a template that needs to say only what matters.
func made(change func(*x509.Certificate), key crypto.Signer, issuer *x509.Certificate, by crypto.Signer) *x509.Certificate {
	c := &x509.Certificate{
		SerialNumber: big.NewInt(1000 + serials.Add(1)), BasicConstraintsValid: true,
		NotBefore: today.Add(-24 * time.Hour), NotAfter: today.Add(1000 * time.Hour),
	}
	change(c)
	if issuer == nil {
		issuer = c
	}
	der, err := x509.CreateCertificate(rand.Reader, c, issuer, key.Public(), by)
	if err != nil {
		panic(err)
	}
	c, err = x509.ParseCertificate(der)
	if err != nil {
		panic(err)
	}
	return c
}

const (
	usageCA  = x509.KeyUsageCertSign | x509.KeyUsageCRLSign
	usageAll = x509.KeyUsageDigitalSignature | x509.KeyUsageKeyEncipherment
)

// root makes a self-signed CA certificate.
func root(name string, key crypto.Signer, usage x509.KeyUsage) *x509.Certificate {
	return made(func(c *x509.Certificate) {
		c.Subject, c.IsCA, c.KeyUsage = pkix.Name{CommonName: name}, true, usageCA|usage
	}, key, nil, key)
}

// registrar makes an RA certificate with the extended key usages.
func registrar(name string, key crypto.Signer, usage x509.KeyUsage, ca *x509.Certificate, by crypto.Signer, eku ...asn1.ObjectIdentifier) *x509.Certificate {
	return made(func(c *x509.Certificate) {
		c.Subject, c.KeyUsage, c.UnknownExtKeyUsage = pkix.Name{CommonName: name}, usage, eku
	}, key, ca, by)
}

// lab is a small authority that grants whatever brings the challenge "secret"
// or is signed by a certificate it issued.
type lab struct {
	id      enroll.Identity
	key     crypto.Signer // the issuer's
	sibling enroll.Credential

	mu          sync.Mutex
	issued      map[string]*x509.Certificate // by serial number
	decisions   map[string]enroll.Decision   // by transactionID
	submissions []enroll.Submission
	mischief    map[string]enroll.Mischief // by operation
	approve     bool                       // pending until approved
	fail        error                      // what Decide fails with
}

var _ enroll.Authority = (*lab)(nil)

// newLab has no RA ("none"), one for both ("one") or one each ("two").
func newLab(ra string) *lab {
	l := &lab{issued: map[string]*x509.Certificate{}, decisions: map[string]enroll.Decision{}, mischief: map[string]enroll.Mischief{}}
	issuer := func() *x509.Certificate { return root("LAB CA", l.key, 0) }
	switch l.key = ecKey(); ra {
	case "none":
		l.key = rsaKey("ca")
		ca := root("LAB CA", l.key, usageAll)
		l.id = enroll.Identity{Issuer: ca, Recipient: ca, Decrypt: rsaKey("ca"), Signer: ca, Sign: rsaKey("ca")}
	case "one":
		ca := issuer()
		r := registrar("LAB RA", rsaKey("ra"), usageAll, ca, l.key, oidCMCRA)
		l.id = enroll.Identity{Issuer: ca, Recipient: r, Decrypt: rsaKey("ra"), Signer: r, Sign: rsaKey("ra")}
	case "two":
		ca := issuer()
		l.id = enroll.Identity{
			Issuer:    ca,
			Recipient: registrar("LAB RA encrypt", rsaKey("ra"), x509.KeyUsageKeyEncipherment, ca, l.key, oidRequestAgent), Decrypt: rsaKey("ra"),
			Signer: registrar("LAB RA sign", rsaKey("ra2"), x509.KeyUsageDigitalSignature, ca, l.key, oidRequestAgent), Sign: rsaKey("ra2"),
		}
	}
	stranger := root("LAB CA", rsaKey("foreign"), usageAll)
	l.id.Foreign = enroll.Credential{Certificate: stranger, Key: rsaKey("foreign")}
	l.sibling = enroll.Credential{Key: rsaKey("sibling"), Certificate: registrar("Device002", rsaKey("sibling"), usageAll, l.id.Issuer, l.key)}
	return l
}

func (l *lab) Identity() enroll.Identity  { return l.id }
func (l *lab) Sibling() enroll.Credential { return l.sibling }

func (l *lab) Misbehave(operation string) enroll.Mischief {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.mischief[operation]
}

func (l *lab) misbehave(operation string, m enroll.Mischief) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.mischief[operation] = m
}

func (l *lab) Decide(_ context.Context, s enroll.Submission) (enroll.Decision, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.submissions = append(l.submissions, s)
	if l.fail != nil {
		return enroll.Decision{}, l.fail
	}
	if d, ok := l.decisions[s.TransactionID]; ok {
		return d, nil
	}
	held := l.issued[s.Signer.SerialNumber.String()]
	bySignature := s.Renewal && held != nil && held.Equal(s.Signer)
	switch {
	case s.Challenge != "secret" && !bySignature:
		return enroll.Decision{Status: enroll.Refused, FailInfo: "badRequest", Reason: "the challenge password is wrong"}, nil
	case l.approve:
		l.decisions[s.TransactionID] = enroll.Decision{Status: enroll.Pending}
	default:
		l.decisions[s.TransactionID] = l.issue(s)
	}
	return l.decisions[s.TransactionID], nil
}

// issue obeys the mischief that is about certificates, as its owner has to.
func (l *lab) issue(s enroll.Submission) enroll.Decision {
	m := l.mischief["issue"]
	if m.Old {
		return enroll.Decision{Status: enroll.Issued, Certificate: s.Signer}
	}
	public := s.CSR.PublicKey
	if m.Key {
		public = l.id.Foreign.Key.Public()
	}
	c := &x509.Certificate{
		SerialNumber: big.NewInt(1000 + serials.Add(1)), RawSubject: s.CSR.RawSubject,
		DNSNames: s.CSR.DNSNames, IPAddresses: s.CSR.IPAddresses, EmailAddresses: s.CSR.EmailAddresses,
		NotBefore: today.Add(-time.Minute), NotAfter: today.Add(100 * time.Hour), BasicConstraintsValid: true,
		KeyUsage: usageAll, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	if m.Expired {
		c.NotBefore, c.NotAfter = today.Add(-9*time.Hour), today.Add(-time.Hour)
	}
	if m.Future {
		c.NotBefore = today.Add(time.Hour)
	}
	if m.NoEKU {
		c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageEmailProtection}
	}
	if m.AsCA {
		c.IsCA, c.KeyUsage = true, usageCA
	}
	der, err := x509.CreateCertificate(rand.Reader, c, l.id.Issuer, public, l.key)
	if err != nil {
		panic(err)
	}
	if c, err = x509.ParseCertificate(der); err != nil {
		panic(err)
	}
	l.issued[c.SerialNumber.String()] = c
	return enroll.Decision{Status: enroll.Issued, Certificate: c}
}

// approval issues what waits.
func (l *lab) approval() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, s := range l.submissions {
		if l.decisions[s.TransactionID].Status == enroll.Pending {
			l.decisions[s.TransactionID] = l.issue(s)
		}
	}
}

func (l *lab) Poll(_ context.Context, transaction string, _ *x509.Certificate) (enroll.Decision, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if d, ok := l.decisions[transaction]; ok {
		return d, nil
	}
	return enroll.Decision{Status: enroll.Refused, FailInfo: "badCertId", Reason: "no such transaction"}, nil
}

func (l *lab) Find(_ context.Context, serial *big.Int) (*x509.Certificate, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.issued[serial.String()], nil
}

func (l *lab) CRL(context.Context) ([]byte, error) {
	t := &x509.RevocationList{Number: big.NewInt(7), ThisUpdate: today, NextUpdate: today.Add(time.Hour)}
	return x509.CreateRevocationList(rand.Reader, t, l.id.Issuer, l.key)
}

// trust is what an administrator of a device confirms.
func (l *lab) trust() enroll.Trust {
	return enroll.Trust{Anchors: []*x509.Certificate{l.id.Issuer}}
}

// seen is one HTTP request as a server got it.
type seen struct {
	method, operation, message string
	body                       []byte
}

// site is a server on a socket of its own that remembers what it was asked.
type site struct {
	*httptest.Server
	mu   sync.Mutex
	seen []seen
}

// serve starts h; without one, a SCEP server for l.
func serve(t testing.TB, h http.Handler) *site {
	t.Helper()
	s := &site{}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		q := r.URL.Query()
		entry := seen{method: r.Method, operation: q.Get("operation"), message: q.Get("message")}
		if r.Method == http.MethodPost {
			entry.body = bodyOf(r)
		}
		s.mu.Lock()
		s.seen = append(s.seen, entry)
		s.mu.Unlock()
		h.ServeHTTP(w, r)
	}))
	t.Cleanup(s.Close)
	return s
}

// bodyOf reads r's body and leaves it to be read again.
func bodyOf(r *http.Request) []byte {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	return body
}

// asked lists the requests of an operation.
func (s *site) asked(operation string) []seen {
	s.mu.Lock()
	defer s.mu.Unlock()
	var list []seen
	for _, e := range s.seen {
		if e.operation == operation {
			list = append(list, e)
		}
	}
	return list
}

// capped is h with another GetCACaps answer; "" is none at all.
func capped(h http.Handler, caps string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.URL.Query().Get("operation") != "GetCACaps":
			h.ServeHTTP(w, r)
		case caps == "":
			http.NotFound(w, r)
		default:
			w.Write([]byte(caps))
		}
	})
}

// dial makes a client for a server; change may alter the connection first.
func dial(t testing.TB, url string, change ...func(*newleaf.Connection)) *Client {
	t.Helper()
	c := newleaf.NewConnection("lab")
	c.URL = url + "/scep"
	for _, f := range change {
		f(&c)
	}
	client, err := NewClient(c, Options{Now: now})
	if err != nil {
		t.Fatal(err)
	}
	return client
}

// first is a first request, with a challenge.
func first(l *lab, key string) enroll.Request {
	subject, err := newleaf.MarshalSubject("C=JP,O=ABC,OU=DEV01,CN=Device001")
	if err != nil {
		panic(err)
	}
	return enroll.Request{
		Method: enroll.ByChallenge, TransactionID: TransactionID(rsaKey(key).Public()), Key: rsaKey(key), Subject: subject,
		SAN: []string{"dns:device001.example", "ip:192.0.2.7", "ip:2001:db8::7", "email:a@b.example"}, Challenge: "secret", Trust: l.trust(), Verify: true,
	}
}

// held issues a certificate to sign renewals with.
func held(l *lab, key string) *enroll.Credential {
	r := first(l, key)
	csr, err := pkcs10(r)
	if err != nil {
		panic(err)
	}
	parsed, err := x509.ParseCertificateRequest(csr)
	if err != nil {
		panic(err)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return &enroll.Credential{Certificate: l.issue(enroll.Submission{CSR: parsed}).Certificate, Key: rsaKey(key)}
}

// renewal asks to replace what a held certificate is.
func renewal(l *lab, method enroll.Method, present *enroll.Credential, key string) enroll.Request {
	r := first(l, key)
	r.Method, r.Present, r.Challenge = method, present, ""
	return r
}

func wantCode(t testing.TB, err error, want newleaf.Code) {
	t.Helper()
	if got := newleaf.CodeOf(err); got != want {
		t.Errorf("code %q, want %q (error: %v)", got, want, err)
	}
}
