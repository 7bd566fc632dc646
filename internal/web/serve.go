package web

import (
	"context"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"time"
)

// Limits of every listener. A stranger can hold a connection no longer than
// these, and no answer is cut off only because it takes long to compute.
const (
	headerTime  = 10 * time.Second // also of a TLS handshake
	readTime    = time.Minute      // of a whole request; handlers may take longer
	idleTime    = time.Minute
	stallTime   = 30 * time.Second // of one write
	headerBytes = 16 << 10
	bodyBytes   = 4 << 20 // the API's own limit is lower and answers better
	graceTime   = 5 * time.Second
)

type stoppingKey struct{}

// Streaming returns a context that ends with ctx and also as soon as the server
// that carries the request begins to stop, for answers that otherwise never end.
func Streaming(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(ctx)
	stopping, ok := ctx.Value(stoppingKey{}).(context.Context)
	if !ok {
		return ctx, cancel
	}
	stop := context.AfterFunc(stopping, cancel)
	return ctx, func() { stop(); cancel() }
}

// Serve answers requests from ln with h until ctx ends. Then it tells streams to
// end, lets the others finish for a few seconds, and returns nil. It closes ln.
func Serve(ctx context.Context, ln net.Listener, h http.Handler) error {
	return serve(ctx, ln, h, nil)
}

func serve(ctx context.Context, ln net.Listener, h http.Handler, perConn func(context.Context, net.Conn) context.Context) error {
	base, abort := context.WithCancel(context.WithValue(context.WithoutCancel(ctx), stoppingKey{}, ctx))
	defer abort()
	srv := &http.Server{
		Handler:           http.MaxBytesHandler(unstalled(h, stallTime), bodyBytes),
		ReadHeaderTimeout: headerTime,
		ReadTimeout:       readTime,
		IdleTimeout:       idleTime,
		MaxHeaderBytes:    headerBytes,
		BaseContext:       func(net.Listener) context.Context { return base },
		ConnContext:       perConn,
		// Anybody who reaches the port could fill a log with broken handshakes.
		ErrorLog: log.New(io.Discard, "", 0),
	}
	stopped := make(chan struct{})
	unwatch := context.AfterFunc(ctx, func() {
		defer close(stopped)
		grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), graceTime)
		defer cancel()
		if err := srv.Shutdown(grace); err != nil {
			abort()
			_ = srv.Close() // they had their time
		}
	})
	err := srv.Serve(ln)
	if unwatch() {
		_ = srv.Close()
		return err
	}
	<-stopped
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return err
}
