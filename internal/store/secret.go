package store

// Secrets are all small secrets by name, such as "password:default". A rotation
// wraps them anew as it does the keys.
func (tx *Tx) Secrets() (map[string]Key, error) {
	all := map[string]Key{}
	err := tx.each("reading the secrets", func(r row) error {
		name, k := readSecret(r)
		all[name] = k
		return nil
	}, `SELECT name, id, generation, wrapped, blob FROM secrets`)
	return all, err
}

// Secret returns the secret of that name and whether it is there.
func (tx *Tx) Secret(name string) (Key, bool, error) {
	return first(tx, "reading a secret", func(r row) Key { _, k := readSecret(r); return k },
		`SELECT name, id, generation, wrapped, blob FROM secrets WHERE name = ?`, name)
}

// PutSecret stores k under the name, in place of an earlier one.
func (tx *Tx) PutSecret(name string, k Key) error {
	return tx.put("storing a secret", `INSERT INTO secrets (name, id, generation, wrapped, blob) VALUES (?, ?, ?, ?, ?)
		ON CONFLICT (name) DO UPDATE SET id = excluded.id, generation = excluded.generation, wrapped = excluded.wrapped, blob = excluded.blob`,
		name, k.ID, int64(k.Generation), blob(k.Wrapped), blob(k.Blob))
}

// DeleteSecret removes the row, as DeleteKey does.
func (tx *Tx) DeleteSecret(name string) error {
	return tx.put("deleting a secret", `DELETE FROM secrets WHERE name = ?`, name)
}

func readSecret(r row) (name string, k Key) {
	var generation int64
	r.read(&name, &k.ID, &generation, &k.Wrapped, &k.Blob)
	k.Generation = uint64(generation)
	return name, k
}
