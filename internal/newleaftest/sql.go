package newleaftest

import (
	"context"
	"database/sql"
	"path/filepath"
	"testing"

	"newleaf/internal/db"
)

// SQL changes the closed store in folder dir behind its back, as a failing disk
// or an intruder would.
func SQL(t testing.TB, dir, statement string, args ...any) {
	t.Helper()
	d, err := db.Open(filepath.Join(dir, "newleaf.db"), db.Options{})
	if err != nil {
		t.Fatal(err)
	}
	err = d.Write(context.Background(), func(tx *sql.Tx) error {
		_, err := tx.Exec(statement, args...)
		return err
	})
	if err != nil {
		t.Fatalf("%s: %v", statement, err)
	}
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
}
