package ca

import (
	"context"
	"crypto/rand"
	"crypto/x509"
	"database/sql"
	"errors"
	"fmt"
	"math/big"
	"time"

	"newleaf"
)

// crlLife is from a revocation list's thisUpdate to its nextUpdate.
const crlLife = 7 * 24 * time.Hour

// Revoke revokes an issued certificate; doing it twice changes nothing.
func (c *CA) Revoke(ctx context.Context, serial *big.Int) error {
	now := c.now()
	return c.db.Submit(ctx, func(tx *sql.Tx) error {
		result, err := tx.Exec(`UPDATE issued SET revoked_at = coalesce(revoked_at, ?) WHERE serial = ?`, now.UnixMilli(), serial.Bytes())
		if err != nil {
			return fmt.Errorf("revoking %x: %w", serial, err)
		}
		if n, err := result.RowsAffected(); err != nil || n == 0 {
			return newleaf.Errorf(newleaf.CodeNotFound, "no certificate with serial %x was issued here", serial)
		}
		_, err = tx.Exec(`UPDATE crl SET der = NULL`)
		return err
	})
}

// CRL implements [enroll.Authority]. The list is kept until a revocation or
// half of its life has passed; numbers only grow (RFC 5280, 5.2.3).
func (c *CA) CRL(ctx context.Context) ([]byte, error) {
	now := c.now()
	var der []byte
	err := c.db.Read(ctx, func(tx *sql.Tx) (err error) {
		der, _, err = freshCRL(tx, now)
		return err
	})
	if err != nil || der != nil {
		return der, err
	}
	err = c.db.Submit(ctx, func(tx *sql.Tx) (err error) {
		var number int64
		if der, number, err = freshCRL(tx, now); err != nil || der != nil {
			return err
		}
		if der, err = c.newCRL(tx, number+1, now); err != nil {
			return err
		}
		_, err = tx.Exec(`INSERT INTO crl (id, number, made, der) VALUES (1, ?1, ?2, ?3)
			ON CONFLICT (id) DO UPDATE SET number = ?1, made = ?2, der = ?3`, number+1, now.UnixMilli(), der)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("making the revocation list: %w", err)
	}
	return der, nil
}

// freshCRL is the list in the store, nil where it is stale, and its number.
func freshCRL(tx *sql.Tx, now time.Time) (der []byte, number int64, err error) {
	var made int64
	err = tx.QueryRow(`SELECT number, made, der FROM crl`).Scan(&number, &made, &der)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, 0, nil
	}
	if err != nil {
		return nil, 0, fmt.Errorf("reading the revocation list: %w", err)
	}
	if age := now.Sub(time.UnixMilli(made)); age < 0 || age >= crlLife/2 {
		der = nil
	}
	return der, number, nil
}

func (c *CA) newCRL(tx *sql.Tx, number int64, now time.Time) ([]byte, error) {
	list := &x509.RevocationList{Number: big.NewInt(number), ThisUpdate: now, NextUpdate: now.Add(crlLife)}
	rows, err := tx.Query(`SELECT serial, revoked_at FROM issued WHERE revoked_at IS NOT NULL ORDER BY revoked_at, id`)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var serial []byte
		var at int64
		if err := rows.Scan(&serial, &at); err != nil {
			return nil, err
		}
		list.RevokedCertificateEntries = append(list.RevokedCertificateEntries,
			x509.RevocationListEntry{SerialNumber: new(big.Int).SetBytes(serial), RevocationTime: time.UnixMilli(at).UTC()})
	}
	if err := rows.Err(); err != nil {
		return nil, err
	}
	return x509.CreateRevocationList(rand.Reader, list, c.identity.Issuer, c.identity.issuer.Key)
}
