package load

import (
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"newleaf/internal/db"
)

// Issued writes n certificates into the store of a lab authority that does not
// run, each of another subject and key; all are the one in der.
func Issued(ctx context.Context, file string, der []byte, n int) error {
	d, err := db.Open(file, db.Options{})
	if err != nil {
		return err
	}
	now := time.Now()
	err = d.Write(ctx, func(tx *sql.Tx) error {
		insert, err := tx.Prepare(`INSERT INTO issued (serial, subject, key, transaction_id, signer, issued_at, not_after, der) VALUES (?, ?, ?, ?, ?, ?, ?, ?)`)
		if err != nil {
			return err
		}
		defer insert.Close()
		for range n {
			b := make([]byte, 48)
			_, _ = rand.Read(b) // never fails
			b[0] = b[0]&0x7f | 0x40
			_, err := insert.Exec(b[:16], fmt.Sprintf("CN=%x,O=Load,C=JP", b[:16]), b[16:], fmt.Sprintf("%x", b[:16]), b[16:],
				now.UnixMilli(), now.AddDate(0, 0, 90).UnixMilli(), der)
			if err != nil {
				return err
			}
		}
		return nil
	})
	return errors.Join(err, d.Close())
}
