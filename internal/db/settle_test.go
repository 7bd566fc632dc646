package db

import (
	"database/sql"
	"errors"
	"path/filepath"
	"testing"
)

// Each settle must change a page, or it would settle nothing.
func TestSettleChangesEachTime(t *testing.T) {
	d, err := Open(filepath.Join(t.TempDir(), "store.db"), Options{})
	if err != nil {
		t.Fatal(err)
	}
	for want := range 3 {
		var got int
		err := d.Write(t.Context(), func(tx *sql.Tx) error {
			if _, err := tx.Exec(settle); err != nil {
				return err
			}
			return tx.QueryRow(`SELECT value FROM meta WHERE key = 'settled'`).Scan(&got)
		})
		if err != nil || got != want+1 {
			t.Errorf("settled = %d, %v; want %d", got, err, want+1)
		}
	}
	if err := errors.Join(d.Close()); err != nil {
		t.Fatal(err)
	}
}
