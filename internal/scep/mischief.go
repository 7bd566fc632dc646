package scep

import (
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"math/big"
	"net"
	"net/http"
	"slices"
	"strconv"

	"newleaf/internal/enroll"
)

// The server obeys what concerns messages and connections; a mischief about
// the certificate itself (Key, Old, Expired, Future, NoEKU, AsCA) is the
// authority's, which issues it. A request is decided on before its answer is
// spoiled or lost, which is what hurts clients most; only Refuse and Pending
// keep the authority from deciding.

// misbehave asks what to do wrong with a pkiMessage: under the name of the
// operation, then under that of the message.
func (s *server) misbehave(kind messageType) enroll.Mischief {
	if m := s.authority.Misbehave(pkiOperation); m != (enroll.Mischief{}) {
		return m
	}
	if name, ok := requests[kind]; ok {
		return s.authority.Misbehave(name)
	}
	return enroll.Mischief{}
}

// spoil puts wrong things into m and returns who shall sign it.
func (s *server) spoil(m *message, signer enroll.Credential, bad enroll.Mischief) enroll.Credential {
	if bad.Nonce && len(m.recipient) > 0 {
		m.recipient = slices.Clone(m.recipient)
		m.recipient[0] ^= 1
	}
	if bad.Transact {
		m.transaction = "not-" + m.transaction[:len(m.transaction)/2]
	}
	if bad.Sibling {
		if a, ok := s.authority.(interface{ Sibling() enroll.Credential }); ok {
			return a.Sibling()
		}
	}
	if bad.Foreign || bad.Sibling {
		return s.id.Foreign
	}
	return signer
}

// leaf is an end-entity certificate, where a CA's is expected.
func leaf(id enroll.Identity) ([]byte, error) {
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "LAB end entity"},
		NotBefore: id.Signer.NotBefore, NotAfter: id.Signer.NotAfter,
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageKeyEncipherment, BasicConstraintsValid: true,
	}
	return x509.CreateCertificate(rand.Reader, template, template, id.Sign.Public(), id.Sign)
}

// deliver writes an answer, or what m says instead.
func (s *server) deliver(w http.ResponseWriter, r *http.Request, kind string, body []byte, m enroll.Mischief) {
	switch {
	case m.Stall:
		<-r.Context().Done()
		panic(http.ErrAbortHandler)
	case m.Reset:
		reset(w)
		return
	case m.Status != 0:
		http.Error(w, "this status was asked for", m.Status)
		return
	case m.Endless:
		endless(w)
		return
	case m.Garbage:
		body = slices.Repeat([]byte{0x30, 0x82, 0xff, 0x00}, 64)
	case m.Empty:
		body = nil
	}
	h := w.Header()
	h.Set("Content-Type", kind)
	h.Set("Content-Length", strconv.Itoa(len(body)))
	h.Set("Cache-Control", "no-store")
	if m.ResetMid {
		w.Write(body[:len(body)/2])
		http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	}
	w.Write(body)
}

// reset cuts the connection so that the peer sees a reset, not an end.
func reset(w http.ResponseWriter) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	inner := conn
	if t, ok := conn.(interface{ NetConn() net.Conn }); ok {
		inner = t.NetConn()
	}
	if t, ok := inner.(*net.TCPConn); ok {
		t.SetLinger(0)
	}
	inner.Close()
}

// endless writes until the peer has enough.
func endless(w http.ResponseWriter) {
	w.Header().Set("Content-Type", "application/octet-stream")
	chunk := make([]byte, 16<<10)
	for {
		if _, err := w.Write(chunk); err != nil {
			return
		}
	}
}
