package web

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

func fixed() time.Time { return start }

func certificate(t *testing.T, name string) (c *tls.Certificate, serial string) {
	t.Helper()
	c, err := selfSigned(start, []string{name})
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(c.Certificate[0])
	if err != nil {
		t.Fatal(err)
	}
	return c, leaf.SerialNumber.String()
}

func TestThrowaway(t *testing.T) {
	l, err := NewLive(fixed, "printer-7", "192.0.2.7", "fe80::1%eth0", "")
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(l.current.Load().Certificate[0])
	if err != nil {
		t.Fatal(err)
	}
	if !l.Throwaway() || leaf.VerifyHostname("printer-7") != nil || leaf.VerifyHostname("192.0.2.7") != nil || len(leaf.IPAddresses) != 2 {
		t.Errorf("throw-away: %v, names %v %v", l.Throwaway(), leaf.DNSNames, leaf.IPAddresses)
	}
	if leaf.IsCA || leaf.SerialNumber.Sign() <= 0 || !leaf.NotBefore.Before(start) || !leaf.NotAfter.After(start) {
		t.Errorf("CA %v, serial %v, valid %v to %v", leaf.IsCA, leaf.SerialNumber, leaf.NotBefore, leaf.NotAfter)
	}
	c, _ := certificate(t, "real")
	if l.Set(c); l.Throwaway() {
		t.Error("the throw-away certificate stays")
	}
	if l.Set(nil); !l.Throwaway() {
		t.Error("the throw-away certificate does not come back")
	}
}

// TestSwapUnderLoad exchanges the certificate all the time while clients shake
// hands: no handshake fails, both certificates are seen, and each exchange is
// seen by the next handshake. Clients offer to resume sessions in vain.
func TestSwapUnderLoad(t *testing.T) {
	const clients, each = 8, 125
	live, err := NewLive(fixed, "x")
	if err != nil {
		t.Fatal(err)
	}
	a, serialA := certificate(t, "a")
	b, serialB := certificate(t, "b")
	live.Set(a)
	address, _ := running(t, func(ctx context.Context, ln net.Listener) error {
		return Serve(ctx, tls.NewListener(ln, live.Config()), http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "ok") }))
	})
	shake := func(cache tls.ClientSessionCache) (string, error) {
		c, err := tls.Dial("tcp", address, &tls.Config{InsecureSkipVerify: true, ClientSessionCache: cache, ServerName: "x", Time: fixed,
			CurvePreferences: []tls.CurveID{tls.X25519}}) // the cheapest; a thousand handshakes take a while
		if err != nil {
			return "", err
		}
		defer c.Close()
		// A whole exchange, so that a ticket would have come.
		fmt.Fprint(c, "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
		if _, err := io.ReadAll(c); err != nil {
			return "", err
		}
		if c.ConnectionState().DidResume {
			return "", fmt.Errorf("the session was resumed")
		}
		return c.ConnectionState().PeerCertificates[0].SerialNumber.String(), nil
	}

	var failures atomic.Int64
	var mu sync.Mutex
	seen := map[string]int{}
	stop := make(chan struct{})
	var swapping, shaking sync.WaitGroup
	swapping.Go(func() {
		often := time.NewTicker(100 * time.Microsecond)
		defer often.Stop()
		for i := 0; ; i++ {
			select {
			case <-stop:
				return
			case <-often.C:
				live.Set([]*tls.Certificate{a, b}[i%2])
			}
		}
	})
	for range clients {
		shaking.Go(func() {
			cache := tls.NewLRUClientSessionCache(4)
			for range each {
				serial, err := shake(cache)
				if err != nil {
					failures.Add(1)
					t.Error(err)
					return
				}
				mu.Lock()
				seen[serial]++
				mu.Unlock()
			}
		})
	}
	shaking.Wait()
	close(stop)
	swapping.Wait()
	if failures.Load() > 0 || seen[serialA] == 0 || seen[serialB] == 0 || seen[serialA]+seen[serialB] != clients*each {
		t.Errorf("%d failures; seen %v", failures.Load(), seen)
	}
	cache := tls.NewLRUClientSessionCache(4)
	for i := range 10 {
		want := []string{serialA, serialB}[i%2]
		live.Set([]*tls.Certificate{a, b}[i%2])
		if got, err := shake(cache); err != nil || got != want {
			t.Errorf("after an exchange: %s, %v, want %s", got, err, want)
		}
	}
}

func TestOldTLSIsRefused(t *testing.T) {
	live, err := NewLive(fixed, "x")
	if err != nil {
		t.Fatal(err)
	}
	near, far := net.Pipe()
	defer near.Close()
	go func() { _ = tls.Server(far, live.Config()).HandshakeContext(t.Context()); far.Close() }()
	c := tls.Client(near, &tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11})
	if err := c.HandshakeContext(t.Context()); err == nil {
		t.Error("TLS 1.1 was accepted")
	}
}
