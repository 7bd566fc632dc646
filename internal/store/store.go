package store

import (
	"context"
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"newleaf/internal/db"
)

// file is the store's name in the state folder.
const file = "newleaf.db"

// handover is how long Open waits for the agent before it to let go of the file.
const handover = time.Second

// Store is the open store of one device. Its methods are safe for concurrent
// use. There is one transaction at a time, so the function given to Read or
// Write must call neither again, nor wait for anything slow.
type Store struct {
	db           *db.DB
	certificates parses
	anchors      parses
	watchers     watchers
}

// Open opens the store in the state folder dir; folder (mode 0700) and store are
// made if there are none. Errors are *newleaf.Error: CodeConflict when another
// process has it, CodeDiskFull, CodeDamaged when it is not whole or of a newer
// version, CodeForbidden when the folder is somebody else's.
func Open(dir string) (*Store, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, open(fmt.Errorf("making the state folder: %w", err))
	}
	d, err := db.Open(filepath.Join(dir, file), db.Options{Migrations: migrations, Wait: handover})
	if err != nil {
		return nil, open(err)
	}
	return &Store{db: d}, nil
}

// Close waits for the transactions under way and closes the file. Later calls
// fail with CodeNotRunning.
func (s *Store) Close() error { return explain(s.db.Close()) }

// Read runs f on one state of the store. Nothing f writes would stay: the
// writing methods of its Tx fail. Errors of f come back as they are, those of
// the storage with the codes of Open. ctx bounds the wait for the turn.
func (s *Store) Read(ctx context.Context, f func(*Tx) error) error {
	return explain(s.db.Read(ctx, func(tx *sql.Tx) error {
		return f(&Tx{sql: tx, store: s})
	}))
}

// Write runs f in one transaction and returns nil once it is durable; after an
// error nothing has happened. f must return the first error that a method of
// its Tx gives for the storage's sake. Watchers hear of new events.
func (s *Store) Write(ctx context.Context, f func(*Tx) error) error {
	appended := false
	err := s.db.Write(ctx, func(tx *sql.Tx) error {
		t := &Tx{sql: tx, store: s, writes: true}
		err := f(t)
		appended = t.appended
		return err
	})
	if err != nil {
		return explain(err)
	}
	if appended {
		s.watchers.tick()
	}
	return nil
}
