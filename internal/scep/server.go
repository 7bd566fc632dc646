package scep

import (
	"context"
	"encoding/base64"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"runtime"
	"slices"
	"strings"
	"sync"

	"newleaf"
	"newleaf/internal/cms"
	"newleaf/internal/enroll"
)

// ServerOptions are what a server needs besides its authority.
type ServerOptions struct {
	Log *slog.Logger // what fails inside; nil: nowhere
}

// server is the SCEP front of an authority.
type server struct {
	authority enroll.Authority
	id        enroll.Identity
	policy    cms.Policy
	log       *slog.Logger

	// gate lets so many at a time into the RSA arithmetic, first come first
	// served: more would only make everybody late.
	gate chan struct{}

	caps     []byte
	certs    func() ([]byte, error) // GetCACert
	certType string
	next     func() ([]byte, error) // GetNextCACert
}

// NewServer is an HTTP handler for SCEP, on whatever path it is mounted. It
// reads at most 1 MiB of a request; the caller's http.Server has to bound its
// time. It may panic with [http.ErrAbortHandler] when mischief is asked for.
func NewServer(a enroll.Authority, o ServerOptions) http.Handler {
	id := a.Identity()
	allows := func(w newleaf.Weak) bool { return slices.Contains(id.Weak, string(w)) }
	s := &server{
		authority: a, id: id, log: o.Log,
		policy: cms.Policy{SHA1: allows(newleaf.WeakSHA1), DES: allows(newleaf.WeakDES), TripleDES: allows(newleaf.Weak3DES)},
		gate:   make(chan struct{}, runtime.GOMAXPROCS(0)+1),
		caps:   []byte(writeCaps(id)),
	}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	// What receives and signs comes first, the self-signed root last (T3).
	chain := distinct(nonNil(id.Recipient, id.Signer, id.Issuer), id.Chain)
	s.certType = "application/x-x509-ca-ra-cert"
	s.certs = sync.OnceValues(func() ([]byte, error) { return cms.Degenerate(chain) })
	if len(chain) == 1 {
		s.certType = "application/x-x509-ca-cert"
		s.certs = func() ([]byte, error) { return chain[0].Raw, nil }
	}
	s.next = sync.OnceValues(func() ([]byte, error) {
		certs, err := cms.Degenerate(id.Next)
		if err != nil {
			return nil, err
		}
		return cms.Sign(certs, cms.Signer{Certificate: id.Signer, Key: id.Sign}, nil, nonNil(id.Signer))
	})
	return s
}

// ServeHTTP implements [http.Handler]. A request that cannot be read is
// answered with status 400, one that can with a CertRep.
func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet && r.Method != http.MethodPost {
		w.Header().Set("Allow", "GET, POST")
		http.Error(w, "SCEP uses GET and POST", http.StatusMethodNotAllowed)
		return
	}
	switch operation := r.URL.Query().Get("operation"); strings.ToLower(operation) {
	case strings.ToLower(getCACaps):
		s.deliver(w, r, "text/plain", s.caps, s.authority.Misbehave(getCACaps))
	case strings.ToLower(getCACert):
		s.caCert(w, r)
	case strings.ToLower(getNextCACert):
		if len(s.id.Next) == 0 {
			http.Error(w, "no CA certificate is planned to follow", http.StatusNotFound)
			return
		}
		body, err := s.next()
		s.finish(w, r, "application/x-x509-next-ca-cert", body, err, s.authority.Misbehave(getNextCACert))
	case strings.ToLower(pkiOperation):
		s.operate(w, r)
	default:
		http.Error(w, "the operation is not known; SCEP has GetCACaps, GetCACert, GetNextCACert and PKIOperation", http.StatusBadRequest)
	}
}

func (s *server) caCert(w http.ResponseWriter, r *http.Request) {
	m := s.authority.Misbehave(getCACert)
	kind := s.certType
	body, err := s.certs()
	if m.LeafAsCA {
		kind = "application/x-x509-ca-cert"
		body, err = leaf(s.id)
	}
	s.finish(w, r, kind, body, err, m)
}

// operate answers a pkiMessage.
func (s *server) operate(w http.ResponseWriter, r *http.Request) {
	raw, err := receive(w, r)
	if err != nil {
		status := http.StatusBadRequest
		if tooLong := new(http.MaxBytesError); errors.As(err, &tooLong) {
			status = http.StatusRequestEntityTooLarge
		}
		http.Error(w, "the message cannot be read: "+err.Error(), status)
		return
	}
	ctx := r.Context()
	var req *request
	var out *outcome
	if !s.gated(ctx, func() { req, out, err = s.open(raw) }) {
		return
	}
	if err != nil {
		http.Error(w, "the message is no SCEP request: "+err.Error(), http.StatusBadRequest)
		return
	}
	m := s.misbehave(req.kind)
	if out == nil {
		req.peer = peer(r)
		if out, err = s.decide(ctx, req, m); err != nil {
			s.finish(w, r, "", nil, err, m)
			return
		}
	}
	var body []byte
	if s.gated(ctx, func() { body, err = s.reply(req, out, m) }) {
		s.finish(w, r, "application/x-pki-message", body, err, m)
	}
}

// gated runs f once there is room in the gate; false if the peer left before.
func (s *server) gated(ctx context.Context, f func()) bool {
	select {
	case s.gate <- struct{}{}:
	case <-ctx.Done():
		return false
	}
	defer func() { <-s.gate }()
	f()
	return true
}

// finish delivers body, or status 500 when there is none: a FAILURE would say
// that the authority has decided.
func (s *server) finish(w http.ResponseWriter, r *http.Request, kind string, body []byte, err error, m enroll.Mischief) {
	if err != nil {
		s.log.ErrorContext(r.Context(), "answering a SCEP request failed", "peer", r.RemoteAddr, "error", err)
		http.Error(w, "the authority cannot answer now", http.StatusInternalServerError)
		return
	}
	s.deliver(w, r, kind, body, m)
}

// receive takes the message out of the body or the query. Clients write the
// base64 of a query in several ways: with line ends, with '+' unescaped, URL-safe.
func receive(w http.ResponseWriter, r *http.Request) ([]byte, error) {
	if r.Method == http.MethodPost {
		return io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	}
	text := strings.NewReplacer(" ", "+", "-", "+", "_", "/", "\r", "", "\n", "", "\t", "").Replace(r.URL.Query().Get("message"))
	return base64.RawStdEncoding.DecodeString(strings.TrimRight(text, "="))
}

func peer(r *http.Request) string {
	if host, _, err := net.SplitHostPort(r.RemoteAddr); err == nil {
		return host
	}
	return r.RemoteAddr
}
