package load

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/rsa"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"newleaf/internal/enroll"
)

// Batch is requests whose messages are made.
type Batch struct {
	server *Server
	calls  []*call
	read   sync.WaitGroup // the clients that read their answers
}

// call is one client's exchange with the server, held up between message and
// answer.
type call struct {
	server  *Server
	message []byte
	made    chan struct{} // message is there, or err
	body    chan []byte   // of the answer; closed when there is none
	latency time.Duration
	err     error // of the POST, else of the client
}

// RoundTrip gives the client what the server said before, and keeps its message
// until there is an answer to it.
func (c *call) RoundTrip(r *http.Request) (*http.Response, error) {
	operation := r.URL.Query().Get("operation")
	if r.Method == http.MethodGet {
		return answer(r, c.server.canned[operation]), nil
	}
	var err error
	if c.message, err = io.ReadAll(r.Body); err != nil {
		return nil, err
	}
	close(c.made)
	text, ok := <-c.body
	if !ok {
		return nil, errors.New("the POST failed")
	}
	return answer(r, text), nil
}

func answer(r *http.Request, text []byte) *http.Response {
	return &http.Response{StatusCode: http.StatusOK, Status: "200 OK", Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Request: r,
		Header: http.Header{}, Body: io.NopCloser(bytes.NewReader(text)), ContentLength: int64(len(text))}
}

// Prepare makes n requests, each of a new subject; keys serve in turn. Every
// batch has to be ended by Check.
func (s *Server) Prepare(ctx context.Context, n int, keys []*rsa.PrivateKey) (*Batch, error) {
	b := &Batch{server: s}
	tag := make([]byte, 8)
	_, _ = rand.Read(tag) // never fails
	for i := range n {
		c := &call{server: s, made: make(chan struct{}), body: make(chan []byte, 1)}
		client, err := s.client(c)
		if err != nil {
			return nil, err
		}
		r, err := s.request(fmt.Sprintf("%s-%d", hex.EncodeToString(tag), i), keys[i%len(keys)])
		if err != nil {
			return nil, err
		}
		b.calls = append(b.calls, c)
		b.read.Go(func() {
			got, err := client.Send(ctx, r)
			if err == nil {
				err = fits(got, r)
			}
			if c.err == nil {
				c.err = err
			}
			if c.message == nil {
				close(c.made)
			}
		})
	}
	for _, c := range b.calls {
		<-c.made
		if c.message == nil {
			return nil, errors.Join(errors.New("a message could not be made"), c.err)
		}
	}
	return b, nil
}

// fits verifies that the answer holds a certificate for the key that was asked
// for, from the server's authority.
func fits(a enroll.Answer, r enroll.Request) error {
	if a.Status != enroll.Issued {
		return fmt.Errorf("%s: %s", a.Status, a.Reason)
	}
	_, err := enroll.Check(a.Certificates, enroll.Wanted{Public: r.Key.Public(), Trust: r.Trust, Verify: true})
	return err
}

// Post sends every message, workers at a time, and returns how long that took.
// Only this is to be measured.
func (b *Batch) Post(ctx context.Context, workers int) time.Duration {
	client := &http.Client{Transport: b.server.transport}
	if client.Transport == nil {
		client.Transport = &http.Transport{MaxIdleConnsPerHost: workers, DisableCompression: true}
		defer client.CloseIdleConnections()
	}
	var next atomic.Int64
	var wg sync.WaitGroup
	start := time.Now()
	for range workers {
		wg.Go(func() {
			for i := int(next.Add(1)) - 1; i < len(b.calls); i = int(next.Add(1)) - 1 {
				b.calls[i].post(ctx, client)
			}
		})
	}
	wg.Wait()
	return time.Since(start)
}

func (c *call) post(ctx context.Context, client *http.Client) {
	begun := time.Now()
	text, err := func() ([]byte, error) {
		r, err := http.NewRequestWithContext(ctx, http.MethodPost, c.server.url+"?operation=PKIOperation", bytes.NewReader(c.message))
		if err != nil {
			return nil, err
		}
		r.Header.Set("Content-Type", "application/x-pki-message")
		response, err := client.Do(r)
		if err != nil {
			return nil, err
		}
		defer response.Body.Close()
		return body(response)
	}()
	c.latency = time.Since(begun)
	if err != nil {
		c.err = err
		close(c.body)
		return
	}
	c.body <- text
}

// Check has every client verify and open its answer. It returns the latencies of
// the POSTs in milliseconds; one certificate that is missing is an error.
func (b *Batch) Check() ([]float64, error) {
	b.read.Wait()
	var latencies []float64
	for _, c := range b.calls {
		if c.err != nil {
			return nil, fmt.Errorf("an enrollment failed: %w", c.err)
		}
		latencies = append(latencies, c.latency.Seconds()*1e3)
	}
	return latencies, nil
}
