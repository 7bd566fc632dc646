package store

import (
	"errors"
	"io/fs"

	"newleaf"
	"newleaf/internal/db"
)

// ErrUncertain is in the chain of a Write's error when the storage failed inside
// the commit: whether it happened is known after the next Open.
var ErrUncertain = db.ErrUncertain

// explain gives the storage's failures the codes people know. Other errors,
// above all those of a transaction's own function, pass through.
func explain(err error) error {
	if _, known := errors.AsType[*newleaf.Error](err); err == nil || known {
		return err
	}
	switch {
	case errors.Is(err, db.ErrLocked):
		return newleaf.Errorf(newleaf.CodeConflict, "%w", err).
			WithHint("Stop the other newleaf, or name another folder with --state.")
	case db.IsFull(err), db.IsReadOnly(err):
		return newleaf.Errorf(newleaf.CodeDiskFull, "the disk is full or read-only: %w", err)
	case errors.Is(err, db.ErrCorrupt):
		return newleaf.Errorf(newleaf.CodeDamaged, "%w", err).
			WithHint("Nothing was changed. Keep a copy of the file, then start with an empty folder and provision again.")
	case errors.Is(err, db.ErrTooNew):
		return newleaf.Errorf(newleaf.CodeDamaged, "%w", err).
			WithHint("Nothing was changed. Install the newer version again.")
	case errors.Is(err, db.ErrClosed):
		return newleaf.Errorf(newleaf.CodeNotRunning, "%w", err)
	}
	return err
}

// open is explain for what only an Open meets; its errors all have a code.
func open(err error) error {
	if errors.Is(err, fs.ErrPermission) {
		return newleaf.Errorf(newleaf.CodeForbidden, "%w", err).
			WithHint("Run newleaf as the user who owns the state folder.")
	}
	return newleaf.AsError(explain(err))
}

// missing says that there is no such thing of a kind that people name.
func missing(kind, ref string) *newleaf.Error {
	return newleaf.Errorf(newleaf.CodeNotFound, "there is no %s %q", kind, ref)
}
