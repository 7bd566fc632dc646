package ca

import (
	"context"
	"crypto/x509"
	"database/sql"
	"encoding/hex"
	"fmt"
	"time"

	"newleaf"
	"newleaf/internal/enroll"
)

// Entry is one line of the request log: what was asked and what was decided
// (ENT-05). Serial is lower-case hex.
type Entry struct {
	ID            int64     `json:"id"`
	At            time.Time `json:"at"`
	Peer          string    `json:"peer"`
	Protocol      string    `json:"protocol"`
	Operation     string    `json:"operation"` // enroll, renew, poll, approve, deny
	TransactionID string    `json:"transactionId"`
	Subject       string    `json:"subject"`
	Decision      string    `json:"decision"` // issued, pending, refused
	FailInfo      string    `json:"failInfo"`
	Reason        string    `json:"reason"`
	Serial        string    `json:"serial"`
}

// logLimit bounds the request log; the oldest lines make room.
const logLimit = 10_000

// operation names what a submission asks.
func operation(s enroll.Submission) string {
	if s.Renewal {
		return "renew"
	}
	return "enroll"
}

// record writes a decision into the log.
func record(tx *sql.Tx, now time.Time, operation string, s enroll.Submission, subject string, d enroll.Decision) error {
	serial := ""
	if d.Certificate != nil {
		serial = serialHex(d.Certificate)
	}
	_, err := tx.Exec(`INSERT INTO requests (at, peer, protocol, operation, transaction_id, subject, decision, fail_info, reason, serial)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
		now.UnixMilli(), s.Peer, s.Protocol, operation, s.TransactionID, subject, d.Status, d.FailInfo, d.Reason, serial)
	if err == nil {
		_, err = tx.Exec(`DELETE FROM requests WHERE id <= last_insert_rowid() - ?`, logLimit)
	}
	if err != nil {
		return fmt.Errorf("writing the request log: %w", err)
	}
	return nil
}

// Requests lists the log's lines after the one with the ID since, oldest first.
func (c *CA) Requests(ctx context.Context, since int64) ([]Entry, error) {
	out := []Entry{}
	err := c.db.Read(ctx, func(tx *sql.Tx) error {
		rows, err := tx.Query(`SELECT id, at, peer, protocol, operation, transaction_id, subject, decision, fail_info, reason, serial
			FROM requests WHERE id > ? ORDER BY id`, since)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var e Entry
			var at int64
			if err := rows.Scan(&e.ID, &at, &e.Peer, &e.Protocol, &e.Operation, &e.TransactionID, &e.Subject,
				&e.Decision, &e.FailInfo, &e.Reason, &e.Serial); err != nil {
				return err
			}
			e.At = time.UnixMilli(at).UTC()
			out = append(out, e)
		}
		return rows.Err()
	})
	if err != nil {
		return nil, fmt.Errorf("reading the request log: %w", err)
	}
	return out, nil
}

// Registration is one issued certificate as the lab lists it.
type Registration struct {
	Serial        string     `json:"serial"`
	Subject       string     `json:"subject"`
	TransactionID string     `json:"transactionId"`
	NotBefore     time.Time  `json:"notBefore"`
	NotAfter      time.Time  `json:"notAfter"`
	RevokedAt     *time.Time `json:"revokedAt"`
	SHA256        string     `json:"sha256"`
	Mischief      bool       `json:"mischief"` // odd on purpose
}

// listLimit bounds what Registered reads.
const listLimit = 1000

// Registered lists the issued certificates, newest first.
func (c *CA) Registered(ctx context.Context) ([]Registration, error) {
	out := []Registration{}
	err := c.db.Read(ctx, func(tx *sql.Tx) error {
		rows, err := tx.Query(`SELECT `+issuedColumns+` FROM issued ORDER BY id DESC LIMIT ?`, listLimit)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			i, err := scanIssued(rows)
			if err != nil {
				return err
			}
			r := Registration{
				Serial: serialHex(i.Certificate), Subject: i.Subject, TransactionID: i.TransactionID, Mischief: i.Mischief,
				NotBefore: i.Certificate.NotBefore, NotAfter: i.Certificate.NotAfter, SHA256: string(newleaf.IDOf(i.Certificate.Raw)),
			}
			if !i.RevokedAt.IsZero() {
				r.RevokedAt = &i.RevokedAt
			}
			out = append(out, r)
		}
		return rows.Err()
	})
	if err != nil {
		return nil, fmt.Errorf("listing the issued certificates: %w", err)
	}
	return out, nil
}

func serialHex(c *x509.Certificate) string { return hex.EncodeToString(c.SerialNumber.Bytes()) }
