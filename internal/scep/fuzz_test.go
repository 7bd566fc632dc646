package scep

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"testing"

	"newleaf"
	"newleaf/internal/cms"
	"newleaf/internal/enroll"
)

// seeds are good messages of both sides and what they look like damaged.
func seeds(f *testing.F, l *lab) {
	h := NewServer(l, ServerOptions{})
	d := drafted(f, l)
	request := d.der(f)
	_, _, answer := post(f, h, request)
	d.cipher = cms.AES256GCM
	l.misbehave("PKCSReq", enroll.Mischief{Refuse: "badTime"})
	_, _, refusal := post(f, h, d.der(f))
	l.misbehave("PKCSReq", enroll.Mischief{})
	for _, seed := range [][]byte{request, answer, refusal, nil, {0x30, 0x80}, []byte("<html>")} {
		f.Add(seed)
		f.Add(seed[:len(seed)/2])
	}
}

// FuzzAnswer: no answer makes the client panic, and only the authority's own
// is believed.
func FuzzAnswer(f *testing.F) {
	l := newLab("one")
	seeds(f, l)
	c := dial(f, "http://127.0.0.1:1", func(c *newleaf.Connection) {
		c.Weak = []newleaf.Weak{newleaf.Weak3DES, newleaf.WeakDES, newleaf.WeakSHA1}
	})
	r := first(l, "device")
	s, err := c.prepare(r)
	if err != nil {
		f.Fatal(err)
	}
	if s.authority, err = admit(nonNil(l.id.Signer, l.id.Issuer), l.trust()); err != nil {
		f.Fatal(err)
	}
	sent := drafted(f, l).sender
	f.Fuzz(func(t *testing.T, body []byte) {
		for _, s.verify = range []bool{true, false} {
			s.notes = nil
			got, err := s.read(body, sent)
			if (got == nil || err != nil) && newleaf.CodeOf(err) == newleaf.CodeInternal {
				t.Fatal(err)
			}
			if err != nil {
				continue
			}
			if got.transaction != s.transaction || !bytes.Equal(got.recipient, sent) {
				t.Error("an answer to another request was believed")
			}
			if s.verify && got.signed.Verify(got.signer, l.id.Signer, policy(c.connection)) != nil {
				t.Error("an answer of somebody else was believed")
			}
		}
	})
}

// FuzzServer: no request makes the server panic or answer anything but a
// CertRep about that request, or an HTTP status.
func FuzzServer(f *testing.F) {
	l := newLab("one")
	l.id.Weak = []string{"3des", "des", "sha1"}
	seeds(f, l)
	h := NewServer(l, ServerOptions{})
	f.Fuzz(func(t *testing.T, body []byte) {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest(http.MethodPost, "/?operation=PKIOperation", bytes.NewReader(body)))
		if w.Code != http.StatusOK {
			if w.Code != http.StatusBadRequest {
				t.Errorf("status %d", w.Code)
			}
			return
		}
		sent, err := readMessage(body)
		if err != nil {
			t.Fatal("an unreadable message was answered")
		}
		got, err := readMessage(w.Body.Bytes())
		if err != nil {
			t.Fatal(err)
		}
		if got.kind != certRep || got.transaction != sent.transaction || len(got.sender) != 16 {
			t.Errorf("got %+v", got)
		}
	})
}

// FuzzCaps: what is kept of a GetCACaps answer is small and printable.
func FuzzCaps(f *testing.F) {
	f.Add([]byte("AES\nSHA-256\r\nPOSTPKIOperation"))
	f.Add([]byte("<html>"))
	f.Add([]byte("\x00\xff AES"))
	f.Fuzz(func(t *testing.T, body []byte) {
		c := readCaps(body)
		if len(c.AsReceived) > maxWords {
			t.Errorf("%d words", len(c.AsReceived))
		}
		for _, word := range c.AsReceived {
			if again := quote([]byte(word)); word == "" || len([]rune(word)) > maxQuote || again != word {
				t.Errorf("word %q", word)
			}
		}
		if c.Unknown && (c.POST || c.Renewal || c.NextCA || len(c.Ciphers)+len(c.Hashes) > 0) {
			t.Errorf("got %+v", c)
		}
	})
}

// FuzzCerts: a GetCACert answer is read or refused, and what is read is bounded.
func FuzzCerts(f *testing.F) {
	l := newLab("one")
	bundle, err := cms.Degenerate(nonNil(l.id.Signer, l.id.Issuer))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(bundle)
	f.Add(l.id.Issuer.Raw)
	f.Add([]byte("-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"))
	f.Fuzz(func(t *testing.T, body []byte) {
		certs, err := readCerts(getCACert, body)
		if err != nil {
			wantCode(t, err, newleaf.CodeBadAnswer)
			return
		}
		if len(certs) == 0 || len(certs) > maxCerts {
			t.Errorf("%d certificates", len(certs))
		}
		if _, _, err := Roles(certs, l.trust()); newleaf.CodeOf(err) == newleaf.CodeInternal {
			t.Error(err)
		}
	})
}
