package web

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"math/big"
	"net/netip"
	"sync/atomic"
	"time"
)

// Live is the certificate of the HTTPS listener, exchangeable at any time: each
// handshake takes the one that is set when it begins, so none fails because of
// an exchange. All methods may be called concurrently.
type Live struct {
	current   atomic.Pointer[tls.Certificate]
	throwaway *tls.Certificate
	now       func() time.Time
}

// NewLive makes a throw-away certificate for these names and addresses and
// serves it until Set: it is what the listener has while nothing holds purpose
// tls, and it is in no store (contract, "No holder of tls").
func NewLive(now func() time.Time, names ...string) (*Live, error) {
	cert, err := selfSigned(now(), names)
	if err != nil {
		return nil, fmt.Errorf("making the throw-away certificate: %w", err)
	}
	l := &Live{throwaway: cert, now: now}
	l.Set(nil)
	return l, nil
}

// Set serves c from the next handshake on, the throw-away one for nil. The
// caller does not change c afterwards.
func (l *Live) Set(c *tls.Certificate) {
	if c == nil {
		c = l.throwaway
	}
	l.current.Store(c)
}

// GetCertificate is for [tls.Config].
func (l *Live) GetCertificate(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	return l.current.Load(), nil
}

// Throwaway reports that nothing holds purpose tls.
func (l *Live) Throwaway() bool { return l.current.Load() == l.throwaway }

// Config is the listener's. It resumes no sessions: a resumed one would not show
// the certificate, and a client could go on with the old one unnoticed.
func (l *Live) Config() *tls.Config {
	return &tls.Config{
		GetCertificate:         l.GetCertificate,
		MinVersion:             tls.VersionTLS12,
		NextProtos:             []string{"http/1.1"},
		SessionTicketsDisabled: true,
		Time:                   l.now,
	}
}

// throwawayLife is long, as nobody is to trust it for its dates.
const throwawayLife = 10 * 365 * 24 * time.Hour

func selfSigned(now time.Time, names []string) (*tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127))
	if err != nil {
		return nil, err
	}
	t := &x509.Certificate{
		SerialNumber: serial.Add(serial, big.NewInt(1)),
		Subject:      pkix.Name{CommonName: "newleaf throw-away"},
		NotBefore:    now.Add(-24 * time.Hour).UTC(),
		NotAfter:     now.Add(throwawayLife).UTC(),
		KeyUsage:     x509.KeyUsageDigitalSignature,
		ExtKeyUsage:  []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	for _, n := range names {
		if ip, err := netip.ParseAddr(n); err == nil {
			t.IPAddresses = append(t.IPAddresses, ip.WithZone("").AsSlice())
		} else if n != "" {
			t.DNSNames = append(t.DNSNames, n)
		}
	}
	der, err := x509.CreateCertificate(rand.Reader, t, t, key.Public(), key)
	if err != nil {
		return nil, err
	}
	return &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, nil
}
