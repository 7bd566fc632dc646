package store

import "newleaf"

// Key is a sealed private key or secret: its data key wrapped by a generation of
// the key-encryption key, and what the data key encrypts. This package cannot
// open it. Fields and order are those of keys.Sealed, for conversion.
type Key struct {
	ID         string
	Generation uint64
	Wrapped    []byte
	Blob       []byte
}

// Keys lists all private keys, for a rotation those to be wrapped anew.
func (tx *Tx) Keys() ([]Key, error) {
	return list(tx, "reading the keys", readKey, `SELECT id, generation, wrapped, blob FROM keys ORDER BY id`)
}

// Key returns the private key id and whether it is there.
func (tx *Tx) Key(id string) (Key, bool, error) {
	return first(tx, "reading a key", readKey, `SELECT id, generation, wrapped, blob FROM keys WHERE id = ?`, id)
}

// PutKey stores k, in place of an earlier one with its ID.
func (tx *Tx) PutKey(k Key) error {
	return tx.put("storing a key", `INSERT INTO keys (id, generation, wrapped, blob) VALUES (?, ?, ?, ?)
		ON CONFLICT (id) DO UPDATE SET generation = excluded.generation, wrapped = excluded.wrapped, blob = excluded.blob`,
		k.ID, int64(k.Generation), blob(k.Wrapped), blob(k.Blob))
}

// DeleteKey removes the row. The bytes stay on the disk until the generation
// that wraps them is destroyed (contract, "Key destruction").
func (tx *Tx) DeleteKey(id string) error {
	return tx.put("deleting a key", `DELETE FROM keys WHERE id = ?`, id)
}

// KeyUsers lists the certificates whose key this is (DLS-32).
func (tx *Tx) KeyUsers(keyID string) ([]newleaf.ID, error) {
	return list(tx, "reading who uses a key", value[newleaf.ID], `SELECT id FROM certificates WHERE key_id = ? ORDER BY seq`, keyID)
}

// readKey gives an unreadable part as empty: it then does not open.
func readKey(r row) (k Key) {
	var generation int64
	r.read(&k.ID, &generation, &k.Wrapped, &k.Blob)
	k.Generation = uint64(generation)
	return k
}
