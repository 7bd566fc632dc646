package bench_test

import (
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"testing"
	"time"

	"newleaf/bench/internal/floor"
	"newleaf/bench/internal/load"
	"newleaf/bench/internal/measure"
	"newleaf/internal/ca"
	"newleaf/internal/scep"
)

// direct calls a handler without a socket.
type direct struct{ http.Handler }

func (d direct) RoundTrip(r *http.Request) (*http.Response, error) {
	w := httptest.NewRecorder()
	d.ServeHTTP(w, r)
	return w.Result(), nil
}

const url = "http://authority.example/scep"

func openCA(t testing.TB) *ca.CA {
	t.Helper()
	c, err := ca.Open(ca.Options{Dir: t.TempDir(), Challenge: "secret", Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// BenchmarkEnroll is the server's part of an enrollment, of the lab authority
// and of the least that a server can do, without sockets. Profile it with
// -cpuprofile; the messages are made outside the timer.
func BenchmarkEnroll(b *testing.B) {
	f, err := floor.Open(filepath.Join(b.TempDir(), "floor.db"))
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = f.Close() })
	for _, server := range []struct {
		name    string
		handler http.Handler
	}{{"authority", scep.NewServer(openCA(b), scep.ServerOptions{})}, {"floor", f}} {
		b.Run(server.name, func(b *testing.B) {
			keys, err := load.Keys(4)
			if err != nil {
				b.Fatal(err)
			}
			s, err := load.Reach(b.Context(), url, "secret", direct{server.handler})
			if err != nil {
				b.Fatal(err)
			}
			batch, err := s.Prepare(b.Context(), b.N, keys)
			if err != nil {
				b.Fatal(err)
			}
			unit := measure.Unit(keys[0], 2)
			b.ReportAllocs()
			b.ResetTimer()
			before := measure.CPU()
			batch.Post(b.Context(), 8)
			used := measure.CPU() - before
			b.StopTimer()
			if _, err := batch.Check(); err != nil {
				b.Fatal(err)
			}
			b.ReportMetric(float64(used)/float64(b.N)/float64(unit), "RSAu/op")
		})
	}
}
