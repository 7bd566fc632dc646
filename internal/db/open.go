package db

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"modernc.org/sqlite"
)

// cacheKiB bounds the pages held in memory; the agent at rest has 8 MiB for everything.
const cacheKiB = 256

// fresh ends the name under which a new store is made.
const fresh = ".new"

// dsn names the file and what every connection to it is given. The locking mode
// must come before whatever looks into the file, so that the log's index is
// private memory and not a shared file. The driver runs the _pragma values
// first, sorted: "main." puts the others behind it.
func dsn(path string, wait time.Duration) string {
	q := url.Values{
		"mode":          {"rw"},
		"_busy_timeout": {strconv.FormatInt(wait.Milliseconds(), 10)},
		"_pragma": {
			"locking_mode(EXCLUSIVE)", fmt.Sprintf("main.cache_size(-%d)", cacheKiB),
			"main.journal_size_limit(1048576)", "main.mmap_size(0)", "temp_store(MEMORY)",
		},
		"_journal_mode": {"WAL"},
		"_synchronous":  {"FULL"},
		"_foreign_keys": {"1"},
		"_defensive":    {"1"},
		"_dqs":          {"0"},
		"_error_rc":     {"1"},
		"_txlock":       {"immediate"},
	}
	return (&url.URL{Scheme: "file", Path: path, RawQuery: q.Encode()}).String()
}

// open opens the file at path, which exists. begin prepares it.
func open(path string, o Options, begin func(*sql.Tx) error) (*DB, error) {
	// A POSIX lock would be lost whenever this process closes another descriptor
	// of the file; where there is nothing better (not Linux) it has to do.
	_, _ = sqlite.OFDLocking(true)

	connector, err := newConnector(dsn(path, o.Wait))
	if err != nil {
		return nil, fmt.Errorf("opening the store %s: %w", path, err)
	}
	pool := sql.OpenDB(connector)
	pool.SetMaxOpenConns(1) // an exclusive lock allows no second one
	d := &DB{path: path, sql: pool, jobs: make(chan *job, maxBatch), done: make(chan struct{})}
	if err := d.transact(context.Background(), begin, commit); err != nil {
		_ = pool.Close() // the first error is the one that tells
		return nil, fmt.Errorf("opening the store %s: %w", path, err)
	}
	go d.committer()
	return d, nil
}

// check looks at the file from outside. To SQLite an empty or very short file is
// a fine new database and a last page cut short is filled up; to us both are lost data.
func check(path string) error {
	const magic, page = "SQLite format 3\x00", 4096
	f, err := os.OpenFile(path, os.O_RDWR, 0) // SQLite would quietly go on without writing
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	head := make([]byte, len(magic))
	if _, err := f.ReadAt(head, 0); err != nil && err != io.EOF {
		return err
	}
	switch {
	case info.Size() == 0:
		return fmt.Errorf("%w: the file is empty", ErrCorrupt)
	case string(head) != magic:
		return fmt.Errorf("%w: the file is not a database", ErrCorrupt)
	case info.Size()%page != 0 && !hasLog(path): // a crash may cut a page that the log still has
		return fmt.Errorf("%w: the file is cut short", ErrCorrupt)
	}
	return nil
}

func hasLog(path string) bool {
	info, err := os.Stat(path + "-wal")
	return err == nil && info.Size() > 0
}

// create makes a new store under another name, closes it and then gives it its
// name, so that a crash leaves no half-made store. It overwrites nothing.
func create(path string, o Options) error {
	if hasLog(path) {
		return fmt.Errorf("%w: %s is missing but its log %s-wal is there", ErrCorrupt, path, path)
	}
	made := path + fresh
	for _, suffix := range []string{"", "-wal", "-journal"} {
		if err := os.Remove(made + suffix); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
	}
	f, err := os.OpenFile(made, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	d, err := open(made, o, func(tx *sql.Tx) error {
		if _, err := tx.Exec(schema); err != nil {
			return err
		}
		return migrate(tx, o.Migrations)
	})
	if err != nil {
		return err
	}
	if err := d.Close(); err != nil {
		return err
	}
	if err := os.Link(made, path); err != nil && !errors.Is(err, os.ErrExist) {
		return err
	}
	if err := os.Remove(made); err != nil {
		return err
	}
	return syncDir(filepath.Dir(path))
}

func syncDir(dir string) error {
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer f.Close()
	return f.Sync()
}
