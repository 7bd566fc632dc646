package store_test

import (
	"fmt"
	"path/filepath"
	"testing"

	"newleaf"
	"newleaf/internal/db"
	"newleaf/internal/store"
)

// working does what firmware does with a store.
func working(t *testing.T, s *store.Store, name string) {
	t.Helper()
	write(t, s, func(tx *store.Tx) error {
		c := entry(t, name)
		renewal, err := tx.PutRenewal(newleaf.Renewal{Phase: newleaf.PhaseRunning})
		for _, e := range []error{err,
			tx.PutDocument(store.DocSettings, newleaf.DefaultSettings()),
			tx.AddCertificate(c),
			tx.PutKey(store.Key{ID: c.KeyID}),
			tx.PutSecret("password:"+name, store.Key{ID: name}),
			tx.PutBinding(newleaf.Binding{Purpose: newleaf.Purpose("tls:" + name), Current: c.ID}),
			tx.PutAnchor(newleaf.Anchor{ID: c.ID, DER: c.DER, Role: newleaf.RoleAnchor}),
			tx.PutConnection(newleaf.NewConnection(name)),
			tx.PutOwed(newleaf.Owed{Certificate: c.ID, Renewal: renewal.ID}),
			tx.PutToken(newleaf.Token{ID: name}, []byte(name)),
		} {
			if e != nil {
				return e
			}
		}
		_, err = tx.Append(newleaf.Event{At: then, Text: name})
		return err
	})
}

func counts(t *testing.T, s *store.Store) (n [10]int) {
	t.Helper()
	read(t, s, func(tx *store.Tx) error {
		certificates, e0 := tx.Certificates()
		keys, e1 := tx.Keys()
		secrets, e2 := tx.Secrets()
		bindings, e3 := tx.Bindings()
		anchors, e4 := tx.Anchors()
		connections, e5 := tx.Connections()
		renewals, e6 := tx.Renewals(false)
		owed, e7 := tx.Owed()
		tokens, e8 := tx.Tokens()
		events, e9 := tx.Events(0, 0)
		n = [10]int{len(certificates), len(keys), len(secrets), len(bindings), len(anchors),
			len(connections), len(renewals), len(owed), len(tokens), len(events)}
		for _, err := range []error{e0, e1, e2, e3, e4, e5, e6, e7, e8, e9, tx.VerifyJournal()} {
			if err != nil {
				return err
			}
		}
		for _, c := range certificates {
			if c.Damaged {
				t.Errorf("certificate %q is damaged", c.Name)
			}
		}
		return nil
	})
	return n
}

// A store made by any earlier firmware opens and works.
func TestMigrations(t *testing.T) {
	for version := range len(store.Versions()) {
		t.Run(fmt.Sprint("from version ", version+1), func(t *testing.T) {
			dir := t.TempDir()
			d, err := db.Open(filepath.Join(dir, "newleaf.db"), db.Options{Migrations: store.Versions()[:version+1]})
			if err != nil {
				t.Fatal(err)
			}
			if err := d.Close(); err != nil {
				t.Fatal(err)
			}
			s := open(t, dir)
			working(t, s, "one")
			if got, want := counts(t, reopen(t, s, dir)), [10]int{1, 1, 1, 1, 1, 1, 1, 1, 1, 1}; got != want {
				t.Errorf("got %v, want %v", got, want)
			}
		})
	}
}

// Firmware that was put back works on a store that its successor has migrated:
// later migrations add columns with a default and tables (contract, "Migrations").
func TestRollback(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	working(t, s, "before")
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	later := append(store.Versions(), `ALTER TABLE certificates ADD COLUMN later TEXT NOT NULL DEFAULT '';
		ALTER TABLE events ADD COLUMN later INTEGER; CREATE TABLE later (x TEXT) STRICT;`)
	d, err := db.Open(filepath.Join(dir, "newleaf.db"), db.Options{Migrations: later})
	if err != nil {
		t.Fatal(err)
	}
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	s = open(t, dir)
	working(t, s, "after")
	if got, want := counts(t, s), [10]int{2, 2, 2, 2, 2, 2, 2, 2, 2, 2}; got != want {
		t.Errorf("got %v, want %v", got, want)
	}
}
