package keys_test

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"crypto/x509"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"newleaf/internal/keys"
)

func openVault(t testing.TB, path string, live uint64) *keys.Vault {
	t.Helper()
	v, err := keys.OpenVault(path, live)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func kekPath(t testing.TB) string { return filepath.Join(t.TempDir(), "kek") }

func seal(t testing.TB, v *keys.Vault, key crypto.Signer) keys.Sealed {
	t.Helper()
	s, err := v.Seal(key, false)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func samePublic(a, b crypto.Signer) bool {
	return a.Public().(interface{ Equal(crypto.PublicKey) bool }).Equal(b.Public())
}

func TestSealAndOpen(t *testing.T) {
	path := kekPath(t)
	v := openVault(t, path, 0)
	for _, spec := range []keys.Spec{"rsa-1024", "rsa-2048", "p256", "p384"} {
		t.Run(string(spec), func(t *testing.T) {
			key := generate(t, spec)
			s := seal(t, v, key)
			if s.ID != keys.ID(key.Public()) || s.Generation != 1 {
				t.Errorf("sealed as %s of generation %d", s.ID, s.Generation)
			}
			der, err := x509.MarshalPKCS8PrivateKey(key)
			if err != nil {
				t.Fatal(err)
			}
			again := openVault(t, path, 1) // as after a restart
			opened, err := again.Open(s)
			if err != nil || !samePublic(opened, key) {
				t.Errorf("opening: %v", err)
			}
			if got, err := again.OpenPKCS8(s); err != nil || !bytes.Equal(got, der) {
				t.Errorf("opening as PKCS #8: %v", err)
			}
			if bytes.Contains(s.Blob, der[len(der)-16:]) {
				t.Error("the key stands in the blob")
			}
		})
	}
}

func TestSealNeedsAPrivateKey(t *testing.T) {
	var foreign struct{ crypto.Signer }
	if _, err := openVault(t, kekPath(t), 0).Seal(foreign, false); !errors.Is(err, keys.ErrKeyType) {
		t.Errorf("got %v, want ErrKeyType", err)
	}
}

func TestExport(t *testing.T) {
	v, key := openVault(t, kekPath(t), 0), generate(t, "p256")
	kept := seal(t, v, key)
	if _, err := v.Export(kept); !errors.Is(err, keys.ErrNotExportable) {
		t.Errorf("got %v, want ErrNotExportable", err)
	}
	free, err := v.Seal(key, true)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := v.Export(free); err != nil || !samePublic(got, key) {
		t.Errorf("exporting: %v", err)
	}
	// The promise cannot be taken from one row to another.
	mixed := kept
	mixed.Blob = free.Blob
	if _, err := v.Export(mixed); !errors.Is(err, keys.ErrDamaged) {
		t.Errorf("got %v, want ErrDamaged", err)
	}
}

func TestSecrets(t *testing.T) {
	v := openVault(t, kekPath(t), 0)
	for _, secret := range []string{"", "challenge", string(make([]byte, 1000))} {
		s, err := v.SealBytes("connection default", []byte(secret))
		if err != nil {
			t.Fatal(err)
		}
		if got, err := v.OpenBytes(s); err != nil || string(got) != secret {
			t.Errorf("got %q, %v; want %q", got, err, secret)
		}
		if _, err := v.Open(s); !errors.Is(err, keys.ErrDamaged) {
			t.Errorf("opened as a key: got %v, want ErrDamaged", err)
		}
	}
	if _, err := v.OpenBytes(seal(t, v, generate(t, "p256"))); !errors.Is(err, keys.ErrDamaged) {
		t.Errorf("a key opened as a secret: got %v, want ErrDamaged", err)
	}
}

// Every bit of a row counts.
func TestDamagedRow(t *testing.T) {
	v := openVault(t, kekPath(t), 0)
	key := generate(t, "p256")
	whole, other := seal(t, v, key), seal(t, v, generate(t, "p256"))
	check := func(s keys.Sealed) {
		t.Helper()
		if _, err := v.Open(s); !errors.Is(err, keys.ErrDamaged) {
			t.Errorf("got %v, want ErrDamaged", err)
		}
	}
	for _, field := range []func(*keys.Sealed) *[]byte{
		func(s *keys.Sealed) *[]byte { return &s.Wrapped },
		func(s *keys.Sealed) *[]byte { return &s.Blob },
	} {
		for i := range *field(&whole) {
			s := whole
			b := bytes.Clone(*field(&s))
			b[i] ^= 1
			*field(&s) = b
			check(s)
		}
		s := whole
		for _, b := range [][]byte{nil, (*field(&s))[:5], append(bytes.Clone(*field(&s)), 0)} {
			*field(&s) = b
			check(s)
		}
	}
	renamed := whole
	renamed.ID = other.ID
	check(renamed)
	older := whole
	older.Generation = 7
	if _, err := v.Open(older); !errors.Is(err, keys.ErrDestroyed) {
		t.Errorf("got %v, want ErrDestroyed", err)
	}
}

func TestKeyFile(t *testing.T) {
	path := kekPath(t)
	v := openVault(t, path, 0)
	s := seal(t, v, generate(t, "p256"))
	info, err := os.Stat(path)
	if err != nil || info.Mode() != 0o600 || info.Size() != 8192 {
		t.Fatalf("key file: %v %v", info, err)
	}
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	noise := make([]byte, len(whole))
	rand.Read(noise)
	flipped := func(i int) []byte {
		b := bytes.Clone(whole)
		b[i] ^= 1
		return b
	}
	tests := []struct {
		name    string
		content []byte
		live    uint64
		err     error
	}{
		{"whole", whole, 1, nil},
		{"killed before the database knew", whole, 0, nil},
		{"killed while it was made", nil, 0, nil},
		{"killed while it was made, half", whole[:4096], 0, nil},
		{"killed while it was made, zeros", make([]byte, 8192), 0, nil},
		{"empty", nil, 1, keys.ErrKeyFile},
		{"cut short", whole[:8191], 1, keys.ErrKeyFile},
		{"too long", append(bytes.Clone(whole), 0), 1, keys.ErrKeyFile},
		{"noise", noise, 1, keys.ErrKeyFile},
		{"zeros", make([]byte, 8192), 1, keys.ErrKeyFile},
		{"magic", flipped(4096), 1, keys.ErrKeyFile},
		{"generation", flipped(4096 + 23), 1, keys.ErrKeyFile},
		{"key", flipped(4096 + 24), 1, keys.ErrKeyFile},
		{"checksum", flipped(4096 + 87), 1, keys.ErrKeyFile},
		{"slots exchanged", append(bytes.Clone(whole[4096:]), whole[:4096]...), 1, keys.ErrKeyFile},
		{"database one ahead", whole, 2, keys.ErrKeyFile},
		{"database two ahead", whole, 3, keys.ErrKeyFile},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			path := kekPath(t)
			if err := os.WriteFile(path, test.content, 0o600); err != nil {
				t.Fatal(err)
			}
			v, err := keys.OpenVault(path, test.live)
			if !errors.Is(err, test.err) {
				t.Fatalf("got %v, want %v", err, test.err)
			}
			after, readErr := os.ReadFile(path)
			if readErr != nil || err != nil && !bytes.Equal(after, test.content) {
				t.Errorf("the refused file was changed (%v)", readErr)
			}
			if err == nil && bytes.Equal(test.content, whole) {
				if _, err := v.Open(s); err != nil {
					t.Error(err)
				}
			}
		})
	}
	t.Run("missing", func(t *testing.T) {
		if _, err := keys.OpenVault(kekPath(t), 1); !errors.Is(err, keys.ErrKeyFile) {
			t.Errorf("got %v, want ErrKeyFile", err)
		}
	})
	t.Run("lost database", func(t *testing.T) {
		r, err := v.Begin()
		if err != nil {
			t.Fatal(err)
		}
		if err := r.Commit(); err != nil {
			t.Fatal(err)
		}
		if _, err := keys.OpenVault(path, 0); !errors.Is(err, keys.ErrKeyFile) {
			t.Errorf("got %v, want ErrKeyFile", err)
		}
		openVault(t, path, 2) // nothing was lost by the attempt
	})
}
