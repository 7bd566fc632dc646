package bench_test

import (
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"newleaf/bench/internal/floor"
	"newleaf/bench/internal/load"
	"newleaf/bench/internal/measure"
	"newleaf/internal/scep"
)

// The authority opens a request and signs its answer with an RSA key, each once;
// more than GOMAXPROCS+1 at a time would only make everybody late.
func TestAuthorityOperations(t *testing.T) {
	c, dir := openCA(t)
	n := &counter{}
	const requests = 40
	before := commits(t, dir, "ca.db")
	enrollments(t, scep.NewServer(countedCA{c, n}, scep.ServerOptions{}), requests, 16)
	if n.decrypted.Load() != requests || n.signed.Load() != requests {
		t.Errorf("%d requests took %d decryptions and %d signatures, want one of each", requests, n.decrypted.Load(), n.signed.Load())
	}
	if most := int64(runtime.GOMAXPROCS(0) + 1); n.most.Load() > most {
		t.Errorf("%d private operations ran at a time, at most %d", n.most.Load(), most)
	}
	if got := commits(t, dir, "ca.db") - before; got < 1 || got > requests {
		t.Errorf("%d requests took %d durable transactions, at most one each", requests, got)
	}
}

// The authority reads its keys when it is opened, and never again.
func TestAuthorityParsesKeysOnce(t *testing.T) {
	c, dir := openCA(t)
	files, err := filepath.Glob(filepath.Join(dir, "*.pem"))
	if err != nil || len(files) == 0 {
		t.Fatalf("the keys are not where they were: %v", err)
	}
	for _, f := range files {
		if err := os.Remove(f); err != nil {
			t.Fatal(err)
		}
	}
	if c.Identity().Sign != c.Identity().Sign || c.Identity().Decrypt != c.Identity().Decrypt {
		t.Error("each look at the authority brings other keys")
	}
	enrollments(t, scep.NewServer(c, scep.ServerOptions{}), 2, 1)
}

// An enrollment is worth at most so many allocations at the authority, of the
// client that checks the answer none, and not twice those of the floor.
func TestAuthorityAllocations(t *testing.T) {
	c, _ := openCA(t)
	f, err := floor.Open(filepath.Join(t.TempDir(), "floor.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.Close() })
	ours, least := allocations(t, scep.NewServer(c, scep.ServerOptions{})), allocations(t, f)
	t.Logf("%.0f allocations, the floor %.0f", ours, least)
	if ours > 2000 || ours > 2*least {
		t.Errorf("an enrollment makes %.0f allocations, at most 2,000 and twice the floor's %.0f", ours, least)
	}
}

// allocations is what one enrollment makes at a server.
func allocations(t *testing.T, h http.Handler) float64 {
	t.Helper()
	s, err := load.Reach(t.Context(), url, "secret", direct{h})
	if err != nil {
		t.Fatal(err)
	}
	const n = 30
	batch, err := s.Prepare(t.Context(), n, someKeys(t, 2))
	if err != nil {
		t.Fatal(err)
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	batch.Post(t.Context(), 1)
	runtime.ReadMemStats(&after)
	if _, err := batch.Check(); err != nil {
		t.Fatal(err)
	}
	return float64(after.Mallocs-before.Mallocs) / n
}

// BenchmarkEnroll is the server's part of an enrollment, of the lab authority
// and of the least that a server can do, without sockets. Profile it with
// -cpuprofile; the messages are made outside the timer.
func BenchmarkEnroll(b *testing.B) {
	c, _ := openCA(b)
	f, err := floor.Open(filepath.Join(b.TempDir(), "floor.db"))
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = f.Close() })
	for _, server := range []struct {
		name    string
		handler http.Handler
	}{{"authority", scep.NewServer(c, scep.ServerOptions{})}, {"floor", f}} {
		b.Run(server.name, func(b *testing.B) {
			keys := someKeys(b, 4)
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
