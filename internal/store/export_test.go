package store

import (
	"database/sql"
	"testing"
)

// Versions are the migrations, for stores of earlier firmware.
func Versions() []string { return migrations }

// Exec runs SQL behind the store's back, as a failing disk or an intruder would.
func (s *Store) Exec(t testing.TB, statement string, args ...any) {
	t.Helper()
	err := s.db.Write(t.Context(), func(tx *sql.Tx) error {
		_, err := tx.Exec(statement, args...)
		return err
	})
	if err != nil {
		t.Fatalf("%s: %v", statement, err)
	}
}

// Parses is how many parsed certificates are remembered.
func (s *Store) Parses() int { return len(s.certificates.all) + len(s.anchors.all) }
