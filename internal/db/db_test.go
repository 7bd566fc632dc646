package db_test

import (
	"context"
	"database/sql"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"newleaf/internal/db"
)

var migrations = []string{`CREATE TABLE leaf (id INTEGER PRIMARY KEY, name TEXT NOT NULL);
	CREATE TABLE vein (leaf INTEGER REFERENCES leaf (id) DEFERRABLE INITIALLY DEFERRED);`}

func open(t *testing.T, path string) *db.DB {
	t.Helper()
	d, err := db.Open(path, db.Options{Migrations: migrations})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	})
	return d
}

func temp(t *testing.T) string { return filepath.Join(t.TempDir(), "store.db") }

// insert adds one row.
func insert(id int, name string) func(*sql.Tx) error {
	return func(tx *sql.Tx) error {
		_, err := tx.Exec(`INSERT INTO leaf (id, name) VALUES (?, ?)`, id, name)
		return err
	}
}

// ids are the rows that are there.
func ids(t *testing.T, d *db.DB) []int {
	t.Helper()
	var all []int
	err := d.Read(t.Context(), func(tx *sql.Tx) error {
		rows, err := tx.Query(`SELECT id FROM leaf ORDER BY id`)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var id int
			if err := rows.Scan(&id); err != nil {
				return err
			}
			all = append(all, id)
		}
		return rows.Err()
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func want(t *testing.T, d *db.DB, rows ...int) {
	t.Helper()
	if diff := cmp.Diff(rows, ids(t, d)); diff != "" {
		t.Errorf("rows (-want +got):\n%s", diff)
	}
}

func TestStoreSurvivesReopening(t *testing.T) {
	for _, name := range []string{"store.db", "a b?c#d%e&f=g.db"} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), name)
			d := open(t, path)
			if err := d.Write(t.Context(), insert(1, "a")); err != nil {
				t.Fatal(err)
			}
			if err := d.Close(); err != nil {
				t.Fatal(err)
			}
			want(t, open(t, path), 1)
			info, err := os.Stat(path)
			if err != nil || info.Mode() != 0o600 {
				t.Errorf("stat: %v %v, want mode 0600", info, err)
			}
		})
	}
}

func TestWriteIsAllOrNothing(t *testing.T) {
	d := open(t, temp(t))
	failure := errors.New("second thoughts")
	for name, f := range map[string]func(*sql.Tx) error{
		"error": func(tx *sql.Tx) error { return errors.Join(insert(1, "a")(tx), failure) },
		"constraint": func(tx *sql.Tx) error {
			return errors.Join(insert(1, "a")(tx), insert(1, "b")(tx))
		},
		"deferred constraint, found by the commit": func(tx *sql.Tx) error {
			_, err := tx.Exec(`INSERT INTO leaf VALUES (1, 'a'); INSERT INTO vein VALUES (99)`)
			return err
		},
		"transaction ended inside": func(tx *sql.Tx) error {
			_, err := tx.Exec(`INSERT INTO leaf VALUES (1, 'a'); ROLLBACK`)
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			if err := d.Write(t.Context(), f); err == nil {
				t.Error("got no error")
			}
			want(t, d)
		})
	}
	t.Run("panic", func(t *testing.T) {
		defer func() {
			if got := recover(); got != failure {
				t.Errorf("recovered %v, want %v", got, failure)
			}
			want(t, d)
		}()
		_ = d.Write(t.Context(), func(tx *sql.Tx) error {
			if err := insert(1, "a")(tx); err != nil {
				t.Error(err)
			}
			panic(failure)
		})
	})
	if err := d.Write(t.Context(), insert(2, "b")); err != nil {
		t.Error(err)
	}
	want(t, d, 2)
}

func TestReadChangesNothing(t *testing.T) {
	d := open(t, temp(t))
	if err := d.Read(t.Context(), insert(1, "a")); err != nil {
		t.Fatal(err)
	}
	want(t, d)
}

// A canceled query makes database/sql throw the connection away; the next one
// must be set up in the same way.
func TestEveryConnectionIsSetUp(t *testing.T) {
	d := open(t, temp(t))
	settings := map[string]string{
		"journal_mode": "wal", "locking_mode": "exclusive", "synchronous": "2", "foreign_keys": "1",
		"mmap_size": "0", "cache_size": "-256", "temp_store": "2",
	}
	check := func(t *testing.T) {
		for name, value := range settings {
			var got string
			err := d.Read(t.Context(), func(tx *sql.Tx) error { return tx.QueryRow(`PRAGMA ` + name).Scan(&got) })
			if err != nil || got != value {
				t.Errorf("%s = %q, %v; want %q", name, got, err, value)
			}
		}
	}
	t.Run("first", check)
	ctx, cancel := context.WithCancel(t.Context())
	err := d.Write(t.Context(), func(tx *sql.Tx) error {
		rows, err := tx.QueryContext(ctx, `WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n) SELECT i FROM n`)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			cancel()
		}
		return rows.Err()
	})
	if !errors.Is(err, context.Canceled) {
		t.Fatalf("got %v, want canceled", err)
	}
	t.Run("after a canceled query", check)
}

func TestContextBoundsTheWaitOnly(t *testing.T) {
	d := open(t, temp(t))
	ctx, cancel := context.WithCancel(t.Context())
	err := d.Write(ctx, func(tx *sql.Tx) error {
		cancel()
		return insert(1, "a")(tx)
	})
	if err != nil {
		t.Errorf("a transaction that has begun: %v", err)
	}
	for name, err := range map[string]error{
		"Write":  d.Write(ctx, insert(2, "b")),
		"Submit": d.Submit(ctx, insert(2, "b")),
	} {
		if !errors.Is(err, context.Canceled) {
			t.Errorf("%s: got %v, want canceled", name, err)
		}
	}
	want(t, d, 1)
}

func TestClosed(t *testing.T) {
	d := open(t, temp(t))
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	for name, call := range map[string]func(context.Context, func(*sql.Tx) error) error{
		"Read": d.Read, "Write": d.Write, "Submit": d.Submit,
	} {
		if err := call(t.Context(), insert(1, "a")); !errors.Is(err, db.ErrClosed) {
			t.Errorf("%s: got %v, want ErrClosed", name, err)
		}
	}
}
