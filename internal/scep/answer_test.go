package scep

import (
	"crypto/x509"
	"net/http"
	"strings"
	"testing"

	"newleaf"
	"newleaf/internal/cms"
	"newleaf/internal/enroll"
)

// odd answers a request with a message that change made odd.
type odd struct {
	*server
	change func(*oddity)
}

type oddity struct {
	message
	content []byte // signed as it stands
	by      enroll.Credential
	embed   []*x509.Certificate
	to      *x509.Certificate // who signed the request
}

func (o odd) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodPost {
		o.server.ServeHTTP(w, r)
		return
	}
	req, _, err := o.open(bodyOf(r))
	if err != nil {
		panic(err)
	}
	x := &oddity{
		message: message{transaction: req.transaction, kind: certRep, sender: nonce(), recipient: req.sender, status: success},
		by:      enroll.Credential{Certificate: o.id.Signer, Key: o.id.Sign}, embed: nonNil(o.id.Signer), to: req.certificate,
	}
	o.change(x)
	der, err := cms.Sign(x.content, cms.Signer{Certificate: x.by.Certificate, Key: x.by.Key}, x.attributes(), x.embed)
	if err != nil {
		panic(err)
	}
	w.Write(der)
}

// TestOddAnswers are answers no mischief makes.
func TestOddAnswers(t *testing.T) {
	l := newLab("two")
	h := NewServer(l, ServerOptions{}).(*server)
	sealed := func(x *oddity, content []byte) []byte {
		der, err := cms.Encrypt(content, x.to, cms.EncryptOptions{})
		if err != nil {
			t.Error(err)
		}
		return der
	}
	certs := func(list ...*x509.Certificate) []byte {
		der, err := cms.Degenerate(list)
		if err != nil {
			t.Error(err)
		}
		return der
	}
	big := made(func(c *x509.Certificate) { c.Subject.CommonName = "big" }, enormous{}, l.id.Issuer, l.key)
	for _, test := range []struct {
		name   string
		change func(*oddity)
		code   newleaf.Code
		says   string
	}{
		{"good", func(x *oddity) { x.content = sealed(x, certs(l.id.Signer)) }, "", ""},
		{"no CertRep", func(x *oddity) { x.kind = pkcsReq }, newleaf.CodeBadAnswer, `type "19"`},
		{"F8-G12 no nonce", func(x *oddity) { x.recipient = nil }, newleaf.CodeTransaction, "does not repeat our nonce"},
		{"F8-G12 empty nonce", func(x *oddity) { x.recipient = []byte{} }, newleaf.CodeTransaction, "does not repeat our nonce"},
		{"F8-G12 no transactionID", func(x *oddity) { x.transaction = "" }, newleaf.CodeTransaction, `transaction ""`},
		{"status unknown", func(x *oddity) { x.status = "9" }, newleaf.CodeBadAnswer, `pkiStatus "9"`},
		{"status missing", func(x *oddity) { x.status = "" }, newleaf.CodeBadAnswer, `pkiStatus ""`},
		{"no envelope", func(x *oddity) { x.content = certs(l.id.Signer) }, newleaf.CodeBadAnswer, "envelope cannot be read"},
		{"no certs-only message inside", func(x *oddity) { x.content = sealed(x, []byte("hello")) }, newleaf.CodeBadAnswer, "no certs-only message"},
		{"no certificate inside", func(x *oddity) { x.content = sealed(x, certs()) }, newleaf.CodeBadAnswer, "sent no certificate"},
		{"enormous key inside", func(x *oddity) { x.content = sealed(x, certs(big)) }, newleaf.CodeBadAnswer, "more than 8192"},
		{"signer nowhere", func(x *oddity) { x.by, x.embed = l.id.Foreign, nil }, newleaf.CodeUntrusted, "neither it nor GetCACert"},
		{"Q6 the RA that may only decrypt", func(x *oddity) {
			x.by, x.embed = enroll.Credential{Certificate: l.id.Recipient, Key: rsaKey("ra")}, nil
		}, newleaf.CodeUntrusted, "key usage"},
		{"a look-alike enclosed", func(x *oddity) {
			x.content = sealed(x, certs(l.id.Signer))
			x.embed = nonNil(made(func(c *x509.Certificate) {
				c.Subject, c.SerialNumber, c.KeyUsage = l.id.Issuer.Subject, l.id.Signer.SerialNumber, usageAll
			}, rsaKey("foreign"), nil, rsaKey("foreign")), l.id.Signer)
		}, "", ""},
		{"the issuer itself signs", func(x *oddity) {
			x.content = sealed(x, certs(l.id.Signer))
			x.by, x.embed = enroll.Credential{Certificate: l.id.Issuer, Key: l.key}, nil
		}, "", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := serve(t, odd{h, test.change})
			_, err := dial(t, s.URL).Send(t.Context(), first(l, "device"))
			wantCode(t, err, test.code)
			if err != nil && !strings.Contains(err.Error(), test.says) {
				t.Errorf("%q does not say %q", err, test.says)
			}
		})
	}
}

