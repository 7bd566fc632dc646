package store_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"newleaf"
	"newleaf/internal/store"
)

func TestOpenMakesASealedFolder(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "var", "newleaf")
	open(t, dir)
	for path, want := range map[string]os.FileMode{dir: 0o700, filepath.Join(dir, "newleaf.db"): 0o600} {
		info, err := os.Stat(path)
		if err != nil || info.Mode().Perm() != want {
			t.Errorf("%s: mode %v (%v), want %v", path, info.Mode().Perm(), err, want)
		}
	}
}

func TestOpenRefuses(t *testing.T) {
	whole := t.TempDir()
	s := open(t, whole)
	later := t.TempDir()
	newer := open(t, later)
	newer.Exec(t, `UPDATE meta SET value = 99 WHERE key = 'min_reader'`)
	if err := newer.Close(); err != nil {
		t.Fatal(err)
	}
	garbage := t.TempDir()
	if err := os.WriteFile(filepath.Join(garbage, "newleaf.db"), []byte(strings.Repeat("garbage ", 600)), 0o600); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name, dir, hint string
		want            newleaf.Code
	}{
		{"in use by another", whole, "--state", newleaf.CodeConflict},
		{"garbage", garbage, "provision again", newleaf.CodeDamaged},
		{"too new", later, "newer version", newleaf.CodeDamaged},
		{"not a folder", filepath.Join(garbage, "newleaf.db"), "", newleaf.CodeInternal},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := store.Open(tt.dir)
			var e *newleaf.Error
			if !errors.As(err, &e) || e.Code != tt.want || !strings.Contains(e.Hint, tt.hint) {
				t.Errorf("got %#v, want code %s with a hint of %q", err, tt.want, tt.hint)
			}
		})
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	wantCode(t, s.Read(t.Context(), func(*store.Tx) error { return nil }), newleaf.CodeNotRunning)
	open(t, whole)
}

func TestDiskFull(t *testing.T) {
	big := func(tx *store.Tx) error { return tx.PutDocument("big", strings.Repeat("x", 100_000)) }
	t.Run("full", func(t *testing.T) {
		s := open(t, t.TempDir())
		s.Exec(t, `PRAGMA max_page_count = 1`)
		wantCode(t, s.Write(t.Context(), big), newleaf.CodeDiskFull)
		s.Exec(t, `PRAGMA max_page_count = 100000`)
		if found := get(t, s, func(tx *store.Tx) (bool, error) { return tx.Document("big", new(string)) }); found {
			t.Error("half of a failed transaction was stored")
		}
		write(t, s, big)
	})
	t.Run("read-only", func(t *testing.T) {
		s := open(t, t.TempDir())
		s.Exec(t, `PRAGMA query_only = ON`)
		wantCode(t, s.Write(t.Context(), big), newleaf.CodeDiskFull)
	})
}

func TestWriteIsWholeOrNothing(t *testing.T) {
	s, held := filled(t)
	mine := errors.New("mine")
	err := s.Write(t.Context(), func(tx *store.Tx) error {
		if err := tx.DeleteCertificate(held[0].ID); err != nil {
			return err
		}
		return mine
	})
	if !errors.Is(err, mine) || len(certificates(t, s)) != 3 {
		t.Errorf("got %v, want the function's own error and nothing changed", err)
	}
	known := newleaf.Errorf(newleaf.CodePinned, "pinned")
	if err := s.Write(t.Context(), func(*store.Tx) error { return known }); err != error(known) {
		t.Errorf("got %v, want the very error", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.Write(ctx, func(*store.Tx) error { return nil }); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want context.Canceled", err)
	}
}

func TestReadDoesNotWrite(t *testing.T) {
	s, held := filled(t)
	err := s.Read(t.Context(), func(tx *store.Tx) error { return tx.DeleteCertificate(held[0].ID) })
	if err == nil || len(certificates(t, s)) != 3 {
		t.Errorf("writing in a Read: %v", err)
	}
}
