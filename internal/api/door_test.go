package api

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"path/filepath"
	"testing"
	"time"

	"newleaf"
	"newleaf/internal/web"
)

type oneToken struct{ newleaf.Token }

func (o oneToken) Lookup(_ context.Context, hash []byte) (newleaf.Token, bool, error) {
	return o.Token, string(hash) == string(web.TokenHash(web.TokenText(o.ID, "secret"))), nil
}

// serving runs serve until the test ends.
func serving(t *testing.T, serve func(context.Context) error) {
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- serve(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

// TestBothDoors asks one device over the socket and over HTTPS with a token.
func TestBothDoors(t *testing.T) {
	dev := &fake{}
	h := Handler(dev)

	path := filepath.Join(t.TempDir(), "agent.sock")
	sock, err := web.ListenSocket(path)
	if err != nil {
		t.Fatal(err)
	}
	serving(t, func(ctx context.Context) error { return web.ServeSocket(ctx, sock, h) })
	near := NewSocketClient(path)
	defer near.Close()
	if _, err := near.TokenList(t.Context()); err != nil {
		t.Errorf("over the socket: %v", err)
	}
	if n := dev.notes(); len(n) != 1 || !n[0].Actor.Local || n[0].Actor.Role != newleaf.Administrator {
		t.Errorf("the device saw %+v", n)
	}

	live, err := web.NewLive(time.Now, "127.0.0.1")
	if err != nil {
		t.Fatal(err)
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	tokens := oneToken{newleaf.Token{ID: "1", Name: "ci", Role: newleaf.Viewer, Expires: time.Now().Add(time.Hour)}}
	serving(t, func(ctx context.Context) error {
		return web.Serve(ctx, tls.NewListener(ln, live.Config()), web.Network(h, web.Greeting("x"), tokens, time.Now))
	})
	transport := &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}
	defer transport.CloseIdleConnections()
	base := "https://" + ln.Addr().String()
	far := NewClient(base, transport, "nl_1_secret")
	if _, err := far.List(t.Context()); err != nil {
		t.Errorf("with a token: %v", err)
	}
	if n := dev.notes(); len(n) != 1 || n[0].Actor != (newleaf.Actor{Name: "token:ci", Role: newleaf.Viewer}) {
		t.Errorf("the device saw %+v", n)
	}
	if err := far.Restart(t.Context()); newleaf.CodeOf(err) != newleaf.CodeForbidden {
		t.Errorf("a viewer restarts: %v", err)
	}
	if _, err := NewClient(base, transport, "nl_1_guess").List(t.Context()); newleaf.CodeOf(err) != newleaf.CodeUnauthorized {
		t.Errorf("with a wrong token: %v", err)
	}
	if _, err := NewClient(base, transport, "").List(t.Context()); newleaf.CodeOf(err) != newleaf.CodeUnauthorized {
		t.Errorf("without a token: %v", err)
	}
	if n := dev.notes(); len(n) > 0 {
		t.Errorf("the device was asked %+v", n)
	}
	// A stream ends when its server stops: both cleanups must come through with one open.
	opened := make(chan struct{})
	go func() {
		first := true
		_ = near.Follow(t.Context(), 0, func(newleaf.Event) error {
			if first {
				first = false
				close(opened)
			}
			return nil
		})
	}()
	<-opened
}
