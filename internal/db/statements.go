package db

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"strings"
)

// Parsing a statement takes SQLite as long as running it, and this program has
// only so many: a connection keeps what it has parsed.

// connector opens connections that keep their statements.
type connector struct {
	driver driver.Driver
	dsn    string
}

func newConnector(dsn string) (connector, error) {
	pool, err := sql.Open("sqlite", dsn) // opens nothing yet
	if err != nil {
		return connector{}, err
	}
	return connector{pool.Driver(), dsn}, pool.Close()
}

func (c connector) Driver() driver.Driver { return c.driver }

func (c connector) Connect(context.Context) (driver.Conn, error) {
	opened, err := c.driver.Open(c.dsn)
	if err != nil {
		return nil, err
	}
	return &conn{sqliteConn: opened.(sqliteConn), kept: map[string]*statement{}}, nil
}

// sqliteConn is what the driver's connections are.
type sqliteConn interface {
	driver.Conn
	driver.ConnBeginTx
	driver.ExecerContext
	driver.QueryerContext
	driver.SessionResetter
	driver.Validator
}

type conn struct {
	sqliteConn
	kept map[string]*statement
}

// statement is one that is kept.
type statement struct {
	sqliteStmt
	busy bool // a query of it is being read
}

type sqliteStmt interface {
	driver.Stmt
	driver.StmtExecContext
	driver.StmtQueryContext
}

// statement is the one for text, nil where it cannot be kept: several at once,
// or one whose rows are still being read.
func (c *conn) statement(text string) (*statement, error) {
	if strings.Contains(text, ";") {
		return nil, nil
	}
	s := c.kept[text]
	if s == nil {
		made, err := c.Prepare(text)
		if err != nil {
			return nil, err
		}
		s = &statement{sqliteStmt: made.(sqliteStmt)}
		c.kept[text] = s
	}
	if s.busy {
		return nil, nil
	}
	return s, nil
}

func (c *conn) ExecContext(ctx context.Context, text string, args []driver.NamedValue) (driver.Result, error) {
	s, err := c.statement(text)
	if err != nil {
		return nil, err
	}
	if s == nil {
		return c.sqliteConn.ExecContext(ctx, text, args)
	}
	return s.ExecContext(ctx, args)
}

func (c *conn) QueryContext(ctx context.Context, text string, args []driver.NamedValue) (driver.Rows, error) {
	s, err := c.statement(text)
	if err != nil {
		return nil, err
	}
	if s == nil {
		return c.sqliteConn.QueryContext(ctx, text, args)
	}
	found, err := s.QueryContext(ctx, args)
	if err != nil {
		return nil, err
	}
	s.busy = true
	return &rows{found, s}, nil
}

// rows gives its statement back when it is closed.
type rows struct {
	driver.Rows
	statement *statement
}

func (r *rows) Close() error {
	r.statement.busy = false
	return r.Rows.Close()
}

func (c *conn) Close() error {
	var err error
	for _, s := range c.kept {
		err = errors.Join(err, s.sqliteStmt.Close())
	}
	return errors.Join(err, c.sqliteConn.Close())
}
