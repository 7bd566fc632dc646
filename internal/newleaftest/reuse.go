package newleaftest

import (
	"crypto"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"newleaf/internal/ca"
	"newleaf/internal/keys"
)

// Making RSA keys takes most of a test's time, so what was made is used again:
// the files of an authority, and the keys of certificates, though never the same
// key twice within one test.
var reuse = struct {
	sync.Mutex
	identities map[string]map[string][]byte // what for -> file -> contents
	keys       []crypto.Signer
	next       map[string]int // test -> its next key
}{identities: map[string]map[string][]byte{}, next: map[string]int{}}

// recall puts the files of an authority of these options into its folder, if
// there were any; the function it returns remembers those of a new one.
func recall(t testing.TB, o ca.Options) (remember func()) {
	t.Helper()
	what := fmt.Sprint(o.Issuer, o.RA, o.Name, o.Next, o.Now().UTC().Truncate(24*time.Hour))
	reuse.Lock()
	defer reuse.Unlock()
	found, _ := filepath.Glob(filepath.Join(o.Dir, "*"))
	if files, ok := reuse.identities[what]; ok && len(found) == 0 {
		for name, data := range files {
			if err := os.WriteFile(filepath.Join(o.Dir, name), data, 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	return func() {
		reuse.Lock()
		defer reuse.Unlock()
		if _, ok := reuse.identities[what]; ok || len(found) > 0 {
			return
		}
		files := map[string][]byte{}
		dir := os.DirFS(o.Dir)
		names, err := fs.Glob(dir, "*.pem")
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range names {
			if files[name], err = fs.ReadFile(dir, name); err != nil {
				t.Fatal(err)
			}
		}
		reuse.identities[what] = files
	}
}

// Key is an RSA-1024 key that this test has not had yet.
func Key(t testing.TB) crypto.Signer {
	t.Helper()
	reuse.Lock()
	defer reuse.Unlock()
	n, seen := reuse.next[t.Name()]
	if !seen {
		t.Cleanup(func() {
			reuse.Lock()
			defer reuse.Unlock()
			delete(reuse.next, t.Name())
		})
	}
	reuse.next[t.Name()] = n + 1
	if n == len(reuse.keys) {
		key, err := keys.Generate("rsa-1024")
		if err != nil {
			t.Fatal(err)
		}
		reuse.keys = append(reuse.keys, key)
	}
	return reuse.keys[n]
}
