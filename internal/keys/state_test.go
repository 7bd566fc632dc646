package keys_test

import (
	"database/sql"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"newleaf/internal/db"
	"newleaf/internal/keys"
)

// state is a state folder as the store keeps it: sealed rows in a real
// database, the live generation beside them, the key file next to it.
type state struct {
	dir string
	db  *db.DB
	v   *keys.Vault
}

var migrations = []string{`
	CREATE TABLE key (id TEXT PRIMARY KEY, generation INTEGER NOT NULL, wrapped BLOB NOT NULL, blob BLOB NOT NULL);
	CREATE TABLE vault (live INTEGER NOT NULL);
	INSERT INTO vault VALUES (0);`}

var errStale = errors.New("the generation is no longer live")

func openState(t testing.TB, dir string) *state {
	t.Helper()
	d, err := db.Open(filepath.Join(dir, "store.db"), db.Options{Migrations: migrations})
	if err != nil {
		t.Fatal(err)
	}
	s := &state{dir: dir, db: d}
	t.Cleanup(func() { s.close(t) })
	s.v = openVault(t, s.kek(), s.live(t))
	s.write(t, func(tx *sql.Tx) error {
		_, err := tx.Exec(`UPDATE vault SET live = ?`, s.v.Generation())
		return err
	})
	return s
}

func (s *state) kek() string { return filepath.Join(s.dir, "kek") }

func (s *state) close(t testing.TB) {
	t.Helper()
	if err := s.db.Close(); err != nil {
		t.Error(err)
	}
}

func (s *state) write(t testing.TB, f func(*sql.Tx) error) {
	t.Helper()
	if err := s.db.Write(t.Context(), f); err != nil {
		t.Fatal(err)
	}
}

func (s *state) live(t testing.TB) (live uint64) {
	t.Helper()
	err := s.db.Read(t.Context(), func(tx *sql.Tx) error { return tx.QueryRow(`SELECT live FROM vault`).Scan(&live) })
	if err != nil {
		t.Fatal(err)
	}
	return live
}

// put stores a sealed key if its generation is still the live one.
func put(s keys.Sealed) func(*sql.Tx) error {
	return func(tx *sql.Tx) error {
		r, err := tx.Exec(`INSERT INTO key SELECT ?, ?, ?, ? FROM vault WHERE live = ?`, s.ID, s.Generation, s.Wrapped, s.Blob, s.Generation)
		if err != nil {
			return err
		}
		if n, err := r.RowsAffected(); err != nil || n != 1 {
			return errors.Join(err, errStale)
		}
		return nil
	}
}

// add makes n keys and stores them.
func (s *state) add(t testing.TB, n int) []keys.Sealed {
	t.Helper()
	var all []keys.Sealed
	for range n {
		all = append(all, seal(t, s.v, generate(t, "p256")))
	}
	s.write(t, func(tx *sql.Tx) error {
		for _, sealed := range all {
			if err := put(sealed)(tx); err != nil {
				return err
			}
		}
		return nil
	})
	return all
}

// rows are the keys that are stored.
func rows(tx *sql.Tx) (all []keys.Sealed, err error) {
	r, err := tx.Query(`SELECT id, generation, wrapped, blob FROM key ORDER BY id`)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	for r.Next() {
		var s keys.Sealed
		if err := r.Scan(&s.ID, &s.Generation, &s.Wrapped, &s.Blob); err != nil {
			return nil, err
		}
		all = append(all, s)
	}
	return all, r.Err()
}

func (s *state) rows(t testing.TB) (all []keys.Sealed) {
	t.Helper()
	err := s.db.Read(t.Context(), func(tx *sql.Tx) (err error) { all, err = rows(tx); return err })
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// destroy deletes the rows of gone with a rotation, calling at between the steps.
func (s *state) destroy(t testing.TB, gone []keys.Sealed, at func(step string)) *keys.Rotation {
	t.Helper()
	at("before")
	r, err := s.v.Begin()
	if err != nil {
		t.Fatal(err)
	}
	at("begun")
	s.write(t, func(tx *sql.Tx) error {
		err := replace(tx, r, gone)
		at("not committed")
		return err
	})
	at("committed to the database")
	if err := r.Commit(); err != nil {
		t.Fatal(err)
	}
	at("after")
	return r
}

// replace is what the transaction of a rotation does.
func replace(tx *sql.Tx, r *keys.Rotation, gone []keys.Sealed) error {
	for _, s := range gone {
		if _, err := tx.Exec(`DELETE FROM key WHERE id = ?`, s.ID); err != nil {
			return err
		}
	}
	left, err := rows(tx)
	if err != nil {
		return err
	}
	for _, old := range left {
		s, err := r.Rewrap(old)
		if err != nil {
			return err
		}
		if _, err := tx.Exec(`UPDATE key SET generation = ?, wrapped = ? WHERE id = ?`, s.Generation, s.Wrapped, s.ID); err != nil {
			return err
		}
	}
	_, err = tx.Exec(`UPDATE vault SET live = ?`, r.Generation())
	return err
}

func nowhere(string) {}

// files are the contents of all files of the state folder.
func (s *state) files(t testing.TB) map[string][]byte {
	t.Helper()
	entries, err := os.ReadDir(s.dir)
	if err != nil {
		t.Fatal(err)
	}
	all := make(map[string][]byte)
	for _, e := range entries {
		content, err := os.ReadFile(filepath.Join(s.dir, e.Name()))
		if err != nil {
			t.Fatal(err)
		}
		all[e.Name()] = content
	}
	return all
}

// restore writes files into a new folder.
func restore(t testing.TB, files map[string][]byte) string {
	t.Helper()
	dir := t.TempDir()
	for name, content := range files {
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}