// TestReasons are refusals in words (F8-G11), also of authorities with numbers of their own.
func TestReasons(t *testing.T) {
	l := newLab("one")
	for _, test := range []struct{ info, text, word, want string }{
		{"0", "", "badAlg", "badAlg: it does not support the algorithm"},
		{"4", "gone", "badCertId", "badCertId: it knows no such certificate (gone)"},
		{"17", "", "", "failInfo 17"},
		{"", "", "", "it gave no reason"},
		{"", "abgelaufen\u2028ü\a", "", "it gave no reason (abgelaufen ü)"},
	} {
		s := serve(t, odd{NewServer(l, ServerOptions{}).(*server), func(x *oddity) { x.status, x.failInfo, x.failText = failure, test.info, test.text }})
		a, err := dial(t, s.URL).Send(t.Context(), first(l, "device"))
		if err != nil || a.Status != enroll.Refused || a.FailInfo != test.word || a.Reason != test.want {
			t.Errorf("%q: got %+v, %v", test.info, a, err)
		}
	}
}

// TestFetchedNothing: answers to GetCert and GetCRL that lack what was asked for.
func TestFetchedNothing(t *testing.T) {
	l := newLab("one")
	s := serve(t, odd{NewServer(l, ServerOptions{}).(*server), func(x *oddity) {
		certs, err := cms.Degenerate(nonNil(l.id.Signer))
		if err != nil {
			t.Error(err)
		}
		if x.content, err = cms.Encrypt(certs, x.to, cms.EncryptOptions{}); err != nil {
			t.Error(err)
		}
	}})
	c := dial(t, s.URL)
	present := *held(l, "device")
	_, err := c.GetCert(t.Context(), present, l.trust(), l.id.Issuer.RawSubject, present.Certificate.SerialNumber)
	wantCode(t, err, newleaf.CodeBadAnswer)
	_, err = c.GetCRL(t.Context(), present, l.trust())
	wantCode(t, err, newleaf.CodeBadAnswer)
	_, err = c.GetCRL(t.Context(), enroll.Credential{Certificate: present.Certificate, Key: ecKey()}, l.trust())
	wantCode(t, err, newleaf.CodeInvalid)
}

// TestNextCertificates: only the authority vouches for what follows it (RFC 8894, 4.7.1).
func TestNextCertificates(t *testing.T) {
	l := newLab("one")
	next, err := cms.Degenerate(nonNil(root("LAB CA 2", rsaKey("next"), usageAll)))
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := cms.Degenerate(nonNil(l.sibling.Certificate))
	if err != nil {
		t.Fatal(err)
	}
	signed := func(content []byte, by enroll.Credential) []byte {
		der, err := cms.Sign(content, cms.Signer{Certificate: by.Certificate, Key: by.Key}, nil, nonNil(by.Certificate))
		if err != nil {
			t.Fatal(err)
		}
		return der
	}
	own := enroll.Credential{Certificate: l.id.Signer, Key: l.id.Sign}
	broken := signed(next, own)
	broken[len(broken)-1] ^= 1
	for name, test := range map[string]struct {
		body []byte
		code newleaf.Code
	}{
		"good":       {signed(next, own), ""},
		"unsigned":   {next, newleaf.CodeBadAnswer},
		"garbage":    {[]byte("no"), newleaf.CodeBadAnswer},
		"stranger":   {signed(next, l.id.Foreign), newleaf.CodeUntrusted},
		"sibling":    {signed(next, l.sibling), newleaf.CodeRAChanged},
		"damaged":    {broken, newleaf.CodeBadSignature},
		"end entity": {signed(leaf, own), newleaf.CodeBadAnswer},
		"nothing":    {signed(nil, own), newleaf.CodeBadAnswer},
	} {
		t.Run(name, func(t *testing.T) {
			inner := NewServer(l, ServerOptions{})
			s := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Query().Get("operation") == getNextCACert {
					w.Write(test.body)
					return
				}
				inner.ServeHTTP(w, r)
			}))
			certs, err := dial(t, s.URL).NextCertificates(t.Context(), l.trust())
			wantCode(t, err, test.code)
			if err == nil && (len(certs) != 1 || certs[0].Subject.CommonName != "LAB CA 2") {
				t.Errorf("got %d certificates", len(certs))
			}
		})
	}
}
