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
	if len(names) > 0 {
		e = e.WithHint("Did you mean %q?", nearest(ref, names))
	}
	return newleaf.Certificate{}, e
}

// nearest is the first of those names that differ least from ref.
func nearest(ref string, names []string) string {
	best, least := "", -1
	for _, name := range names {
		if d := distance([]rune(strings.ToLower(ref)), []rune(strings.ToLower(name))); least < 0 || d < least {
			best, least = name, d
		}
	}
	return best
}

// distance is how many characters have to be put in, left out or replaced
// (Levenshtein).
func distance(a, b []rune) int {
	line := make([]int, len(b)+1)
	for j := range line {
		line[j] = j
	}
	for i, x := range a {
		corner := line[0]
		line[0] = i + 1
		for j, y := range b {
			cost := corner
			if x != y {
				cost = 1 + min(corner, line[j], line[j+1])
			}
			corner, line[j+1] = line[j+1], cost
		}
	}
	return line[len(b)]
}
