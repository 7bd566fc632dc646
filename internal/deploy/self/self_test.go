package self_test

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"newleaf"
	"newleaf/internal/deploy"
	"newleaf/internal/deploy/self"
	"newleaf/internal/newleaftest"
)

var today = time.Date(2027, 3, 1, 12, 0, 0, 0, time.UTC)

// listener serves what it was told last, over pipes.
type listener struct {
	mu   sync.Mutex
	leaf *tls.Certificate
	lies *tls.Certificate // served instead of what it was told
}

func (l *listener) Set(c *tls.Certificate) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.leaf = c
}

func (l *listener) serve(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case l.lies != nil:
		return l.lies, nil
	case l.leaf == nil:
		return nil, errors.New("nothing to serve")
	}
	return l.leaf, nil
}

// dial connects to it and lets it shake hands.
func (l *listener) dial(context.Context, string, string) (net.Conn, error) {
	near, far := net.Pipe()
	go func() {
		c := tls.Server(far, &tls.Config{GetCertificate: l.serve})
		_ = c.Handshake() // the client tells
		_ = c.Close()
	}()
	return near, nil
}

func material(t *testing.T, subject string, to time.Time) deploy.Material {
	t.Helper()
	root := newleaftest.CACertificate(t, "CN=Root", today.AddDate(-1, 0, 0), today.AddDate(5, 0, 0), nil)
	leaf := newleaftest.Certificate(t, subject, today.AddDate(-1, 0, 0), to, &root)
	return deploy.Material{Purpose: newleaf.TLS, ID: newleaf.IDOf(leaf.Certificate.Raw), DER: leaf.Certificate.Raw, Key: leaf.Key}
}

// TestEvidence: the proof is a real handshake that sees the very certificate.
func TestEvidence(t *testing.T) {
	l := &listener{}
	target := &self.Target{Live: l, Address: func() string { return "device.example:443" }, Dial: l.dial, Now: func() time.Time { return today }}
	check := func(m deploy.Material, want newleaf.Evidence, words string) {
		t.Helper()
		have, why := target.Evidence(t.Context(), m)
		if have != want || !strings.Contains(why, words) || !strings.Contains(why, "device.example:443") {
			t.Errorf("the evidence is %q (%s), want %q with %q", have, why, want, words)
		}
	}
	old, m := material(t, "CN=Old", today.AddDate(1, 0, 0)), material(t, "CN=New", today.AddDate(1, 0, 0))
	check(m, newleaf.EvidenceNone, "no handshake")
	for _, step := range []deploy.Material{old, m} {
		if err := target.Put(t.Context(), step); err != nil {
			t.Fatal(err)
		}
		check(step, newleaf.EvidenceProven, step.ID.Short())
	}
	check(old, newleaf.EvidenceNone, "another certificate")

	l.lies = l.leaf // stuck: told the old one, it goes on with the new one
	if err := target.Put(t.Context(), old); err != nil {
		t.Fatal(err)
	}
	check(old, newleaf.EvidenceNone, m.ID.Short())
	l.lies = nil

	wrong := old
	wrong.Key = m.Key // the certificate is right, the key is not
	if err := target.Put(t.Context(), wrong); err != nil {
		t.Fatal(err)
	}
	check(old, newleaf.EvidenceNone, "no handshake")

	expired := material(t, "CN=Gone", today.AddDate(0, -1, 0)) // its use is proven all the same
	if err := target.Put(t.Context(), expired); err != nil {
		t.Fatal(err)
	}
	check(expired, newleaf.EvidenceProven, expired.ID.Short())

	if err := target.Put(t.Context(), deploy.Material{Purpose: newleaf.TLS}); err != nil {
		t.Fatal(err)
	}
	check(m, newleaf.EvidenceNone, "no handshake")
	target.Dial = func(context.Context, string, string) (net.Conn, error) { return nil, errors.New("refused") }
	check(m, newleaf.EvidenceNone, "refused")
	if target.Need() != newleaf.NeedLive || target.AcceptsAssumed() || target.Retain(t.Context(), newleaf.TLS, nil) != nil {
		t.Error("it is switched while running, can prove, and keeps nothing")
	}
}

// TestChain: who connects gets the intermediates as well.
func TestChain(t *testing.T) {
	l := &listener{}
	target := &self.Target{Live: l, Address: func() string { return "" }, Dial: l.dial}
	m := material(t, "CN=Device001", today.AddDate(1, 0, 0))
	m.Chain = [][]byte{material(t, "CN=Middle", today.AddDate(1, 0, 0)).DER}
	if err := target.Put(t.Context(), m); err != nil {
		t.Fatal(err)
	}
	if len(l.leaf.Certificate) != 2 || newleaf.IDOf(l.leaf.Certificate[0]) != m.ID {
		t.Errorf("%d certificates are served", len(l.leaf.Certificate))
	}
}
