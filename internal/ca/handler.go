package ca

import (
	"context"
	"encoding/json"
	"encoding/pem"
	"errors"
	"io"
	"math/big"
	"net/http"
	"net/netip"
	"strconv"
	"strings"

	"newleaf"
)

// Handler is the lab's own surface under /lab/ (see the package comment). It
// answers loopback peers only, and no page of another site in their browser.
func (c *CA) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /lab/ca.pem", c.serveIssuer)
	mux.HandleFunc("GET /lab/crl", c.serveCRL)
	mux.Handle("GET /lab/requests", answer(func(r *http.Request) (any, error) {
		since, err := strconv.ParseInt("0"+r.FormValue("since"), 10, 64)
		if err != nil {
			return nil, newleaf.Errorf(newleaf.CodeInvalid, "since is not the number of a request: %w", err)
		}
		return c.Requests(r.Context(), since)
	}))
	mux.Handle("GET /lab/exchanges", answer(func(*http.Request) (any, error) { return c.Exchanges(), nil }))
	mux.Handle("GET /lab/issued", answer(func(r *http.Request) (any, error) { return c.Registered(r.Context()) }))
	mux.Handle("GET /lab/pending", answer(func(r *http.Request) (any, error) { return c.Pending(r.Context()) }))
	mux.Handle("POST /lab/challenge", act(func(ctx context.Context, in struct{ Subject string }) (any, error) {
		return c.NewChallenge(ctx, in.Subject)
	}))
	mux.Handle("POST /lab/approve", act(func(ctx context.Context, in struct{ TransactionID string }) (any, error) {
		return done, c.Approve(ctx, in.TransactionID)
	}))
	mux.Handle("POST /lab/deny", act(func(ctx context.Context, in struct{ TransactionID, Reason string }) (any, error) {
		return done, c.Deny(ctx, in.TransactionID, in.Reason)
	}))
	mux.Handle("POST /lab/revoke", act(func(ctx context.Context, in struct{ Serial string }) (any, error) {
		serial, ok := new(big.Int).SetString(in.Serial, 16)
		if !ok || serial.Sign() < 0 {
			return nil, newleaf.Errorf(newleaf.CodeInvalid, "the serial %q is not a hexadecimal number", in.Serial)
		}
		return done, c.Revoke(ctx, serial)
	}))
	mux.Handle("GET /lab/mischief", answer(func(*http.Request) (any, error) { return c.mischief(), nil }))
	mux.Handle("POST /lab/mischief", act(func(_ context.Context, in struct{ Mischief []string }) (any, error) {
		err := c.SetMischief(in.Mischief)
		return c.mischief(), err
	}))
	return local(http.NewCrossOriginProtection().Handler(mux))
}

var done = struct{}{}

// mischief is the script in force with the table of what there is.
func (c *CA) mischief() any {
	return struct {
		Mischief []string `json:"mischief"`
		Known    []Fault  `json:"known"`
	}{c.Mischief(), Faults()}
}

func (c *CA) serveIssuer(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/x-pem-file")
	_ = pem.Encode(w, &pem.Block{Type: "CERTIFICATE", Bytes: c.identity.Issuer.Raw}) // the peer is gone
}

func (c *CA) serveCRL(w http.ResponseWriter, r *http.Request) {
	der, err := c.CRL(r.Context())
	if err != nil {
		fail(w, err)
		return
	}
	w.Header().Set("Content-Type", "application/pkix-crl")
	_, _ = w.Write(der) // the peer is gone
}

// local lets loopback peers through that name a loopback host; the second keeps
// out a foreign site that points its own name here.
func local(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		peer, err := netip.ParseAddrPort(r.RemoteAddr)
		if err != nil || !peer.Addr().Unmap().IsLoopback() || !loopbackHost(r.Host) {
			fail(w, newleaf.Errorf(newleaf.CodeForbidden, "the lab's own pages answer this machine only").
				WithHint("Ask from the machine the authority runs on, at a loopback address."))
			return
		}
		next.ServeHTTP(w, r)
	})
}

func loopbackHost(host string) bool {
	if at, err := netip.ParseAddrPort(host); err == nil {
		return at.Addr().IsLoopback()
	}
	if at, err := netip.ParseAddr(strings.Trim(host, "[]")); err == nil {
		return at.IsLoopback()
	}
	name, _, _ := strings.Cut(host, ":")
	return name == "localhost"
}

// bodyLimit is far above any body these pages take.
const bodyLimit = 64 << 10

// act answers a POST whose body is the JSON of In, matched without regard to case.
func act[In any](f func(context.Context, In) (any, error)) http.Handler {
	return answer(func(r *http.Request) (any, error) {
		var in In
		d := json.NewDecoder(io.LimitReader(r.Body, bodyLimit))
		d.DisallowUnknownFields()
		if err := d.Decode(&in); err != nil && !errors.Is(err, io.EOF) {
			return nil, newleaf.Errorf(newleaf.CodeInvalid, "the body is not the JSON object expected: %w", err)
		}
		return f(r.Context(), in)
	})
}

func answer(f func(*http.Request) (any, error)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		out, err := f(r)
		if err != nil {
			fail(w, err)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(out) // the peer is gone
	})
}

func fail(w http.ResponseWriter, err error) {
	e := newleaf.AsError(err)
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(e.Code.Info().Status)
	_ = json.NewEncoder(w).Encode(e) // the peer is gone
}
