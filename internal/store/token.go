package store

import (
	"time"

	"newleaf"
)

const tokens = `SELECT id, name, role, created, expires FROM tokens`

// Tokens lists them all.
func (tx *Tx) Tokens() ([]newleaf.Token, error) {
	return list(tx, "reading the tokens", readToken, tokens+` ORDER BY seq`)
}

// TokenByHash returns the token whose secret has this hash and whether there is
// one. It may have expired.
func (tx *Tx) TokenByHash(hash []byte) (newleaf.Token, bool, error) {
	return first(tx, "reading a token", readToken, tokens+` WHERE hash = ?`, blob(hash))
}

// PutToken stores t and the hash of its secret, in place of an earlier one with
// its ID.
func (tx *Tx) PutToken(t newleaf.Token, hash []byte) error {
	return tx.put("storing a token", `INSERT INTO tokens (id, name, role, created, expires, hash) VALUES (?, ?, ?, ?, ?, ?)
		ON CONFLICT (id) DO UPDATE SET name = excluded.name, role = excluded.role, created = excluded.created,
			expires = excluded.expires, hash = excluded.hash`,
		t.ID, t.Name, t.Role, instant(t.Created), instant(t.Expires), blob(hash))
}

// DeleteToken revokes a token.
func (tx *Tx) DeleteToken(id string) error {
	n, err := tx.exec("deleting a token", `DELETE FROM tokens WHERE id = ?`, id)
	if err == nil && n == 0 {
		return missing("token", id).WithHint("List them with \"newleaf token list\".")
	}
	return err
}

// readToken gives an unreadable one as expired since ever.
func readToken(r row) (t newleaf.Token) {
	if !r.read(&t.ID, &t.Name, &t.Role, (*instant)(&t.Created), (*instant)(&t.Expires)) {
		t.Expires = time.Time{}
	}
	return t
}
