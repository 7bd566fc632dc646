// Package self is the device's own HTTPS listener as a user of certificates:
// switched while running, proven by a handshake that sees the new serial.
package self

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"time"

	"newleaf"
	"newleaf/internal/deploy"
)

// Live takes the certificate to serve, nil for none.
type Live interface{ Set(*tls.Certificate) }

// Target is the listener at Address.
type Target struct {
	Live    Live
	Address func() string // where a client reaches the listener
	Dial    func(ctx context.Context, network, address string) (net.Conn, error)
	Now     func() time.Time
}

// Put serves m from the next handshake on; without one the listener falls back
// to its throw-away certificate.
func (t *Target) Put(_ context.Context, m deploy.Material) error {
	if m.DER == nil {
		t.Live.Set(nil)
		return nil
	}
	t.Live.Set(&tls.Certificate{Certificate: append([][]byte{m.DER}, m.Chain...), PrivateKey: m.Key})
	return nil
}

// Evidence makes a handshake with the listener and compares the certificate it
// presents. The handshake itself proves possession of the key.
func (t *Target) Evidence(ctx context.Context, m deploy.Material) (newleaf.Evidence, string) {
	seen, err := t.handshake(ctx)
	switch {
	case err != nil:
		return newleaf.EvidenceNone, fmt.Sprintf("no handshake with %s: %v", t.Address(), err)
	case bytes.Equal(seen, m.DER):
		return newleaf.EvidenceProven, "a TLS handshake with " + t.Address() + " saw " + m.ID.Short()
	}
	return newleaf.EvidenceNone, "a TLS handshake with " + t.Address() + " saw another certificate, " + newleaf.IDOf(seen).Short()
}

func (t *Target) handshake(ctx context.Context) (leaf []byte, err error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	dial := t.Dial
	if dial == nil {
		dial = (&net.Dialer{}).DialContext
	}
	raw, err := dial(ctx, "tcp", t.Address())
	if err != nil {
		return nil, err
	}
	defer raw.Close()
	// We look for one exact certificate, so the usual verification has nothing to add.
	c := tls.Client(raw, &tls.Config{InsecureSkipVerify: true, Time: t.Now})
	if err := c.HandshakeContext(ctx); err != nil {
		return nil, err
	}
	certs := c.ConnectionState().PeerCertificates
	if len(certs) == 0 {
		return nil, errors.New("no certificate was presented")
	}
	return certs[0].Raw, nil
}

// Retain has nothing to do: the listener keeps only what it serves.
func (t *Target) Retain(context.Context, newleaf.Purpose, []newleaf.ID) error { return nil }

// Need is live.
func (t *Target) Need() newleaf.Need { return newleaf.NeedLive }

// AcceptsAssumed is false: this target can prove.
func (t *Target) AcceptsAssumed() bool { return false }
