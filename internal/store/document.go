package store

import (
	"encoding/json"
	"fmt"

	"newleaf"
)

// The documents: what a device has one of.
const (
	DocSettings    = "settings"
	DocReservation = "reservation"
	DocDeletion    = "deletion"
	DocClock       = "clock"      // what is remembered of the clock
	DocLab         = "lab"        // provisioned for the lab
	DocDevice      = "device"     // random name of this store
	DocGeneration  = "generation" // of the key-encryption key
	DocProfile     = "profile"
)

// Document reads the document key into the variable that into points to and
// reports whether there is one. Fields it does not have keep their values, so
// that into can bring the defaults. An unreadable one is CodeDamaged.
func (tx *Tx) Document(key string, into any) (found bool, err error) {
	body, found, err := first(tx, "reading a document", value[[]byte], `SELECT body FROM documents WHERE key = ?`, key)
	if err != nil || !found {
		return false, err
	}
	if err := json.Unmarshal(body, into); err != nil {
		return true, newleaf.Errorf(newleaf.CodeDamaged, "the stored %s cannot be read: %w", key, err).
			WithHint("Set it anew.")
	}
	return true, nil
}

// PutDocument stores v as JSON.
func (tx *Tx) PutDocument(key string, v any) error {
	body, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("encoding the document %s: %w", key, err)
	}
	return tx.put("storing a document", `INSERT INTO documents (key, body) VALUES (?, ?)
		ON CONFLICT (key) DO UPDATE SET body = excluded.body`, key, string(body))
}
