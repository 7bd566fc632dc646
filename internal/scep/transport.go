package scep

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"strings"
	"sync/atomic"
	"syscall"
	"unicode"

	"newleaf"
	"newleaf/internal/enroll"
)

// maxBody bounds what is read of an answer and of a request, in bytes (F7-G2).
const maxBody = 1 << 20

// maxRedirects is how many are followed, on the same host only.
const maxRedirects = 3

// newTransport connects afresh for each exchange: a kept-alive connection that
// the peer dropped meanwhile would look like a lost answer. The proxy is the
// connection's, never the environment's.
func newTransport(c newleaf.Connection, o Options) (http.RoundTripper, error) {
	t := &http.Transport{
		DialContext:            (&net.Dialer{Timeout: c.Timeout}).DialContext,
		TLSClientConfig:        &tls.Config{RootCAs: o.Roots, MinVersion: tls.VersionTLS12, Time: o.Now},
		TLSHandshakeTimeout:    c.Timeout,
		ResponseHeaderTimeout:  c.Timeout,
		MaxResponseHeaderBytes: 64 << 10,
		DisableKeepAlives:      true,
		DisableCompression:     true,
	}
	if c.Proxy != "" {
		proxy, err := url.Parse(c.Proxy)
		if err != nil || proxy.Host == "" {
			return nil, newleaf.Errorf(newleaf.CodeInvalid, "the proxy %q is not a URL", c.Proxy)
		}
		t.Proxy = http.ProxyURL(proxy)
	}
	return t, nil
}

// sameHost follows a redirect only to the same host, never away from https,
// and never by turning a POST into a GET.
func sameHost(r *http.Request, via []*http.Request) error {
	first := via[0]
	if len(via) > maxRedirects || r.URL.Hostname() != first.URL.Hostname() || r.Method != first.Method ||
		first.URL.Scheme == "https" && r.URL.Scheme != "https" {
		return http.ErrUseLastResponse
	}
	return nil
}

// phase is how far an exchange got (S704, S706, S708). Traces come from other
// goroutines.
type phase int32

const (
	connecting phase = iota
	handshaking
	sending
	waiting
	receiving
)

// exchange makes one HTTP request within the connection's timeout, connect to
// last byte, and returns the body of its 200 answer. Each failure of F7 has its
// own code or text.
func (c *Client) exchange(ctx context.Context, method, address string, body []byte) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	var at atomic.Int32
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		TLSHandshakeStart:    func() { at.Store(int32(handshaking)) },
		GotConn:              func(httptrace.GotConnInfo) { at.Store(int32(sending)) },
		GotFirstResponseByte: func() { at.Store(int32(receiving)) },
		WroteRequest: func(i httptrace.WroteRequestInfo) {
			if i.Err == nil {
				at.CompareAndSwap(int32(sending), int32(waiting))
			}
		},
	})
	request, err := http.NewRequestWithContext(ctx, method, address, bytes.NewReader(body))
	if err != nil {
		return nil, newleaf.Errorf(newleaf.CodeInvalid, "the authority's address cannot be used: %w", err)
	}
	request.Header.Set("User-Agent", "newleaf")
	if method == http.MethodPost {
		request.Header.Set("Content-Type", "application/x-pki-message")
	}
	response, err := c.http.Do(request)
	if err != nil {
		return nil, c.broken(ctx, phase(at.Load()), request.URL.Host, 0, err)
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(response.Body, maxBody+1))
	switch {
	case response.StatusCode != http.StatusOK:
		return nil, badStatus(response, answer)
	case err != nil:
		return nil, c.broken(ctx, receiving, request.URL.Host, len(answer), err)
	case len(answer) > maxBody:
		return nil, newleaf.Errorf(newleaf.CodeBadAnswer, "the answer of %s is longer than %d bytes", request.URL.Host, maxBody)
	}
	return answer, nil
}

