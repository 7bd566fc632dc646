// Package load drives a SCEP server with first requests, to measure the server
// and nothing else: the device's own client makes each message ahead of time and
// reads each answer afterwards, so that between the two there is one POST alone.
package load

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net/http"
	"runtime"
	"sync"
	"time"

	"newleaf"
	"newleaf/internal/enroll"
	"newleaf/internal/scep"
)

// Server is a SCEP server of our own. What it calls itself is believed.
type Server struct {
	url       string
	challenge string
	transport http.RoundTripper // nil: HTTP
	anchors   []*x509.Certificate
	canned    map[string][]byte // answers that are the same each time, by operation
}

// Reach asks the server at url who it is. All exchanges with it go through
// transport; nil is HTTP.
func Reach(ctx context.Context, url, challenge string, transport http.RoundTripper) (*Server, error) {
	s := &Server{url: url, challenge: challenge, transport: transport, canned: map[string][]byte{}}
	for _, operation := range []string{"GetCACert", "GetCACaps"} {
		body, err := s.get(ctx, operation)
		if err != nil {
			return nil, err
		}
		s.canned[operation] = body
	}
	client, err := s.client(&call{server: s})
	if err != nil {
		return nil, err
	}
	certs, err := client.Certificates(ctx)
	if err != nil {
		return nil, err
	}
	for _, c := range certs {
		if c.IsCA {
			s.anchors = append(s.anchors, c)
		}
	}
	return s, nil
}

func (s *Server) get(ctx context.Context, operation string) ([]byte, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, s.url+"?operation="+operation, nil)
	if err != nil {
		return nil, err
	}
	response, err := (&http.Client{Transport: s.transport}).Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	return body(response)
}

func body(response *http.Response) ([]byte, error) {
	text, err := io.ReadAll(response.Body)
	if err == nil && response.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %.200s", response.Status, text)
	}
	return text, err
}

// client is the device's, its exchanges made by transport.
func (s *Server) client(transport http.RoundTripper) (*scep.Client, error) {
	c := newleaf.NewConnection(newleaf.DefaultConnection)
	c.URL, c.Timeout = s.url, time.Hour
	return scep.NewClient(c, scep.Options{Transport: transport, Now: time.Now})
}

// Keys makes n RSA-2048 keys on all processors.
func Keys(n int) ([]*rsa.PrivateKey, error) {
	out, failed := make([]*rsa.PrivateKey, n), make([]error, n)
	each(n, runtime.GOMAXPROCS(0), func(i int) { out[i], failed[i] = rsa.GenerateKey(rand.Reader, 2048) })
	return out, errors.Join(failed...)
}

// each calls f for 0..n-1 from so many workers.
func each(n, workers int, f func(i int)) {
	next := make(chan int)
	var wg sync.WaitGroup
	for range workers {
		wg.Go(func() {
			for i := range next {
				f(i)
			}
		})
	}
	for i := range n {
		next <- i
	}
	close(next)
	wg.Wait()
}

// request is a first request of a subject of its own.
func (s *Server) request(name string, key crypto.Signer) (enroll.Request, error) {
	subject, err := newleaf.MarshalSubject("C=JP,O=Load,CN=" + name)
	return enroll.Request{Method: enroll.ByChallenge, TransactionID: name, Key: key, Subject: subject, SAN: []string{"dns:" + name + ".example"},
		Challenge: s.challenge, Trust: enroll.Trust{Anchors: s.anchors}, Verify: true}, err
}
