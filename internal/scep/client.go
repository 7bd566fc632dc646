package scep

import (
	"context"
	"crypto/x509"
	"encoding/base64"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"newleaf"
	"newleaf/internal/cms"
	"newleaf/internal/enroll"
)

// Options are what a [Client] needs besides its connection.
type Options struct {
	Transport http.RoundTripper // nil: our own, through the connection's proxy only
	Roots     *x509.CertPool    // whom https authorities are verified against; nil: the system's. Unused with Transport.
	Now       func() time.Time  // required
}

// Client is an [enroll.Client] for one connection. It connects afresh for each
// exchange and keeps nothing between calls, so it may be used concurrently.
// Each exchange takes at most the connection's timeout and 1 MiB.
type Client struct {
	connection newleaf.Connection
	endpoint   string // where CA certificates come from
	enrollment string // where requests go (CON-11)
	timeout    time.Duration
	http       *http.Client
	now        func() time.Time
}

var _ enroll.Client = (*Client)(nil)

// NewClient makes a client for c, whose address and proxy it checks. Nothing is sent.
func NewClient(c newleaf.Connection, o Options) (*Client, error) {
	if o.Now == nil {
		return nil, newleaf.Errorf(newleaf.CodeInternal, "a SCEP client needs a clock")
	}
	endpoint, err := c.Endpoint()
	if err != nil {
		return nil, err
	}
	enrollment, err := c.Enrollment()
	if err != nil {
		return nil, err
	}
	if c.Timeout <= 0 {
		c.Timeout = newleaf.NewConnection(c.Name).Timeout
	}
	transport := o.Transport
	if transport == nil {
		if transport, err = newTransport(c, o); err != nil {
			return nil, err
		}
	}
	return &Client{
		connection: c, endpoint: endpoint, enrollment: enrollment, timeout: c.Timeout, now: o.Now,
		http: &http.Client{Transport: transport, CheckRedirect: sameHost},
	}, nil
}

// Capabilities asks GetCACaps of the address requests go to. An authority that
// answers with an HTTP error or with something else is Unknown, not an error.
func (c *Client) Capabilities(ctx context.Context) (enroll.Capabilities, error) {
	body, err := c.get(ctx, c.enrollment, getCACaps, c.connection.CAID)
	switch newleaf.CodeOf(err) {
	case "":
		return readCaps(body), nil
	case newleaf.CodeHTTP, newleaf.CodeBadAnswer:
		return enroll.Capabilities{Unknown: true}, nil
	}
	return enroll.Capabilities{}, err
}

// Certificates asks GetCACert. An answer without any CA certificate is
// [newleaf.CodeBadAnswer] (F7-S710).
func (c *Client) Certificates(ctx context.Context) ([]*x509.Certificate, error) {
	body, err := c.get(ctx, c.endpoint, getCACert, c.connection.CAID)
	if err != nil {
		return nil, err
	}
	return withCA(getCACert, body)
}

// NextCertificates asks GetNextCACert (RFC 8894, 4.7) and verifies that a
// present signer under trust vouches for the answer.
func (c *Client) NextCertificates(ctx context.Context, trust enroll.Trust) ([]*x509.Certificate, error) {
	present, err := c.present(ctx, trust)
	if err != nil {
		return nil, err
	}
	body, err := c.get(ctx, c.endpoint, getNextCACert, c.connection.CAID)
	if err != nil {
		return nil, err
	}
	signed, err := cms.ParseSigned(body)
	if err != nil {
		return nil, newleaf.Errorf(newleaf.CodeBadAnswer, "the answer to GetNextCACert is no signed message%s: %w", saying(body), err)
	}
	signer, err := signed.Signer()
	if err != nil {
		return nil, newleaf.Errorf(newleaf.CodeBadAnswer, "the answer to GetNextCACert is not signed: %w", err)
	}
	if err := present.verify(signed, signer, policy(c.connection)); err != nil {
		return nil, err
	}
	return withCA(getNextCACert, signed.Content)
}

// present fetches the certificates the authority has now, for every operation
// anew as RAs change (Q7), and judges them. A separate RA is asked first; one
// that does not answer it uses those of the CA's address (CON-11).
func (c *Client) present(ctx context.Context, trust enroll.Trust) (authority, error) {
	if c.enrollment != c.endpoint {
		if certs, err := c.certificates(ctx, c.enrollment); err == nil {
			return admit(certs, trust)
		}
	}
	certs, err := c.certificates(ctx, c.endpoint)
	if err != nil {
		return authority{}, err
	}
	return admit(certs, trust)
}

func (c *Client) certificates(ctx context.Context, address string) ([]*x509.Certificate, error) {
	body, err := c.get(ctx, address, getCACert, c.connection.CAID)
	if err != nil {
		return nil, err
	}
	return readCerts(getCACert, body)
}

// get sends an operation by GET. The message parameter is always there, as
// some servers want it even when it says nothing (Q5).
func (c *Client) get(ctx context.Context, address, operation, message string) ([]byte, error) {
	return c.exchange(ctx, http.MethodGet, query(address, operation)+"&message="+escape(message), nil)
}

// operate sends a pkiMessage, by POST where the authority takes it (RFC 8894, 4.1).
func (c *Client) operate(ctx context.Context, caps enroll.Capabilities, message []byte) (body []byte, note string, err error) {
	if caps.POST {
		body, err = c.exchange(ctx, http.MethodPost, query(c.enrollment, pkiOperation), message)
		return body, "", err
	}
	text := base64.StdEncoding.EncodeToString(message)
	if n := len(escape(text)) + len(query(c.enrollment, pkiOperation)); n > maxQuery {
		note = fmt.Sprintf("The request went by GET with %d characters, more than the %d that some servers take, because the authority does not offer POST.", n, maxQuery)
	}
	body, err = c.get(ctx, c.enrollment, pkiOperation, text)
	return body, note, err
}

// maxQuery is the longest query IIS takes unless told otherwise (Q3).
const maxQuery = 2048

func query(address, operation string) string { return address + "?operation=" + operation }

// escape makes s safe in a query for servers that read '+' as it stands and
// for those that read it as a space.
func escape(s string) string { return strings.ReplaceAll(url.QueryEscape(s), "+", "%20") }
