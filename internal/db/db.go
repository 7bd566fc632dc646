package db

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"
)

// Options say how a store is opened.
type Options struct {
	// Migrations bring a store from version i to i+1; each only adds. Their
	// number is the version of the binary. Never change one that has shipped.
	Migrations []string
	// Wait is how long Open waits for another process to let go of the store.
	Wait time.Duration
}

// DB is an open store. Its methods are safe for concurrent use.
type DB struct {
	path string
	sql  *sql.DB
	jobs chan *job
	done chan struct{} // the committer has stopped

	mu     sync.RWMutex // held for reading by every call that Close waits for
	closed bool
}

// Open opens the store at path, creating it (mode 0600) if there is none, and
// brings it to the binary's version. A new store appears whole or not at all;
// a file that is not a whole store gives ErrCorrupt and is never overwritten.
// Further errors: ErrLocked, ErrTooNew, and what IsFull and IsReadOnly know.
func Open(path string, o Options) (*DB, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, fmt.Errorf("opening the store: %w", err)
	}
	if err := check(path); errors.Is(err, os.ErrNotExist) {
		if err := create(path, o); err != nil {
			return nil, fmt.Errorf("creating the store %s: %w", path, err)
		}
	} else if err != nil {
		return nil, fmt.Errorf("opening the store %s: %w", path, err)
	}
	d, err := open(path, o, func(tx *sql.Tx) error { return migrate(tx, o.Migrations) })
	if err != nil {
		return nil, err
	}
	// The other name of the file, if a crash left it after the creation.
	if err := os.Remove(path + fresh); err != nil && !errors.Is(err, os.ErrNotExist) {
		_ = d.Close()
		return nil, fmt.Errorf("opening the store: %w", err)
	}
	return d, nil
}

// Close waits for the calls under way, stores what was submitted and closes the file.
func (d *DB) Close() error {
	d.mu.Lock()
	closed := d.closed
	d.closed = true
	d.mu.Unlock()
	if closed {
		return nil
	}
	close(d.jobs)
	<-d.done
	if err := d.sql.Close(); err != nil {
		return fmt.Errorf("closing the store %s: %w", d.path, err)
	}
	return nil
}

// Read runs f in a transaction that sees one state of the store and is always
// rolled back. ctx bounds the wait for the connection.
func (d *DB) Read(ctx context.Context, f func(*sql.Tx) error) error {
	return d.enter(func() error {
		return d.transact(ctx, f, func(_ *sql.Conn, tx *sql.Tx) error { return tx.Rollback() })
	})
}

// Write runs f in one transaction and returns nil once it is durable. When f
// fails or panics nothing has happened. f must return the first storage error
// it meets, because SQLite may have ended the transaction there. ctx bounds the
// wait for the connection: a transaction that has begun is finished. After
// any error but ErrUncertain nothing was stored.
func (d *DB) Write(ctx context.Context, f func(*sql.Tx) error) error {
	return d.enter(func() error { return d.transact(ctx, f, commit) })
}

// enter keeps the DB open while f runs, and names it in f's error.
func (d *DB) enter(f func() error) error {
	d.mu.RLock()
	defer d.mu.RUnlock()
	if d.closed {
		return ErrClosed
	}
	return d.name(f())
}

func (d *DB) transact(ctx context.Context, f func(*sql.Tx) error, end func(*sql.Conn, *sql.Tx) error) error {
	conn, err := d.sql.Conn(ctx)
	if err != nil {
		return explain(err)
	}
	defer conn.Close()
	tx, err := conn.BeginTx(context.WithoutCancel(ctx), nil)
	if err != nil {
		return explain(fmt.Errorf("beginning a transaction: %w", err))
	}
	defer tx.Rollback() // does nothing once the transaction has ended
	if err := f(tx); err != nil {
		return explain(err)
	}
	return explain(end(conn, tx))
}

// commit makes tx durable. A sync that fails leaves it open whether the next
// start finds the transaction in the log; a further change that is synced takes
// its place there and so settles that it did not happen.
func commit(conn *sql.Conn, tx *sql.Tx) error {
	err := tx.Commit()
	if err == nil {
		return nil
	}
	err = fmt.Errorf("committing: %w", err)
	if !IsIO(err) {
		return err
	}
	if _, again := conn.ExecContext(context.Background(), settle); again != nil {
		return fmt.Errorf("%w: %w", ErrUncertain, err)
	}
	return err
}
