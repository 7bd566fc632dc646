package store

import (
	"newleaf"
	"newleaf/internal/db"
)

// salvage lists the certificates where SQLite itself finds the table corrupt
// and gives up in the middle. The indexes lie on other pages and tell ID and
// name of every row; each row is then read on its own. It returns cause when
// that is of no use: when the indexes are gone too, or the transaction is.
func (tx *Tx) salvage(cause error) ([]newleaf.Certificate, error) {
	if tx.writes && (db.IsIO(cause) || db.IsFull(cause)) {
		return nil, cause // SQLite has rolled it back
	}
	type entry struct {
		seq  int64
		text string
	}
	read := func(r row) (e entry) {
		r.read(&e.seq, &e.text)
		return e
	}
	ids, err := list(tx, "salvaging", read, `SELECT seq, id FROM certificates INDEXED BY certificates_id ORDER BY seq`)
	if err != nil {
		return nil, cause
	}
	names := map[int64]string{}
	if byName, err := list(tx, "salvaging", read, `SELECT seq, name FROM certificates INDEXED BY certificates_name`); err == nil {
		for _, e := range byName {
			names[e.seq] = e.text
		}
	}
	all := []newleaf.Certificate{}
	for _, e := range ids {
		c, found, err := first(tx, "salvaging", tx.readCertificate, certificates+` WHERE c.seq = ?`, e.seq)
		if err != nil || !found {
			c = newleaf.Certificate{ID: newleaf.ID(e.text), Name: names[e.seq], Damaged: true, Origin: newleaf.Unknown}
		}
		all = append(all, c)
	}
	return all, nil
}
