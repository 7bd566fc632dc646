package bench_test

import (
	"context"
	"crypto"
	"crypto/rsa"
	"encoding/binary"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"newleaf"
	"newleaf/bench/internal/device"
	"newleaf/bench/internal/load"
	"newleaf/internal/ca"
	"newleaf/internal/enroll"
	"newleaf/internal/scep"
)

const url = "http://authority.example/scep"

// direct calls a handler without a socket.
type direct struct{ http.Handler }

func (d direct) RoundTrip(r *http.Request) (*http.Response, error) {
	w := httptest.NewRecorder()
	d.ServeHTTP(w, r)
	return w.Result(), nil
}

func openCA(t testing.TB) (c *ca.CA, dir string) {
	t.Helper()
	dir = t.TempDir()
	c, err := ca.Open(ca.Options{Dir: dir, Challenge: "secret", Live: 100, Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c, dir
}

// enrollments posts n requests from so many workers to a handler.
func enrollments(t testing.TB, h http.Handler, n, workers int) {
	t.Helper()
	s, err := load.Reach(t.Context(), url, "secret", direct{h})
	if err != nil {
		t.Fatal(err)
	}
	batch, err := s.Prepare(t.Context(), n, someKeys(t, 2))
	if err != nil {
		t.Fatal(err)
	}
	batch.Post(t.Context(), workers)
	if _, err := batch.Check(); err != nil {
		t.Fatal(err)
	}
}

func someKeys(t testing.TB, n int) []*rsa.PrivateKey {
	t.Helper()
	keys, err := load.Keys(n)
	if err != nil {
		t.Fatal(err)
	}
	return keys
}

// counter counts the private operations of the keys it stands before, and how
// many run at a time.
type counter struct{ signed, decrypted, now, most atomic.Int64 }

func (c *counter) enter(kind *atomic.Int64) func() {
	kind.Add(1)
	n := c.now.Add(1)
	for m := c.most.Load(); n > m && !c.most.CompareAndSwap(m, n); m = c.most.Load() {
	}
	return func() { c.now.Add(-1) }
}

// counted is a key whose uses are counted.
type counted struct {
	crypto.Signer
	*counter
}

func (k counted) Sign(random io.Reader, digest []byte, o crypto.SignerOpts) ([]byte, error) {
	defer k.enter(&k.signed)()
	return k.Signer.Sign(random, digest, o)
}

func (k counted) Decrypt(random io.Reader, text []byte, o crypto.DecrypterOpts) ([]byte, error) {
	defer k.enter(&k.decrypted)()
	return k.Signer.(crypto.Decrypter).Decrypt(random, text, o)
}

// countedCA is an authority whose keys are counted.
type countedCA struct {
	*ca.CA
	*counter
}

func (c countedCA) Identity() enroll.Identity {
	id := c.CA.Identity()
	id.Sign = counted{id.Sign, c.counter}
	id.Decrypt = counted{id.Decrypt.(crypto.Signer), c.counter}
	return id
}

// countedClient counts what a device does with its keys.
type countedClient struct {
	enroll.Client
	*counter
}

func (c countedClient) Send(ctx context.Context, r enroll.Request) (enroll.Answer, error) {
	r.Key = counted{r.Key, c.counter}
	if r.Present != nil {
		r.Present = &enroll.Credential{Certificate: r.Present.Certificate, Key: counted{r.Present.Key, c.counter}}
	}
	return c.Client.Send(ctx, r)
}

// newDevice starts a device that enrolls at the authority without a socket, and
// the meter of its walks.
func newDevice(t testing.TB, c *ca.CA, o device.Options) (d *device.Device, m *device.Meter, dir string) {
	t.Helper()
	dir = t.TempDir()
	if err := device.Fill(t.Context(), dir, device.Authority{URL: url, Issuer: c.Identity().Issuer}, someKeys(t, 3)); err != nil {
		t.Fatal(err)
	}
	m = &device.Meter{}
	o.Meter = m
	if o.Dial == nil {
		o.Dial = dial(c, &counter{})
	}
	d, err := device.Start(t.Context(), dir, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	})
	return d, m, dir
}

// dial is a device's way to the authority.
func dial(c *ca.CA, n *counter) func(newleaf.Connection) (enroll.Client, error) {
	transport := direct{scep.NewServer(c, scep.ServerOptions{})}
	return func(conn newleaf.Connection) (enroll.Client, error) {
		client, err := scep.NewClient(conn, scep.Options{Transport: transport, Now: time.Now})
		return countedClient{client, n}, err
	}
}

// issue enrolls with the password, update updates that certificate.
func issue(t testing.TB, d *device.Device, m *device.Meter) device.Walk {
	t.Helper()
	w, err := m.Walk(t.Context(), d, func() (newleaf.Renewal, error) { return d.Issue(t.Context(), device.Issue("web", "secret")) })
	if err != nil {
		t.Fatal(err)
	}
	return w
}

func update(t testing.TB, d *device.Device, m *device.Meter) device.Walk {
	t.Helper()
	w, err := m.Walk(t.Context(), d, func() (r newleaf.Renewal, err error) {
		_, started, err := d.Update(t.Context(), nil, false)
		if err != nil {
			return r, err
		}
		return started[0], nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// commits counts the transactions in the log of the SQLite file
// (https://www.sqlite.org/fileformat2.html#the_write_ahead_log): each ends with a
// frame that tells the size of the database, and each was synced.
func commits(t testing.TB, dir, file string) (n int) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, file+"-wal"))
	if err != nil {
		t.Fatal(err)
	}
	if len(text) == 0 {
		return 0
	}
	salt := string(text[16:24])
	for frame := text[32:]; len(frame) >= 24+4096 && string(frame[8:16]) == salt; frame = frame[24+4096:] {
		if binary.BigEndian.Uint32(frame[4:]) != 0 {
			n++
		}
	}
	return n
}
