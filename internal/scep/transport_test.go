package scep

import (
	"context"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"newleaf"
	"newleaf/internal/cms"
)

// raw is a server that does to each connection what f does, below HTTP.
func raw(t *testing.T, f func(net.Conn)) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				f(conn)
			}()
		}
	}()
	return "http://" + listener.Addr().String()
}

func readSome(c net.Conn) { c.Read(make([]byte, 4096)) }

// TestFailures are the NO branches of Fig. 7: code and text tell them apart.
func TestFailures(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed := "http://" + listener.Addr().String()
	listener.Close()
	answer := func(text string) string {
		return raw(t, func(c net.Conn) { readSome(c); fmt.Fprint(c, text) })
	}
	web := func(status int, body string) string {
		return serve(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status); fmt.Fprint(w, body) })).URL
	}
	empty, err := cms.Degenerate(nil)
	if err != nil {
		t.Fatal(err)
	}
	secure := httptest.NewUnstartedServer(http.NotFoundHandler())
	secure.Config.ErrorLog = log.New(io.Discard, "", 0)
	secure.StartTLS()
	defer secure.Close()
	forever := make(chan struct{})
	defer close(forever)
	for _, test := range []struct {
		name, url string
		want      newleaf.Code
		says      string
	}{
		{"S704 closed port", closed, newleaf.CodeUnreachable, "connecting to 127.0.0.1"},
		{"S704 TLS, unknown CA", secure.URL, newleaf.CodeUnreachable, "the TLS handshake with 127.0.0.1"},
		{"S704 TLS, plain peer", strings.Replace(answer("no TLS\r\n"), "http:", "https:", 1), newleaf.CodeUnreachable, "the TLS handshake with"},
		{"S706 reset", raw(t, func(c net.Conn) { c.Read(make([]byte, 1)); c.(*net.TCPConn).SetLinger(0) }), newleaf.CodeInterrupted, "while the request was being sent"},
		{"S708 no answer", raw(t, readSome), newleaf.CodeInterrupted, "without an answer"},
		{"S708 cut in the header", answer("HTTP/1.1 200"), newleaf.CodeInterrupted, "broke off"},
		{"S708 cut in the body", answer("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nabc"), newleaf.CodeInterrupted, "broke off after 3 bytes"},
		{"S708 stall", raw(t, func(c net.Conn) { <-forever }), newleaf.CodeTimeout, "did not answer in time (the connection allows 300ms)"},
		{"S708 stall in the body", raw(t, func(c net.Conn) {
			readSome(c)
			fmt.Fprint(c, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nabc")
			<-forever
		}), newleaf.CodeTimeout, "did not finish its answer in time"},
		{"S708 404", web(404, ""), newleaf.CodeHTTP, "HTTP status 404 Not Found"},
		{"S708 500 with a reason (Q28)", web(500, "{\"message\":\n\t\"challenge password has expired\"}"), newleaf.CodeHTTP, `500 Internal Server Error (it says: {"message": "challenge password has expired"})`},
		{"S708 204", web(204, ""), newleaf.CodeHTTP, "204"},
		{"S710 garbage", web(200, "\x30\x82\xff\x00\x01"), newleaf.CodeBadAnswer, "neither a certificate nor a certs-only message: "},
		{"S710 web page", web(200, "<html>Welcome"), newleaf.CodeBadAnswer, "(it says: <html>Welcome)"},
		{"S710 empty", web(200, " \n"), newleaf.CodeBadAnswer, "is empty"},
		{"S710 no certificate", web(200, string(empty)), newleaf.CodeBadAnswer, "holds no certificate"},
		{"S710 leaf", web(200, string(newLab("one").sibling.Certificate.Raw)), newleaf.CodeBadAnswer, "no CA certificate, only \"CN=Device002\""},
		{"S710 endless", web(200, strings.Repeat("x", maxBody+1)), newleaf.CodeBadAnswer, "longer than"},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := dial(t, test.url, func(c *newleaf.Connection) {
				if test.want == newleaf.CodeTimeout {
					c.Timeout = 300 * time.Millisecond
				}
			})
			_, err := c.Certificates(t.Context())
			wantCode(t, err, test.want)
			if err == nil || !strings.Contains(err.Error(), test.says) {
				t.Errorf("%q does not say %q", err, test.says)
			}
		})
	}
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// TestTransport: an injected transport is all that is used; its failures keep
// their codes and never repeat the message.
func TestTransport(t *testing.T) {
	for name, test := range map[string]struct {
		err  error
		want newleaf.Code
		says string
	}{
		"unknown host": {&net.OpError{Op: "dial", Err: &net.DNSError{Name: "ca.invalid", IsNotFound: true}}, newleaf.CodeUnreachable, `the host name "ca.invalid" is not known`},
		"no route":     {errors.New("no route"), newleaf.CodeUnreachable, "connecting to ca.example failed: no route"},
		"late":         {context.DeadlineExceeded, newleaf.CodeTimeout, "in time (the connection allows 30s)"},
		"cut off":      {net.ErrClosed, newleaf.CodeUnreachable, "closed"},
	} {
		t.Run(name, func(t *testing.T) {
			connection := newleaf.NewConnection("x")
			connection.URL = "ca.example"
			c, err := NewClient(connection, Options{Now: now, Transport: roundTrip(func(*http.Request) (*http.Response, error) { return nil, test.err })})
			if err != nil {
				t.Fatal(err)
			}
			_, err = c.get(t.Context(), c.endpoint, "PKIOperation", "TUVTU0FHRQ")
			wantCode(t, err, test.want)
			if !strings.Contains(err.Error(), test.says) || strings.Contains(err.Error(), "TUVTU0FHRQ") {
				t.Errorf("error %q", err)
			}
		})
	}
}

func TestCancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	s := raw(t, func(c net.Conn) { readSome(c); cancel(); c.Read(make([]byte, 1)) })
	_, err := dial(t, s).Certificates(ctx)
	wantCode(t, err, newleaf.CodeCancelled)
}

// TestFormats are VAR-28 to VAR-30.
func TestFormats(t *testing.T) {
	l := newLab("one")
	text := func(kind string, der []byte) string {
		return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
	}
	both, err := cms.Degenerate([]*x509.Certificate{l.id.Signer, l.id.Issuer})
	if err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		body string
		want int
	}{
		"VAR-28 DER":           {string(l.id.Issuer.Raw), 1},
		"VAR-29 certs-only":    {string(both), 2},
		"VAR-30 PEM":           {"# CA\n" + text("CERTIFICATE", l.id.Issuer.Raw), 1},
		"VAR-30 PEM bundle":    {text("CERTIFICATE", l.id.Signer.Raw) + text("CERTIFICATE", l.id.Issuer.Raw), 2},
		"VAR-30 PEM PKCS7":     {text("PKCS7", both), 2},
		"too many":             {strings.Repeat(text("CERTIFICATE", l.id.Issuer.Raw), maxCerts+1), -1},
		"broken PEM":           {"-----BEGIN CERTIFICATE-----\nMIIB\n", -1},
		"PEM of something":     {text("CERTIFICATE", []byte("x")), -1},
		"certificate and tail": {string(l.id.Issuer.Raw) + "x", -1},
	} {
		t.Run(name, func(t *testing.T) {
			s := serve(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", "image/png; charset=x")
				fmt.Fprint(w, test.body)
			}))
			certs, err := dial(t, s.URL).Certificates(t.Context())
			if test.want < 0 {
				wantCode(t, err, newleaf.CodeBadAnswer)
			} else if err != nil || len(certs) != test.want {
				t.Errorf("got %d certificates, %v", len(certs), err)
			}
		})
	}
}

// TestProxy is CON-12: the connection's proxy, never the environment's.
func TestProxy(t *testing.T) {
	t.Setenv("HTTP_PROXY", "http://127.0.0.1:1")
	t.Setenv("http_proxy", "http://127.0.0.1:1")
	l := newLab("none")
	s := serve(t, NewServer(l, ServerOptions{}))
	issuedBy(t, dial(t, s.URL), l, first(l, "device"))
	var hosts []string
	proxy := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		hosts = append(hosts, r.Host)
		NewServer(l, ServerOptions{}).ServeHTTP(w, r)
	}))
	c := dial(t, "http://ca.invalid", func(c *newleaf.Connection) { c.Proxy = proxy.URL })
	issuedBy(t, c, l, first(l, "device"))
	if len(hosts) != 3 || hosts[0] != "ca.invalid" {
		t.Errorf("the proxy saw %q", hosts)
	}
	c = dial(t, s.URL, func(c *newleaf.Connection) { c.Proxy = "http://127.0.0.1:1" })
	_, err := c.Certificates(t.Context())
	wantCode(t, err, newleaf.CodeUnreachable)
}

