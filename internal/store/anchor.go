package store

import (
	"newleaf"
)

const anchors = `SELECT id, connection, der, role, confirmed, added, source FROM anchors`

// Anchors lists the certificates of authorities, those of all connections. One
// that cannot be read has no DER and is not confirmed.
func (tx *Tx) Anchors() ([]newleaf.Anchor, error) {
	all, err := list(tx, "reading the anchors", tx.readAnchor, anchors+` ORDER BY seq`)
	if err != nil {
		return nil, err
	}
	ids := make([]newleaf.ID, len(all))
	for i := range all {
		ids[i] = all[i].ID
	}
	tx.store.anchors.keep(ids)
	return all, nil
}

// PutAnchor stores a, in place of an earlier one of its ID and connection.
// CodeInvalid says that it is none.
func (tx *Tx) PutAnchor(a newleaf.Anchor) error {
	if a.ID != newleaf.IDOf(a.DER) {
		return newleaf.Errorf(newleaf.CodeInvalid, "%q is not the ID of the CA certificate", a.ID)
	}
	if _, err := newleaf.Parse(a.DER); err != nil {
		return err
	}
	if !knownRole(a.Role) {
		return newleaf.Errorf(newleaf.CodeInvalid, "there is no role %q of a CA certificate", a.Role)
	}
	return tx.put("storing an anchor", `INSERT INTO anchors (id, connection, der, role, confirmed, added, source) VALUES (?, ?, ?, ?, ?, ?, ?)
		ON CONFLICT (id, connection) DO UPDATE SET role = excluded.role, confirmed = excluded.confirmed,
			added = excluded.added, source = excluded.source, der = excluded.der`,
		a.ID, a.Connection, blob(a.DER), a.Role, a.Confirmed, instant(a.Added), a.Source)
}

// DeleteAnchor removes the anchor of one connection.
func (tx *Tx) DeleteAnchor(id newleaf.ID, connection string) error {
	n, err := tx.exec("deleting an anchor", `DELETE FROM anchors WHERE id = ? AND connection = ?`, id, connection)
	if err == nil && n == 0 {
		return missing("CA certificate", string(id)).WithHint("List them with \"newleaf anchor list\".")
	}
	return err
}

func (tx *Tx) readAnchor(r row) (a newleaf.Anchor) {
	whole := r.read(&a.ID, &a.Connection, &a.DER, &a.Role, &a.Confirmed, (*instant)(&a.Added), &a.Source)
	if whole && newleaf.IDOf(a.DER) == a.ID && knownRole(a.Role) {
		if p, err := tx.store.anchors.parse(a.ID, a.DER); err == nil {
			a.Parsed = p
			return a
		}
	}
	a.DER, a.Confirmed = nil, false
	return a
}

func knownRole(r newleaf.Role) bool {
	return r == newleaf.RoleAnchor || r == newleaf.RoleChain || r == newleaf.RoleRA
}
