package bench_test

import (
	"crypto/sha256"
	"crypto/tls"
	"io/fs"
	"os"
	"testing"
	"testing/synctest"
	"time"

	"newleaf/bench/internal/device"
	"newleaf/internal/web"
)

// An enrollment takes four private operations: the throw-away certificate, the
// PKCS #10, the message, the answer. A renewal needs no throw-away certificate.
func TestDeviceOperations(t *testing.T) {
	c, _ := openCA(t)
	n := &counter{}
	d, m, _ := newDevice(t, c, device.Options{Deaf: true, Dial: dial(c, n)})
	issue(t, d, m)
	if n.signed.Load() != 3 || n.decrypted.Load() != 1 {
		t.Errorf("an enrollment took %d signatures and %d decryptions, want 3 and 1", n.signed.Load(), n.decrypted.Load())
	}
	n.signed.Store(0)
	n.decrypted.Store(0)
	update(t, d, m)
	if n.signed.Load() != 2 || n.decrypted.Load() != 1 {
		t.Errorf("a renewal took %d signatures and %d decryptions, want 2 and 1", n.signed.Load(), n.decrypted.Load())
	}
}

// A renewal is so many durable transactions: each step that must survive a kill,
// and no more.
func TestDeviceTransactions(t *testing.T) {
	c, _ := openCA(t)
	d, m, dir := newDevice(t, c, device.Options{})
	issue(t, d, m)
	const most = 12
	before := commits(t, dir, "newleaf.db")
	update(t, d, m)
	got := commits(t, dir, "newleaf.db") - before
	t.Logf("an update took %d durable transactions", got)
	if got < 7 || got > most {
		t.Errorf("an update took %d durable transactions, want at most %d, and at least one for each of the seven steps", got, most)
	}
}

// Replacing the certificate breaks no handshake, and the clients see both.
func TestDeviceSwitch(t *testing.T) {
	c, _ := openCA(t)
	d, m, _ := newDevice(t, c, device.Options{})
	issue(t, d, m)
	for range 3 {
		s := device.Shake(d.Address, 4)
		s.Await(10)
		w := update(t, d, m)
		s.Await(10)
		s.Stop()
		_, both, failed := s.After(w.At["bind.trial"])
		if failed > 0 || !both {
			t.Errorf("of %d handshakes %d failed; both certificates seen: %v", s.Len(), failed, both)
		}
	}
}

// A handshake takes the certificate as it lies there: nothing is read or parsed.
func TestDeviceHandshakeParsesNothing(t *testing.T) {
	live, err := web.NewLive(time.Now, "localhost")
	if err != nil {
		t.Fatal(err)
	}
	served := &tls.Certificate{PrivateKey: someKeys(t, 1)[0]}
	live.Set(served)
	if n := testing.AllocsPerRun(100, func() { _, _ = live.GetCertificate(nil) }); n != 0 {
		t.Errorf("choosing the certificate makes %v allocations", n)
	}
	if got, err := live.GetCertificate(nil); err != nil || got != served {
		t.Errorf("a handshake gets another certificate than was set: %v", err)
	}
}

// A day on which nothing is due leaves every byte of the state as it was.
func TestDeviceIdleDay(t *testing.T) {
	if testing.Short() {
		t.Skip("a day has 1,440 looks at the store")
	}
	c, _ := openCA(t)
	keys := someKeys(t, 2)
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		if err := device.Fill(t.Context(), dir, device.Authority{URL: url, Issuer: c.Identity().Issuer}, keys); err != nil {
			t.Fatal(err)
		}
		m := &device.Meter{}
		d, err := device.Start(t.Context(), dir, device.Options{Deaf: true, Meter: m})
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(10 * time.Minute) // what a start leaves to do
		before, looks := contents(t, dir), m.Looks()
		time.Sleep(24 * time.Hour)
		synctest.Wait()
		if n := m.Looks() - looks; n < 24*60 {
			t.Errorf("the agent looked at the clock %d times in a day, want once a minute", n)
		}
		for name, sum := range contents(t, dir) {
			if before[name] != sum {
				t.Errorf("%s was written on an idle day", name)
			}
		}
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	})
}

// contents are the sums of the files in dir.
func contents(t *testing.T, dir string) map[string][32]byte {
	t.Helper()
	sums := map[string][32]byte{}
	err := fs.WalkDir(os.DirFS(dir), ".", func(name string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		text, err := fs.ReadFile(os.DirFS(dir), name)
		sums[name] = sha256.Sum256(text)
		return err
	})
	if err != nil || len(sums) < 3 {
		t.Fatalf("%d files of state: %v", len(sums), err)
	}
	return sums
}