func TestHTTPS(t *testing.T) {
	l := newLab("one")
	s := httptest.NewUnstartedServer(NewServer(l, ServerOptions{}))
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	s.StartTLS()
	defer s.Close()
	roots := x509.NewCertPool()
	roots.AddCert(s.Certificate())
	connection := newleaf.NewConnection("tls")
	connection.URL = s.URL
	c, err := NewClient(connection, Options{Now: now, Roots: roots})
	if err != nil {
		t.Fatal(err)
	}
	issuedBy(t, c, l, first(l, "device"))
	c, err = NewClient(connection, Options{Now: func() time.Time { return today.AddDate(500, 0, 0) }, Roots: roots})
	if err != nil {
		t.Fatal(err)
	}
	_, err = c.Certificates(t.Context())
	wantCode(t, err, newleaf.CodeUnreachable)
}

func TestRedirect(t *testing.T) {
	l := newLab("one")
	s := serve(t, NewServer(l, ServerOptions{}))
	to := func(status int, where func(*http.Request) string) string {
		return serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, where(r), status)
		})).URL
	}
	moved := func(r *http.Request) string { return s.URL + "/moved?" + r.URL.RawQuery }
	issuedBy(t, dial(t, to(http.StatusTemporaryRedirect, moved)), l, first(l, "device"))

	r := first(l, "device")
	_, err := dial(t, to(http.StatusFound, moved)).Send(t.Context(), r) // a POST would become a GET
	wantCode(t, err, newleaf.CodeHTTP)

	other := func(*http.Request) string { return strings.Replace(s.URL, "127.0.0.1", "localhost", 1) + "/" }
	_, err = dial(t, to(http.StatusFound, other)).Certificates(t.Context())
	wantCode(t, err, newleaf.CodeHTTP)
	if err == nil || !strings.Contains(err.Error(), "localhost") {
		t.Errorf("error %v", err)
	}
	_, err = dial(t, to(http.StatusFound, func(r *http.Request) string { return r.URL.String() })).Certificates(t.Context())
	wantCode(t, err, newleaf.CodeHTTP)
}

func TestNewClient(t *testing.T) {
	good := newleaf.NewConnection("x")
	good.URL = "ca.example"
	for name, test := range map[string]struct {
		change func(*newleaf.Connection, *Options)
		want   newleaf.Code
	}{
		"good":           {func(*newleaf.Connection, *Options) {}, ""},
		"CON-08 no URL":  {func(c *newleaf.Connection, _ *Options) { c.URL = "" }, newleaf.CodeNoConnection},
		"bad RA URL":     {func(c *newleaf.Connection, _ *Options) { c.RAURL = "ftp://x" }, newleaf.CodeInvalid},
		"bad proxy":      {func(c *newleaf.Connection, _ *Options) { c.Proxy = "x" }, newleaf.CodeInvalid},
		"no clock":       {func(_ *newleaf.Connection, o *Options) { o.Now = nil }, newleaf.CodeInternal},
		"no time either": {func(c *newleaf.Connection, _ *Options) { c.Timeout = 0 }, ""},
	} {
		t.Run(name, func(t *testing.T) {
			c, o := good, Options{Now: now}
			test.change(&c, &o)
			client, err := NewClient(c, o)
			wantCode(t, err, test.want)
			if err == nil && client.timeout != 30*time.Second {
				t.Errorf("timeout %s", client.timeout)
			}
		})
	}
}

func TestQuote(t *testing.T) {
	for in, want := range map[string]string{
		"":                         "",
		" a\r\n\tb ":               "a b",
		"\x30\x82\x01\xff":         "",
		"bell\a":                   "bell",
		strings.Repeat("é", 300):   strings.Repeat("é", 199) + "…",
		strings.Repeat("ab ", 300): strings.Repeat("ab ", 66) + "a…",
	} {
		got := quote([]byte(in))
		if n := len([]rune(got)); n > maxQuote {
			t.Errorf("%d characters", n)
		}
		if got != want {
			t.Errorf("quote(%.20q) = %q, want %q", in, got, want)
		}
	}
}
