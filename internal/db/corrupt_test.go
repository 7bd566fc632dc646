package db_test

import (
	"bytes"
	"database/sql"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"newleaf/internal/db"
)

// A damaged file is refused by name and stays as it is.
func TestDamagedFile(t *testing.T) {
	whole := storeBytes(t)
	tests := map[string][]byte{
		"garbage":            bytes.Repeat([]byte("garbage "), 2000),
		"zeros":              make([]byte, len(whole)),
		"first page garbage": append(bytes.Repeat([]byte{0xa5}, 4096), whole[4096:]...),
		"behind the header":  append(bytes.Clone(whole[:100]), bytes.Repeat([]byte{0xa5}, len(whole)-100)...),
	}
	for name, size := range map[string]int{
		"empty": 0, "one byte": 1, "part of the header": 50, "header": 100, "511 bytes": 511, "512 bytes": 512,
		"one page": 4096, "half": len(whole) / 2, "last page missing": len(whole) - 4096, "last byte missing": len(whole) - 1,
	} {
		tests["truncated: "+name] = whole[:size]
	}
	for name, content := range tests {
		t.Run(name, func(t *testing.T) {
			path := temp(t)
			if err := os.WriteFile(path, content, 0o600); err != nil {
				t.Fatal(err)
			}
			d, err := db.Open(path, db.Options{Migrations: append(migrations, `CREATE TABLE later (x)`)})
			if err == nil {
				_ = d.Close()
			}
			if !errors.Is(err, db.ErrCorrupt) || !strings.Contains(err.Error(), path) {
				t.Errorf("got %v, want ErrCorrupt that names the file", err)
			}
			after, err := os.ReadFile(path)
			if err != nil || !bytes.Equal(after, content) {
				t.Errorf("the file was changed (%v)", err)
			}
			entries, err := filepath.Glob(filepath.Dir(path) + "/*")
			if err != nil || len(entries) != 1 {
				t.Errorf("files now: %v, %v; want the damaged one alone", entries, err)
			}
		})
	}
}

func TestDamageFoundLater(t *testing.T) {
	whole := storeBytes(t)
	path := temp(t)
	for i := len(whole) / 2; i < len(whole); i++ {
		whole[i] = 0xa5
	}
	if err := os.WriteFile(path, whole, 0o600); err != nil {
		t.Fatal(err)
	}
	err := open(t, path).Read(t.Context(), func(tx *sql.Tx) error {
		var n int
		return tx.QueryRow(`SELECT sum(length(name)) FROM leaf`).Scan(&n)
	})
	if !errors.Is(err, db.ErrCorrupt) || !strings.Contains(err.Error(), path) {
		t.Errorf("got %v, want ErrCorrupt that names the file", err)
	}
}

func TestForeignDatabase(t *testing.T) {
	path := temp(t)
	foreign, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := foreign.Exec(`CREATE TABLE moz_places (url)`); err != nil {
		t.Fatal(err)
	}
	if err := foreign.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := db.Open(path, db.Options{Migrations: migrations}); !errors.Is(err, db.ErrCorrupt) {
		t.Errorf("got %v, want ErrCorrupt", err)
	}
}

// A log without its store must not be replayed into a new one.
func TestLostStoreWithLog(t *testing.T) {
	path := temp(t)
	if err := os.WriteFile(path+"-wal", []byte("frames"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := db.Open(path, db.Options{Migrations: migrations}); !errors.Is(err, db.ErrCorrupt) {
		t.Errorf("got %v, want ErrCorrupt", err)
	}
}

// What a crash left while the store was made does not stand in the way.
func TestLeftoversOfCreation(t *testing.T) {
	path := temp(t)
	for _, suffix := range []string{".new", ".new-wal"} {
		if err := os.WriteFile(path+suffix, []byte("half"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	d := open(t, path)
	if err := d.Write(t.Context(), insert(1, "a")); err != nil {
		t.Fatal(err)
	}
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.Link(path, path+".new"); err != nil { // killed between the link and the removal
		t.Fatal(err)
	}
	want(t, open(t, path), 1)
	if _, err := os.Stat(path + ".new"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the second name is still there: %v", err)
	}
}

// storeBytes is the file of a store with some pages.
func storeBytes(t *testing.T) []byte {
	t.Helper()
	path := temp(t)
	d := open(t, path)
	err := d.Write(t.Context(), func(tx *sql.Tx) error {
		for id := range 100 {
			if err := insert(id, strings.Repeat("x", 500))(tx); err != nil {
				return err
			}
		}
		return nil
	})
	if err := errors.Join(err, d.Close()); err != nil {
		t.Fatal(err)
	}
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return content
}
