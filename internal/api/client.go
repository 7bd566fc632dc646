package api

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"mime"
	"net"
	"net/http"
	"net/url"
	"strings"
	"syscall"
	"time"

	"newleaf"
	"newleaf/internal/web"
)

// answerLimit is the most a device may answer.
const answerLimit = 64 << 20

// Client is a device reached over its API. Its errors are those of the device,
// with code, text and hint, or say why the device cannot be asked. It may be
// used by several goroutines.
type Client struct {
	base, token string
	socket      string // for sentences; "" over the network
	http        *http.Client
	wait        func(ctx context.Context, attempt int) error // before a stream is opened again
}

var _ newleaf.Device = (*Client)(nil)

// NewClient reaches the device at base, "https://device.example", with a token.
// A nil t is [http.DefaultTransport]; t decides whom to trust.
func NewClient(base string, t http.RoundTripper, token string) *Client {
	return &Client{base: strings.TrimSuffix(base, "/"), token: token, wait: backoff,
		http: &http.Client{Transport: t, CheckRedirect: func(*http.Request, []*http.Request) error {
			return http.ErrUseLastResponse // a token goes nowhere else
		}}}
}

// NewSocketClient reaches the agent that listens on the unix socket at path. When
// nobody does, every call gives CodeNotRunning.
func NewSocketClient(path string) *Client {
	var d net.Dialer
	c := NewClient("http://newleaf", &http.Transport{
		DialContext:     func(ctx context.Context, _, _ string) (net.Conn, error) { return d.DialContext(ctx, "unix", path) },
		MaxIdleConns:    2,
		IdleConnTimeout: 30 * time.Second,
	}, "")
	c.socket = path
	return c
}

// Close lets go of idle connections.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// do makes a request and returns an answer that is not an error. path is escaped
// and below /api/v1.
func (c *Client) do(ctx context.Context, method, path string, in any, header http.Header) (*http.Response, error) {
	var body io.Reader
	if in != nil {
		raw, err := json.Marshal(tidy(Wire(in)))
		if err != nil {
			return nil, newleaf.Errorf(newleaf.CodeInvalid, "the values cannot be sent: %w", err)
		}
		body = bytes.NewReader(raw)
	}
	req, err := http.NewRequestWithContext(ctx, method, c.base+root+path, body)
	if err != nil {
		return nil, newleaf.Errorf(newleaf.CodeInvalid, "the device's address %q is not acceptable: %w", c.base, err)
	}
	for k, v := range header {
		req.Header[k] = v
	}
	if in != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if c.token != "" {
		req.Header.Set("Authorization", "Bearer "+c.token)
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, c.failure(ctx, err)
	}
	if err := c.refusal(ctx, resp); err != nil {
		_ = resp.Body.Close()
		return nil, err
	}
	return resp, nil
}

// refusal is the error that the answer states, if it states one.
func (c *Client) refusal(ctx context.Context, resp *http.Response) error {
	mediaType, _, _ := mime.ParseMediaType(resp.Header.Get("Content-Type")) // no type is none of ours
	if mediaType == web.ProblemType {
		var p web.Problem
		if err := json.NewDecoder(io.LimitReader(resp.Body, answerLimit)).Decode(&p); err != nil {
			return c.failure(ctx, err)
		}
		if p.Code != "" {
			return p.Err()
		}
	}
	if mediaType == web.ProblemType || resp.StatusCode/100 != 2 {
		return newleaf.Errorf(newleaf.CodeBadAnswer, "%s answers with HTTP status %d and not as newleaf does", c.peer(), resp.StatusCode).
			WithHint("Check the address of the device.")
	}
	return nil
}

// call sends in as JSON and reads the answer into out: as JSON, or as it is into
// a *[]byte. Either may be nil.
func (c *Client) call(ctx context.Context, method, path string, in, out any) error {
	resp, err := c.do(ctx, method, path, in, nil)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(io.LimitReader(resp.Body, answerLimit))
	if err != nil {
		return c.failure(ctx, err)
	}
	switch out := out.(type) {
	case nil:
		return nil
	case *[]byte:
		*out = raw
		return nil
	}
	if err := json.Unmarshal(raw, out); err != nil {
		return newleaf.Errorf(newleaf.CodeBadAnswer, "the answer of %s cannot be read: %w", c.peer(), err).
			WithHint("Check the address of the device and its version.")
	}
	return nil
}

// peer is the device in sentences.
func (c *Client) peer() string {
	if c.socket != "" {
		return c.socket
	}
	return c.base
}

// failure says why there is no answer.
func (c *Client) failure(ctx context.Context, err error) error {
	var u *url.Error
	if errors.As(err, &u) {
		err = u.Err // the method and the address are said better below
	}
	var verification *tls.CertificateVerificationError
	var timeout net.Error
	switch {
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		return newleaf.Errorf(newleaf.CodeTimeout, "%s did not answer in time: %w", c.peer(), context.DeadlineExceeded)
	case ctx.Err() != nil:
		return newleaf.Errorf(newleaf.CodeCancelled, "the request to %s was given up: %w", c.peer(), context.Canceled)
	case c.socket != "" && errors.Is(err, fs.ErrPermission):
		return newleaf.Errorf(newleaf.CodeForbidden, "the socket %s may not be opened: %w", c.socket, err).
			WithHint("Use it as root, or as a member of the group %s.", web.Group)
	case c.socket != "" && (errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ECONNREFUSED) || errors.Is(err, syscall.ENOTDIR)):
		e := newleaf.Errorf(newleaf.CodeNotRunning, "no agent answers at %s", c.socket)
		e.Cause = err // says no more than that
		return e
	case errors.As(err, &verification):
		return newleaf.Errorf(newleaf.CodeUntrusted, "the certificate of %s is not trusted: %w", c.peer(), err).
			WithHint("Give the CA certificate of the device, or compare its thumbprint on the device.")
	case errors.As(err, &timeout) && timeout.Timeout():
		return newleaf.Errorf(newleaf.CodeTimeout, "%s did not answer in time: %w", c.peer(), err)
	case isDial(err):
		return newleaf.Errorf(newleaf.CodeUnreachable, "the device at %s cannot be reached: %w", c.peer(), err).
			WithHint("Check the address, the network and that the device runs.")
	}
	return newleaf.Errorf(newleaf.CodeInterrupted, "the connection to %s broke off: %w", c.peer(), err).
		WithHint("The agent may be restarting; try again.")
}

func isDial(err error) bool {
	var op *net.OpError
	return errors.As(err, &op) && op.Op == "dial"
}

// segment escapes a value for one segment of a path. Dots alone would mean a
// folder.
func segment[T ~string](v T) string {
	if strings.Trim(string(v), ".") == "" {
		return strings.ReplaceAll(string(v), ".", "%2E")
	}
	return url.PathEscape(string(v))
}
