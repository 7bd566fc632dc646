package store

import (
	"slices"

	"newleaf"
)

// size is what an entry takes of the quota: key, certificate, chain and metadata
// (DLS-28). It is computed from the rows, so it cannot go stale.
const size = `octet_length(c.der) + octet_length(c.chain) + octet_length(c.name) + octet_length(c.request)
	+ coalesce((SELECT octet_length(k.wrapped) + octet_length(k.blob) FROM keys k WHERE k.id = c.key_id), 0)`

const certificates = `SELECT c.id, c.name, c.der, c.chain, c.key_id, c.exportable, c.origin, c.pinned, c.state, ` + size + `,
	c.added, c.updated, c.predecessor, c.connection, c.verified, c.request FROM certificates c`

// Certificates lists them all. One that cannot be read is Damaged, with what can
// be told of it; its DER is there only if it is still that of its ID (F5A-G1).
func (tx *Tx) Certificates() ([]newleaf.Certificate, error) {
	all, err := list(tx, "reading the certificates", tx.readCertificate, certificates+` ORDER BY c.seq`)
	if err != nil {
		all, err = tx.salvage(err)
	}
	if err != nil {
		return nil, err
	}
	ids := make([]newleaf.ID, len(all))
	for i := range all {
		ids[i] = all[i].ID
	}
	tx.store.certificates.keep(ids)
	return all, nil
}

// AddCertificate adds c with State, Origin and all, but Size, Damaged and Parsed.
// Its key has a row of its own. Names are unique among all states, the check of
// the key is the caller's. Errors: CodeInvalid, CodeNameTaken, CodeAlreadyHeld.
func (tx *Tx) AddCertificate(c newleaf.Certificate) error {
	if c.ID != newleaf.IDOf(c.DER) {
		return newleaf.Errorf(newleaf.CodeInvalid, "%q is not the ID of the certificate", c.ID)
	}
	if _, err := newleaf.Parse(c.DER); err != nil {
		return err
	}
	if err := storable(c); err != nil {
		return err
	}
	name, held, err := first(tx, "adding a certificate", value[string], `SELECT name FROM certificates WHERE id = ?`, c.ID)
	if err != nil {
		return err
	}
	if held {
		return newleaf.Errorf(newleaf.CodeAlreadyHeld, "this very certificate is held already, as %q", name)
	}
	if err := tx.nameFree(c); err != nil {
		return err
	}
	return tx.put("adding a certificate", `
		INSERT INTO certificates (id, name, der, chain, key_id, exportable, origin, pinned, state,
			added, updated, predecessor, connection, verified, request)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
		c.ID, c.Name, blob(c.DER), chain(c.Chain), c.KeyID, c.Exportable, c.Origin, c.Pinned, c.State,
		instant(c.Added), instant(c.Updated), c.Predecessor, c.Connection, c.Verified, encoded{c.Request})
}

// UpdateCertificate stores what may change: all but DER, KeyID, Origin and
// Exportable (DM-28, DM-30). A damaged one cannot be updated, as that would
// write over what is left of it. Errors: CodeInvalid, CodeNameTaken,
// CodeNotFound, CodeDamaged.
func (tx *Tx) UpdateCertificate(c newleaf.Certificate) error {
	if c.Damaged {
		return newleaf.Errorf(newleaf.CodeDamaged, "the certificate %q cannot be changed, as its record is damaged", c.Name)
	}
	if err := storable(c); err != nil {
		return err
	}
	if err := tx.nameFree(c); err != nil {
		return err
	}
	n, err := tx.exec("updating a certificate", `
		UPDATE certificates SET name = ?, chain = ?, pinned = ?, state = ?, added = ?, updated = ?,
			predecessor = ?, connection = ?, verified = ?, request = ? WHERE id = ?`,
		c.Name, chain(c.Chain), c.Pinned, c.State, instant(c.Added), instant(c.Updated),
		c.Predecessor, c.Connection, c.Verified, encoded{c.Request}, c.ID)
	if err == nil && n == 0 {
		return missing("certificate", c.Name)
	}
	return err
}

// DeleteCertificate removes the entry alone: key, bindings and what is owed have
// rows of their own.
func (tx *Tx) DeleteCertificate(id newleaf.ID) error {
	n, err := tx.exec("deleting a certificate", `DELETE FROM certificates WHERE id = ?`, id)
	if err == nil && n == 0 {
		return missing("certificate", string(id))
	}
	return err
}

// Usage is what counts against capacity and quota: entries and their bytes,
// without the one in the staging slot of a renewal.
func (tx *Tx) Usage() (number int, bytes int64, err error) {
	all, err := tx.Certificates()
	for i := range all {
		if all[i].State == newleaf.StateHeld {
			number++
			bytes += all[i].Size
		}
	}
	return number, bytes, err
}

func (tx *Tx) nameFree(c newleaf.Certificate) error {
	_, taken, err := first(tx, "looking for the name", value[newleaf.ID],
		`SELECT id FROM certificates WHERE name = ? AND id <> ?`, c.Name, c.ID)
	if err == nil && taken {
		return newleaf.Errorf(newleaf.CodeNameTaken, "there is a certificate %q already", c.Name)
	}
	return err
}

// storable checks what the caller may have got wrong.
func storable(c newleaf.Certificate) error {
	if _, err := chain(c.Chain).Value(); err != nil {
		return newleaf.Errorf(newleaf.CodeInvalid, "the certificate cannot be stored: %w", err)
	}
	return valid(c)
}

// valid checks the words of c, before they are stored and after they are read.
func valid(c newleaf.Certificate) error {
	if !slices.Contains([]newleaf.Origin{newleaf.Factory, newleaf.Generated, newleaf.Enrolled, newleaf.Imported}, c.Origin) {
		return newleaf.Errorf(newleaf.CodeInvalid, "there is no origin %q", c.Origin)
	}
	if !knownState(c.State) {
		return newleaf.Errorf(newleaf.CodeInvalid, "there is no state %q of a certificate", c.State)
	}
	return newleaf.ValidName(c.Name)
}

func knownState(s newleaf.State) bool {
	return s == newleaf.StateHeld || s == newleaf.StatePending || s == newleaf.StateRejected
}

func (tx *Tx) readCertificate(r row) newleaf.Certificate {
	var c newleaf.Certificate
	whole := r.read(&c.ID, &c.Name, &c.DER, (*chain)(&c.Chain), &c.KeyID, &c.Exportable, &c.Origin, &c.Pinned, &c.State, &c.Size,
		(*instant)(&c.Added), (*instant)(&c.Updated), &c.Predecessor, &c.Connection, &c.Verified, encoded{&c.Request})
	genuine := newleaf.IDOf(c.DER) == c.ID
	if whole && genuine && valid(c) == nil {
		if p, err := tx.store.certificates.parse(c.ID, c.DER); err == nil {
			c.Parsed = p
			return c
		}
	}
	c.Damaged, c.Origin, c.Request = true, newleaf.Unknown, nil
	if !genuine {
		c.DER, c.Chain = nil, nil
	}
	if !knownState(c.State) {
		c.State = newleaf.StateHeld // it takes room
	}
	return c
}
