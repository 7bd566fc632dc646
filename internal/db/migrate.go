package db

import (
	"database/sql"
	"errors"
	"fmt"

	sqlite3 "modernc.org/sqlite/lib"
)

// schema is what every store has. min_reader is the lowest version of a binary
// that may open the store; a migration that older binaries cannot live with
// raises it. Callers may keep further keys of their own in meta.
const schema = `
CREATE TABLE meta (key TEXT PRIMARY KEY, value ANY) STRICT, WITHOUT ROWID;
INSERT INTO meta (key, value) VALUES ('min_reader', 0);`

// settle is a change that is always one.
const settle = `INSERT INTO meta (key, value) VALUES ('settled', 1) ON CONFLICT (key) DO UPDATE SET value = value + 1`

// migrate brings the store to version len(steps). A store that is newer, but
// whose min_reader allows this version, is left as it is (contract, "Migrations").
func migrate(tx *sql.Tx, steps []string) error {
	var version, minReader int
	err := tx.QueryRow(`SELECT value FROM meta WHERE key = 'min_reader'`).Scan(&minReader)
	if errors.Is(err, sql.ErrNoRows) || primary(err) == sqlite3.SQLITE_ERROR { // no such table
		return fmt.Errorf("%w: it is not one of ours: %w", ErrCorrupt, err)
	}
	if err != nil {
		return fmt.Errorf("reading min_reader: %w", err)
	}
	if err := tx.QueryRow(`PRAGMA user_version`).Scan(&version); err != nil {
		return fmt.Errorf("reading the store's version: %w", err)
	}
	if minReader > len(steps) {
		return fmt.Errorf("%w: it needs version %d or later, this is %d", ErrTooNew, minReader, len(steps))
	}
	if version >= len(steps) {
		return nil
	}
	for i := version; i < len(steps); i++ {
		if err := step(tx, steps[i]); err != nil {
			return fmt.Errorf("migrating to version %d: %w", i+1, err)
		}
	}
	_, err = tx.Exec(fmt.Sprintf("PRAGMA user_version = %d", len(steps)))
	return err
}

// step runs one migration and checks that it took nothing away: the firmware
// before it must find all its columns.
func step(tx *sql.Tx, statements string) error {
	before, err := columns(tx)
	if err != nil {
		return err
	}
	if _, err := tx.Exec(statements); err != nil {
		return err
	}
	after, err := columns(tx)
	if err != nil {
		return err
	}
	for c := range before {
		if !after[c] {
			return fmt.Errorf("it takes away %s: %w", c, errTakesAway)
		}
	}
	return nil
}

var errTakesAway = errors.New("migrations only add")

// columns are the names table.column of all tables.
func columns(tx *sql.Tx) (map[string]bool, error) {
	rows, err := tx.Query(`SELECT t.name || '.' || c.name FROM sqlite_schema t, pragma_table_info(t.name) c WHERE t.type = 'table'`)
	if err != nil {
		return nil, fmt.Errorf("reading the schema: %w", err)
	}
	defer rows.Close()
	all := make(map[string]bool)
	for rows.Next() {
		var name string
		if err := rows.Scan(&name); err != nil {
			return nil, fmt.Errorf("reading the schema: %w", err)
		}
		all[name] = true
	}
	return all, rows.Err()
}
