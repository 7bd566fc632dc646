package store

import (
	"strings"

	"newleaf"
)

// prefix is how many digits of an ID are enough to name it.
const prefix = 8

// Certificate returns the one that ref names: its ID, its name, or eight or more
// digits its ID begins with; in this order, so that no name can stand in for the
// ID of another. Errors: CodeNotFound with the nearest name, CodeInvalid where
// the digits fit several.
func (tx *Tx) Certificate(ref string) (newleaf.Certificate, error) {
	const doing = "looking for a certificate"
	digits := strings.ToLower(ref)
	for _, where := range []string{` WHERE c.id IN (?1, ?2) AND ?1 <> ''`, ` WHERE c.name = ?1 AND ?1 <> ''`} {
		c, found, err := first(tx, doing, tx.readCertificate, certificates+where, ref, digits)
		if found || err != nil {
			return c, err
		}
	}
	if len(digits) >= prefix && strings.Trim(digits, "0123456789abcdef") == "" {
		fit, err := list(tx, doing, tx.readCertificate, certificates+` WHERE c.id GLOB ? LIMIT 2`, digits+"*")
		switch {
		case err != nil:
			return newleaf.Certificate{}, err
		case len(fit) == 1:
			return fit[0], nil
		case len(fit) > 1:
			return newleaf.Certificate{}, newleaf.Errorf(newleaf.CodeInvalid, "the ID %s... is that of several certificates", digits).
				WithHint("Give more digits, or the name.")
		}
	}
	names, err := list(tx, doing, value[string], `SELECT name FROM certificates ORDER BY seq`)
	if err != nil {
		return newleaf.Certificate{}, err
	}
	e := missing("certificate", ref)
	if near := newleaf.Nearest(ref, names); near != "" {
		e = e.WithHint("Did you mean %q?", near)
	}
	return newleaf.Certificate{}, e
}
