package store

import "newleaf"

const connections = `SELECT name, url, port, protocol, ca_id, ra_url, proxy, timeout, weak, keep_password FROM connections`

// Connections lists them all.
func (tx *Tx) Connections() ([]newleaf.Connection, error) {
	return list(tx, "reading the connections", readConnection, connections+` ORDER BY seq`)
}

// Connection returns the one of that name, or CodeNoConnection.
func (tx *Tx) Connection(name string) (newleaf.Connection, error) {
	c, found, err := first(tx, "reading a connection", readConnection, connections+` WHERE name = ?`, name)
	if err == nil && !found {
		return c, newleaf.Errorf(newleaf.CodeNoConnection, "there is no connection %q", name)
	}
	return c, err
}

// PutConnection stores c, in place of an earlier one of its name. It is the
// caller's to validate it.
func (tx *Tx) PutConnection(c newleaf.Connection) error {
	return tx.put("storing a connection", `
		INSERT INTO connections (name, url, port, protocol, ca_id, ra_url, proxy, timeout, weak, keep_password)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
		ON CONFLICT (name) DO UPDATE SET url = excluded.url, port = excluded.port, protocol = excluded.protocol,
			ca_id = excluded.ca_id, ra_url = excluded.ra_url, proxy = excluded.proxy, timeout = excluded.timeout,
			weak = excluded.weak, keep_password = excluded.keep_password`,
		c.Name, c.URL, c.Port, c.Protocol, c.CAID, c.RAURL, c.Proxy, int64(c.Timeout), words[newleaf.Weak](c.Weak), c.KeepPassword)
}

// DeleteConnection removes the connection alone; its anchors and secrets have
// rows of their own.
func (tx *Tx) DeleteConnection(name string) error {
	n, err := tx.exec("deleting a connection", `DELETE FROM connections WHERE name = ?`, name)
	if err == nil && n == 0 {
		return missing("connection", name)
	}
	return err
}

// readConnection gives an unreadable one by its name, without an address.
func readConnection(r row) (c newleaf.Connection) {
	if !r.read(&c.Name, &c.URL, &c.Port, &c.Protocol, &c.CAID, &c.RAURL, &c.Proxy, &c.Timeout,
		(*words[newleaf.Weak])(&c.Weak), &c.KeepPassword) {
		return newleaf.NewConnection(c.Name)
	}
	return c
}
