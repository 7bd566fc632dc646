package web

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"newleaf"
)

// running serves h until the test ends and returns a client of it.
func running(t *testing.T, run func(context.Context, net.Listener) error) (address string, stop func() error) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- run(ctx, ln) }()
	stopped := false
	stop = func() error {
		if stopped {
			return nil
		}
		stopped = true
		cancel()
		return <-done
	}
	t.Cleanup(func() {
		if err := stop(); err != nil {
			t.Errorf("the server ended with %v", err)
		}
	})
	return ln.Addr().String(), stop
}

func problemOf(t *testing.T, resp *http.Response) Problem {
	t.Helper()
	defer resp.Body.Close()
	var p Problem
	if err := json.NewDecoder(resp.Body).Decode(&p); err != nil || resp.Header.Get("Content-Type") != ProblemType || p.Status != resp.StatusCode {
		t.Fatalf("status %d, %s, %+v, %v", resp.StatusCode, resp.Header.Get("Content-Type"), p, err)
	}
	return p
}

func TestProblemRoundTrip(t *testing.T) {
	for _, info := range newleaf.Codes() {
		w := httptest.NewRecorder()
		Refuse(w, fmt.Errorf("wrapping: %w", newleaf.Errorf(info.Code, "it failed").WithHint("Do <this>.")))
		p := problemOf(t, w.Result())
		e := p.Err()
		if w.Code != info.Status || p.Title != info.Means || e.Code != info.Code || e.Text != "it failed" || e.Hint != "Do <this>." {
			t.Errorf("%s: %+v", info.Code, p)
		}
	}
	if p := ProblemOf(errors.New("odd")); p.Code != newleaf.CodeInternal || p.Status != 500 || p.Hint == "" {
		t.Errorf("foreign error: %+v", p)
	}
	if p := ProblemOf(&newleaf.Error{Code: "from-the-future", Text: "x"}); p.Status != 500 || p.Title == "" {
		t.Errorf("unknown code: %+v", p)
	}
	if p := ProblemOf(fmt.Errorf("in: %w", WithStatus(413, newleaf.Errorf(newleaf.CodeInvalid, "long")))); p.Status != 413 || p.Code != newleaf.CodeInvalid {
		t.Errorf("with status: %+v", p)
	}
}

func TestHeaders(t *testing.T) {
	h := Network(http.NotFoundHandler(), Greeting("printer-7"), nil, time.Now)
	get := func(method, path string, header http.Header) *httptest.ResponseRecorder {
		r := httptest.NewRequestWithContext(t.Context(), method, "https://printer-7"+path, nil)
		for k, v := range header {
			r.Header[k] = v
		}
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		return w
	}
	for _, c := range []struct {
		method, path string
		status       int
	}{{"GET", "/", 200}, {"GET", "/api/v1/status", 401}, {"GET", "/elsewhere", 404}, {"POST", "/api/v1/restart", 401}} {
		w := get(c.method, c.path, nil)
		if w.Code != c.status {
			t.Errorf("%s %s: status %d, want %d", c.method, c.path, w.Code, c.status)
		}
		for name, want := range map[string]string{"X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer",
			"Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'"} {
			if got := w.Header().Get(name); got != want {
				t.Errorf("%s %s: %s is %q", c.method, c.path, name, got)
			}
		}
		if got := w.Header().Get("Cache-Control"); strings.HasPrefix(c.path, "/api/") != (got == "no-store") {
			t.Errorf("%s: Cache-Control %q", c.path, got)
		}
	}
	if w := get("GET", "/", nil); w.Body.String() != "newleaf on printer-7. Use the API with a token, made on the device with \"newleaf token create\".\n" {
		t.Errorf("the greeting is %q", w.Body)
	}
	// ENT-27: a page of another site cannot change anything, with or without a token.
	for _, method := range []string{"POST", "PUT", "DELETE", "PATCH"} {
		for _, header := range []http.Header{{"Sec-Fetch-Site": {"cross-site"}}, {"Origin": {"https://evil.example"}}} {
			w := get(method, "/api/v1/restart", header)
			if p := problemOf(t, w.Result()); p.Code != newleaf.CodeForbidden {
				t.Errorf("%s from elsewhere: %+v", method, p)
			}
		}
	}
}

// TestLongBody: more than the floor takes never reaches a handler.
func TestLongBody(t *testing.T) {
	read := make(chan error, 1)
	address, _ := running(t, func(ctx context.Context, ln net.Listener) error {
		return Serve(ctx, ln, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			_, err := io.Copy(io.Discard, r.Body)
			read <- err
		}))
	})
	for size, want := range map[int]bool{bodyBytes: true, bodyBytes + 1: false} {
		resp, err := http.Post("http://"+address, "text/plain", bytes.NewReader(make([]byte, size)))
		if err == nil {
			resp.Body.Close()
		}
		var long *http.MaxBytesError
		if err := <-read; errors.As(err, &long) == want {
			t.Errorf("%d bytes: %v", size, err)
		}
	}
}

// TestStalledReader: a peer that takes no answer does not hold the handler.
func TestStalledReader(t *testing.T) {
	ended := make(chan error, 1)
	h := unstalled(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		chunk := make([]byte, 1<<20)
		for range 1000 {
			if _, err := w.Write(chunk); err != nil {
				ended <- err
				return
			}
		}
		ended <- nil
	}), 100*time.Millisecond)
	srv := httptest.NewServer(h)
	defer srv.Close()
	c, err := net.Dial("tcp", srv.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	fmt.Fprint(c, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
	if err := <-ended; err == nil {
		t.Error("a gigabyte was written to nobody")
	}
}

// TestStopping: streams end at once, other requests finish, and Serve returns nil.
func TestStopping(t *testing.T) {
	streaming, working, finish := make(chan struct{}), make(chan struct{}), make(chan struct{})
	mux := http.NewServeMux()
	mux.HandleFunc("/stream", func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := Streaming(r.Context())
		defer cancel()
		close(streaming)
		<-ctx.Done()
		close(finish) // only a stream that ended lets the other go on
	})
	mux.HandleFunc("/work", func(w http.ResponseWriter, r *http.Request) {
		close(working)
		<-finish
		if r.Context().Err() != nil {
			t.Error("an ordinary request was given up")
		}
		fmt.Fprint(w, "done")
	})
	address, stop := running(t, func(ctx context.Context, ln net.Listener) error { return Serve(ctx, ln, mux) })
	answers := make(chan string, 2)
	for _, path := range []string{"/stream", "/work"} {
		go func() {
			resp, err := http.Get("http://" + address + path)
			if err != nil {
				answers <- err.Error()
				return
			}
			defer resp.Body.Close()
			body, _ := io.ReadAll(resp.Body)
			answers <- string(body)
		}()
	}
	<-streaming
	<-working
	if err := stop(); err != nil {
		t.Errorf("Serve gave %v", err)
	}
	if a, b := <-answers, <-answers; a+b != "done" {
		t.Errorf("the answers are %q and %q", a, b)
	}
	if _, err := net.Dial("tcp", address); err == nil {
		t.Error("the listener is still open")
	}
}

func TestServeSaysWhyItCannot(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ln.Close()
	if err := Serve(t.Context(), ln, http.NotFoundHandler()); !errors.Is(err, net.ErrClosed) {
		t.Errorf("got %v", err)
	}
}
