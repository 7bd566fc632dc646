//go:build !device

package scep

import (
	"crypto"
	"net/http"
	"strings"
	"testing"
	"time"

	"newleaf"
	"newleaf/internal/cms"
	"newleaf/internal/enroll"
)

// dated answers as servers do that know no better: with another cipher, digest
// or addressee than the request asked for.
type dated struct {
	*server
	cipher  cms.Cipher
	hash    crypto.Hash
	to      *enroll.Credential // instead of who signed the request
	nothing bool               // no senderNonce, no certificate of the signer
}

func (d dated) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodPost {
		d.server.ServeHTTP(w, r)
		return
	}
	req, out, err := d.open(bodyOf(r))
	if err == nil && out == nil {
		out, err = d.decide(r.Context(), req, enroll.Mischief{})
	}
	if err != nil || out.status != success {
		http.Error(w, "unexpected", http.StatusTeapot)
		return
	}
	certs, err := cms.Degenerate(out.certs)
	to := req.certificate
	if d.to != nil {
		to = d.to.Certificate
	}
	if err == nil {
		certs, err = cms.Encrypt(certs, to, cms.EncryptOptions{Cipher: d.cipher})
	}
	m := &message{transaction: req.transaction, kind: certRep, sender: req.sender, recipient: req.sender, status: success}
	attributes, embed := m.attributes(), nonNil(d.id.Signer)
	if d.nothing {
		m.sender = nil
		attributes, embed = append(attributes[:2], attributes[3:]...), nil
	}
	if err == nil {
		certs, err = cms.Sign(certs, cms.Signer{Certificate: d.id.Signer, Key: d.id.Sign, Hash: d.hash}, attributes, embed)
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusTeapot)
		return
	}
	w.Write(certs)
}

// TestWeakAnswers is the contract's "Weak algorithms" for a device (Q10, Q11):
// refused with what and why, read where the connection allows it, and noted.
func TestWeakAnswers(t *testing.T) {
	for _, test := range []struct {
		name   string
		cipher cms.Cipher
		hash   crypto.Hash
		weak   []newleaf.Weak
		verify bool
		code   newleaf.Code
		says   string // in the error with its hint, or in the notes
	}{
		{"strong", cms.AES256CBC, crypto.SHA512, nil, true, "", ""},
		{"DES", cms.DESCBC, crypto.SHA256, []newleaf.Weak{newleaf.Weak3DES, newleaf.WeakSHA1}, true, newleaf.CodeWeak, `"encryptionAlgorithmIdentifier": 2`},
		{"DES allowed", cms.DESCBC, crypto.SHA256, []newleaf.Weak{newleaf.WeakDES}, true, "", "encrypts its answers with DES-CBC"},
		{"3DES", cms.TripleDESCBC, crypto.SHA256, []newleaf.Weak{newleaf.WeakDES, newleaf.WeakSHA1}, true, newleaf.CodeWeak, "--weak 3des"},
		{"3DES allowed", cms.TripleDESCBC, crypto.SHA256, []newleaf.Weak{newleaf.Weak3DES}, true, "", "3DES"},
		{"SHA-1", cms.AES128CBC, crypto.SHA1, []newleaf.Weak{newleaf.Weak3DES, newleaf.WeakDES}, true, newleaf.CodeWeak, "SHA-1"},
		{"SHA-1 allowed", cms.AES128CBC, crypto.SHA1, []newleaf.Weak{newleaf.WeakSHA1}, true, "", "SHA-1"},
		{"SHA-1 not looked at", cms.AES128CBC, crypto.SHA1, nil, false, "", "SHA-1"},
		{"DES counts without verification too", cms.DESCBC, crypto.SHA256, nil, false, newleaf.CodeWeak, "DES-CBC"},
		{"both are told at once", cms.DESCBC, crypto.SHA1, nil, true, newleaf.CodeWeak, "SHA-1, which the connection does not allow; the authority encrypts its answers with DES-CBC"},
		{"one is allowed", cms.DESCBC, crypto.SHA1, []newleaf.Weak{newleaf.WeakDES}, true, newleaf.CodeWeak, "SHA-1, which the connection does not allow step-ca"},
		{"step-ca's default", cms.DESCBC, crypto.SHA1, []newleaf.Weak{newleaf.WeakDES, newleaf.WeakSHA1}, true, "", "DES-CBC"},
	} {
		t.Run(test.name, func(t *testing.T) {
			l := newLab("one")
			s := serve(t, dated{server: NewServer(l, ServerOptions{}).(*server), cipher: test.cipher, hash: test.hash})
			r := first(l, "device")
			r.Verify = test.verify
			a, err := dial(t, s.URL, func(c *newleaf.Connection) { c.Weak = test.weak }).Send(t.Context(), r)
			wantCode(t, err, test.code)
			said := strings.Join(a.Notes, " ")
			if err != nil {
				said = err.Error() + " " + newleaf.AsError(err).Hint
			}
			if !strings.Contains(said, test.says) || test.says == "" && said != "" {
				t.Errorf("%q does not say %q", said, test.says)
			}
		})
	}
}

