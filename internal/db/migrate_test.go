package db_test

import (
	"context"
	"database/sql"
	"errors"
	"os"
	"strings"
	"testing"

	"newleaf/internal/db"
)

// versions opens the store at path once with each set of migrations, in turn.
func versions(t *testing.T, path string, sets ...[]string) error {
	t.Helper()
	for _, set := range sets {
		d, err := db.Open(path, db.Options{Migrations: set})
		if err != nil {
			return err
		}
		if err := d.Close(); err != nil {
			t.Fatal(err)
		}
	}
	return nil
}

func TestMigrations(t *testing.T) {
	const (
		one   = `CREATE TABLE a (x)`
		two   = `ALTER TABLE a ADD COLUMN y; CREATE TABLE b (z)`
		three = `CREATE TABLE c (w); UPDATE meta SET value = 3 WHERE key = 'min_reader'`
	)
	tests := []struct {
		name string
		sets [][]string
		err  error
	}{
		{"all at once", [][]string{{one, two, three}}, nil},
		{"one after the other", [][]string{{one}, {one, two}, {one, two, three}}, nil},
		{"back and forth (firmware A/B)", [][]string{{one, two}, {one}, {one, two}}, nil},
		{"back below min_reader", [][]string{{one, two, three}, {one, two}}, db.ErrTooNew},
		{"back to nothing", [][]string{{one}, {}}, nil},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if err := versions(t, temp(t), test.sets...); !errors.Is(err, test.err) {
				t.Errorf("got %v, want %v", err, test.err)
			}
		})
	}
}

func TestNewerStoreKeepsItsVersion(t *testing.T) {
	path := temp(t)
	if err := versions(t, path, append(migrations, `CREATE TABLE later (x)`)); err != nil {
		t.Fatal(err)
	}
	d := open(t, path)
	var version int
	err := d.Read(t.Context(), func(tx *sql.Tx) error { return tx.QueryRow(`PRAGMA user_version`).Scan(&version) })
	if err != nil || version != 2 {
		t.Errorf("version %d, %v; want 2", version, err)
	}
}

func TestMigrationsOnlyAdd(t *testing.T) {
	for _, taking := range []string{
		`DROP TABLE vein`,
		`ALTER TABLE leaf DROP COLUMN name`,
		`ALTER TABLE leaf RENAME COLUMN name TO title`,
	} {
		t.Run(taking, func(t *testing.T) {
			err := versions(t, temp(t), migrations, append(migrations, taking))
			if err == nil || !strings.Contains(err.Error(), "migrations only add") {
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestFailedMigrationChangesNothing(t *testing.T) {
	path := temp(t)
	broken := append(migrations, `CREATE TABLE half (x)`, `CREATE TABLE oops (`)
	if err := versions(t, path, broken); err == nil {
		t.Fatal("a broken migration made a new store")
	}
	if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the new store: %v, want that there is none", err)
	}
	if err := versions(t, path, migrations, broken); err == nil {
		t.Fatal("a broken migration was accepted")
	}
	d := open(t, path)
	err := d.Write(context.Background(), func(tx *sql.Tx) error {
		_, err := tx.Exec(`CREATE TABLE half (x)`)
		return err
	})
	if err != nil {
		t.Errorf("the first half of the migration was kept: %v", err)
	}
}
