package db

import (
	"errors"
	"fmt"
	"syscall"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// Errors of this package, to be asked for with errors.Is.
var (
	// ErrLocked: another process (or another DB of this one) has the store.
	ErrLocked = errors.New("the store is in use by another process")
	// ErrTooNew: the store's min_reader is above this binary's version.
	ErrTooNew = errors.New("the store was written by a newer version")
	// ErrCorrupt: the file is not a store, or not a whole one. It is left as it is.
	ErrCorrupt = errors.New("the store is damaged")
	// ErrClosed: Close has been called.
	ErrClosed = errors.New("the store is closed")
	// ErrUncertain: the storage failed inside a commit and again when asked
	// about it; whether the transaction happened is known after the next Open.
	ErrUncertain = errors.New("whether the change was stored is unknown until the next start")
)

// IsFull reports whether err says that the storage has no room left.
// The DB stays usable and writes again once there is room.
func IsFull(err error) bool {
	return primary(err) == sqlite3.SQLITE_FULL || errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT)
}

// IsReadOnly reports whether err says that the storage cannot be written at all.
func IsReadOnly(err error) bool {
	return primary(err) == sqlite3.SQLITE_READONLY || errors.Is(err, syscall.EROFS)
}

// IsIO reports whether err says that the storage below failed to read, write or sync.
func IsIO(err error) bool {
	return primary(err) == sqlite3.SQLITE_IOERR || errors.Is(err, syscall.EIO)
}

// primary is the SQLite result code in err without its extension, or 0.
func primary(err error) int {
	if e, ok := errors.AsType[*sqlite.Error](err); ok {
		return e.Code() & 0xff
	}
	return 0
}

// explain puts this package's words before what SQLite said.
func explain(err error) error {
	switch primary(err) {
	case sqlite3.SQLITE_BUSY:
		if !errors.Is(err, ErrLocked) {
			return fmt.Errorf("%w: %w", ErrLocked, err)
		}
	case sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB:
		if !errors.Is(err, ErrCorrupt) {
			return fmt.Errorf("%w: %w", ErrCorrupt, err)
		}
	}
	return err
}

// name says which file it is where a person has to do something about it.
func (d *DB) name(err error) error {
	err = explain(err)
	if errors.Is(err, ErrLocked) || errors.Is(err, ErrCorrupt) {
		return fmt.Errorf("store %s: %w", d.path, err)
	}
	return err
}