// TestAddressees is Q31: an answer may be encrypted to the old key or the new one.
func TestAddressees(t *testing.T) {
	l := newLab("one")
	h := NewServer(l, ServerOptions{}).(*server)
	old := held(l, "device")
	fresh := renewal(l, enroll.ByRenewal, old, "device2")
	self, err := selfSigned(fresh, today)
	if err != nil {
		t.Fatal(err)
	}
	again := first(l, "device2")
	again.Present = old
	for name, test := range map[string]struct {
		r    enroll.Request
		to   *enroll.Credential
		code newleaf.Code
	}{
		"renewal to the old key":   {fresh, old, ""},
		"renewal to the new key":   {fresh, &enroll.Credential{Certificate: self.certificate}, ""},
		"challenge to the old key": {again, old, ""},
		"renewal to a stranger":    {fresh, &l.sibling, newleaf.CodeBadAnswer},
		"challenge to a stranger":  {first(l, "device2"), &l.sibling, newleaf.CodeBadAnswer},
	} {
		t.Run(name, func(t *testing.T) {
			s := serve(t, dated{server: h, to: test.to})
			a, err := dial(t, s.URL).Send(t.Context(), test.r)
			wantCode(t, err, test.code)
			if err == nil && a.Status != enroll.Issued {
				t.Errorf("got %+v", a)
			}
		})
	}
}

// TestSparseAnswer: the signer's certificate comes from GetCACert, and a missing
// senderNonce is only worth a note.
func TestSparseAnswer(t *testing.T) {
	l := newLab("two")
	s := serve(t, dated{server: NewServer(l, ServerOptions{}).(*server), nothing: true})
	a, err := dial(t, s.URL).Send(t.Context(), first(l, "device"))
	if err != nil || !a.Verified || !strings.Contains(strings.Join(a.Notes, " "), "senderNonce") {
		t.Errorf("got %+v, %v", a, err)
	}
}

// TestLongQuery is Q3.
func TestLongQuery(t *testing.T) {
	l := newLab("one")
	s := serve(t, capped(NewServer(l, ServerOptions{}), byGET))
	a, err := dial(t, s.URL).Send(t.Context(), first(l, "device"))
	if err != nil || len(a.Notes) != 1 || !strings.Contains(a.Notes[0], "2048") {
		t.Errorf("notes %q, %v", a.Notes, err)
	}
}

// TestExpiredRA: an expired RA is used, and said.
func TestExpiredRA(t *testing.T) {
	l := newLab("one")
	s := serve(t, NewServer(l, ServerOptions{}))
	c := dial(t, s.URL)
	later := today.AddDate(1, 0, 0)
	c.now = func() time.Time { return later }
	a, err := c.Send(t.Context(), first(l, "device"))
	if err != nil || len(a.Notes) != 1 || !strings.Contains(a.Notes[0], "expired on") {
		t.Errorf("notes %q, %v", a.Notes, err)
	}
}

// TestAlgorithms: the answer uses what the request used, and never single DES.
func TestAlgorithms(t *testing.T) {
	for _, test := range []struct {
		weak         string
		cipher, want cms.Cipher
		hash         crypto.Hash
		refused      string
	}{
		{"", cms.AES128CBC, cms.AES128CBC, crypto.SHA256, ""},
		{"", cms.AES256CBC, cms.AES256CBC, crypto.SHA512, ""},
		{"", cms.AES192CBC, cms.AES192CBC, crypto.SHA384, ""},
		{"", cms.AES256GCM, cms.AES256GCM, crypto.SHA256, ""},
		{"", cms.TripleDESCBC, 0, crypto.SHA256, badAlg},
		{"", cms.DESCBC, 0, crypto.SHA256, badAlg},
		{"", cms.AES128CBC, 0, crypto.SHA1, badAlg},
		{"3des", cms.TripleDESCBC, cms.TripleDESCBC, crypto.SHA256, ""},
		{"3des", cms.DESCBC, 0, crypto.SHA256, badAlg},
		{"des", cms.DESCBC, cms.AES128CBC, crypto.SHA256, ""},
		{"des 3des", cms.DESCBC, cms.TripleDESCBC, crypto.SHA256, ""},
		{"sha1", cms.AES128CBC, cms.AES128CBC, crypto.SHA1, ""},
	} {
		t.Run(test.weak+" "+test.cipher.String()+" "+test.hash.String(), func(t *testing.T) {
			l := newLab("one")
			l.id.Weak = strings.Fields(test.weak)
			d := drafted(t, l)
			d.cipher, d.hash = test.cipher, test.hash
			_, m, _ := post(t, NewServer(l, ServerOptions{}), d.der(t))
			if test.refused != "" {
				if m.status != failure || m.failInfo != failNumber(test.refused) {
					t.Errorf("got %+v", m)
				}
				return
			}
			if m.status != success || digestOf(m.signer).hash != test.hash {
				t.Fatalf("got status %q, %v", m.status, digestOf(m.signer).hash)
			}
			envelope, err := cms.ParseEnveloped(m.signed.Content)
			if err != nil || envelope.Cipher != test.want {
				t.Errorf("got %v, %v", envelope.Cipher, err)
			}
		})
	}
}
