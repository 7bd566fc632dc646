package store

import (
	"slices"

	"newleaf"
)

// Owed lists the deletions that a guard put off. A row that cannot be read is
// left out: rather no deletion than a wrong one.
func (tx *Tx) Owed() ([]newleaf.Owed, error) {
	all, err := list(tx, "reading what is owed", func(r row) (o newleaf.Owed) {
		if !r.read(&o.Certificate, &o.Rule, (*words[newleaf.Rule])(&o.Rules), &o.Renewal, (*instant)(&o.NotBefore)) {
			return newleaf.Owed{}
		}
		return o
	}, `SELECT certificate, rule, rules, renewal, not_before FROM owed ORDER BY seq`)
	return slices.DeleteFunc(all, func(o newleaf.Owed) bool { return o.Certificate == "" }), err
}

// PutOwed stores o, in place of an earlier one for its certificate.
func (tx *Tx) PutOwed(o newleaf.Owed) error {
	return tx.put("storing what is owed", `INSERT INTO owed (certificate, rule, rules, renewal, not_before) VALUES (?, ?, ?, ?, ?)
		ON CONFLICT (certificate) DO UPDATE SET rule = excluded.rule, rules = excluded.rules, renewal = excluded.renewal, not_before = excluded.not_before`,
		o.Certificate, o.Rule, words[newleaf.Rule](o.Rules), o.Renewal, instant(o.NotBefore))
}

// DeleteOwed cancels or settles what is owed for a certificate.
func (tx *Tx) DeleteOwed(certificate newleaf.ID) error {
	return tx.put("settling what is owed", `DELETE FROM owed WHERE certificate = ?`, certificate)
}