// broken says what kind of failure err is: no connection (S704), not sent
// (S706), not received (S708), or no time left in one of them.
func (c *Client) broken(ctx context.Context, at phase, host string, got int, err error) *newleaf.Error {
	var u *url.Error
	if errors.As(err, &u) {
		err = u.Err // its text would repeat the whole address, message included
	}
	cut := errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF)
	reset := errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE)
	if at == connecting && (cut || reset) {
		at = waiting // an injected transport reports no progress
	}
	var late net.Error
	switch {
	case errors.Is(ctx.Err(), context.Canceled):
		return newleaf.Errorf(newleaf.CodeCancelled, "the exchange with %s was cancelled", host)
	case ctx.Err() != nil, errors.Is(err, context.DeadlineExceeded), errors.As(err, &late) && late.Timeout():
		return newleaf.Errorf(newleaf.CodeTimeout, "%s %s in time (the connection allows %s)", host, unfinished[at], c.timeout)
	case at == connecting:
		return newleaf.Errorf(newleaf.CodeUnreachable, "connecting to %s failed: %w", host, plain(err))
	case at == handshaking:
		return newleaf.Errorf(newleaf.CodeUnreachable, "the TLS handshake with %s failed: %w", host, plain(err)).
			WithHint("Check that the authority's port speaks https and that its server certificate is trusted.")
	case at == sending, at == waiting && reset:
		return newleaf.Errorf(newleaf.CodeInterrupted, "%s broke the connection off while the request was being sent: %w", host, plain(err))
	case at == waiting:
		return newleaf.Errorf(newleaf.CodeInterrupted, "%s closed the connection without an answer: %w", host, plain(err))
	}
	return newleaf.Errorf(newleaf.CodeInterrupted, "the answer of %s broke off after %d bytes: %w", host, got, plain(err))
}

var unfinished = map[phase]string{
	connecting: "could not be connected to", handshaking: "did not finish the TLS handshake",
	sending: "did not take the request", waiting: "did not answer", receiving: "did not finish its answer",
}

// plain is the innermost cause that says something to a person.
func plain(err error) error {
	var dns *net.DNSError
	if errors.As(err, &dns) && dns.IsNotFound {
		return fmt.Errorf("the host name %q is not known", dns.Name)
	}
	var errno syscall.Errno
	if errors.As(err, &errno) {
		return errno
	}
	return err
}

func badStatus(r *http.Response, body []byte) error {
	where := ""
	if to := r.Header.Get("Location"); to != "" {
		where = fmt.Sprintf(", which leads to %q and is not followed", quote([]byte(to)))
	}
	err := newleaf.Errorf(newleaf.CodeHTTP, "the authority answered with HTTP status %d %s%s%s", r.StatusCode, http.StatusText(r.StatusCode), where, saying(body))
	switch r.StatusCode {
	case http.StatusUnauthorized, http.StatusForbidden, http.StatusNotFound, http.StatusMethodNotAllowed, http.StatusGone, http.StatusLengthRequired,
		http.StatusRequestEntityTooLarge, http.StatusRequestURITooLong, http.StatusUnsupportedMediaType, http.StatusNotImplemented:
		return &enroll.NotIssued{Err: err, Refused: true} // nobody has looked at the request
	}
	return err
}

// saying is what a body says to people, as the end of a clause: proxies and
// other software explain themselves there (Q28).
func saying(body []byte) string {
	if text := quote(body); text != "" {
		return " (it says: " + text + ")"
	}
	return ""
}

// maxQuote is how much of a foreign text is repeated, in characters.
const maxQuote = 200

// quote is the beginning of a text in printable characters, "" for binary data.
func quote(body []byte) string {
	var b strings.Builder
	n, gap := 0, false
	for _, r := range string(body) {
		switch {
		case unicode.IsSpace(r):
			gap = n > 0
			continue
		case r == unicode.ReplacementChar:
			return ""
		case !unicode.IsPrint(r):
			continue
		case n+2 > maxQuote:
			return b.String() + "…"
		}
		if gap {
			b.WriteByte(' ')
			n, gap = n+1, false
		}
		b.WriteRune(r)
		n++
	}
	return b.String()
}
