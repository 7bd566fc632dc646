package store

import "newleaf"

// Bindings lists the purposes that have a certificate in any part. A part that
// cannot be read is empty.
func (tx *Tx) Bindings() (newleaf.Bindings, error) {
	return list(tx, "reading the bindings", func(r row) (b newleaf.Binding) {
		r.read(&b.Purpose, &b.Current, &b.Trial, &b.Previous, &b.Loaded, (*instant)(&b.Until), (*instant)(&b.Since))
		return b
	}, `SELECT purpose, current, trial, previous, loaded, until, since FROM bindings ORDER BY purpose`)
}

// PutBinding stores b; one without any certificate is removed. As there is one
// row for each purpose, no two certificates can hold the same (DM-07).
func (tx *Tx) PutBinding(b newleaf.Binding) error {
	if b.Current == "" && b.Trial == "" && b.Previous == "" && b.Loaded == "" {
		return tx.put("removing a binding", `DELETE FROM bindings WHERE purpose = ?`, b.Purpose)
	}
	return tx.put("storing a binding", `INSERT INTO bindings (purpose, current, trial, previous, loaded, until, since) VALUES (?, ?, ?, ?, ?, ?, ?)
		ON CONFLICT (purpose) DO UPDATE SET current = excluded.current, trial = excluded.trial, previous = excluded.previous,
			loaded = excluded.loaded, until = excluded.until, since = excluded.since`,
		b.Purpose, b.Current, b.Trial, b.Previous, b.Loaded, instant(b.Until), instant(b.Since))
}
