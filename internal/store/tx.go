package store

import (
	"database/sql"
	"fmt"
)

// Tx is one transaction. It is valid until the function it was given to
// returns, for one goroutine.
type Tx struct {
	sql      *sql.Tx
	store    *Store
	writes   bool
	appended bool // an event was
}

// exec runs one writing statement and tells how many rows it touched. doing says
// for an error what it is about: "storing the token".
func (tx *Tx) exec(doing, statement string, args ...any) (int64, error) {
	if !tx.writes {
		return 0, fmt.Errorf("%s: the transaction only reads", doing)
	}
	result, err := tx.sql.Exec(statement, args...)
	if err != nil {
		return 0, fmt.Errorf("%s: %w", doing, err)
	}
	n, err := result.RowsAffected()
	if err != nil {
		return 0, fmt.Errorf("%s: %w", doing, err)
	}
	return n, nil
}

// put runs a statement whose number of rows nobody asks for.
func (tx *Tx) put(doing, statement string, args ...any) error {
	_, err := tx.exec(doing, statement, args...)
	return err
}

// each calls read for every row of the query.
func (tx *Tx) each(doing string, read func(row) error, query string, args ...any) error {
	rows, err := tx.sql.Query(query, args...)
	if err != nil {
		return fmt.Errorf("%s: %w", doing, err)
	}
	defer rows.Close()
	for rows.Next() {
		if err := read(row{rows}); err != nil {
			return err
		}
	}
	if err := rows.Err(); err != nil {
		return fmt.Errorf("%s: %w", doing, err)
	}
	return nil
}

// list reads all rows of the query.
func list[T any](tx *Tx, doing string, read func(row) T, query string, args ...any) ([]T, error) {
	all := []T{}
	err := tx.each(doing, func(r row) error {
		all = append(all, read(r))
		return nil
	}, query, args...)
	return all, err
}

// first reads the first row of the query, if there is one.
func first[T any](tx *Tx, doing string, read func(row) T, query string, args ...any) (one T, found bool, err error) {
	all, err := list(tx, doing, read, query+` LIMIT 1`, args...)
	if err != nil || len(all) == 0 {
		return one, false, err
	}
	return all[0], true, nil
}

// row is the one a query stands at.
type row struct{ *sql.Rows }

// read reads all columns and reports whether the row is whole. From a damaged
// one it reads every column that can be read.
func (r row) read(columns ...any) (whole bool) {
	if r.Scan(columns...) == nil {
		return true
	}
	for i := range columns {
		one := make([]any, len(columns))
		for j := range one {
			one[j] = new(any)
		}
		one[i] = columns[i]
		_ = r.Scan(one...)
	}
	return false
}

// value reads a row of one column.
func value[T any](r row) (v T) {
	r.read(&v)
	return v
}
