package ca

import (
	"context"
	"crypto/x509"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"newleaf"
	"newleaf/internal/enroll"
)

// Waiting is a request that waits for a person.
type Waiting struct {
	TransactionID string    `json:"transactionId"`
	At            time.Time `json:"at"`
	Peer          string    `json:"peer"`
	Protocol      string    `json:"protocol"`
	Subject       string    `json:"subject"`
	SAN           []string  `json:"san"`
	Key           string    `json:"key"` // SHA-256 of the SubjectPublicKeyInfo
}

// queueLimit bounds the requests that wait, and the denials that are remembered.
const queueLimit = 1000

// enqueue puts a request before a person.
func enqueue(tx *sql.Tx, r *request, now time.Time) (enroll.Decision, error) {
	var n int
	if err := tx.QueryRow(`SELECT count(*) FROM queue WHERE denied IS NULL`).Scan(&n); err != nil {
		return enroll.Decision{}, err
	}
	if n >= queueLimit {
		return refusal(badRequest, "too many requests wait for approval already"), nil
	}
	_, err := tx.Exec(`INSERT INTO queue (transaction_id, key, signer, at, peer, protocol, subject, csr) VALUES (?, ?, ?, ?, ?, ?, ?, ?)`,
		r.TransactionID, r.key, r.signer, now.UnixMilli(), r.Peer, r.Protocol, r.subject, r.CSR.Raw)
	if err != nil {
		return enroll.Decision{}, fmt.Errorf("queueing the request: %w", err)
	}
	return enroll.Decision{Status: enroll.Pending}, nil
}

// Pending lists the requests that wait for a person, oldest first.
func (c *CA) Pending(ctx context.Context) ([]Waiting, error) {
	out := []Waiting{}
	err := c.db.Read(ctx, func(tx *sql.Tx) error {
		rows, err := tx.Query(`SELECT transaction_id, key, at, peer, protocol, subject, csr FROM queue WHERE denied IS NULL ORDER BY at, transaction_id`)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var w Waiting
			var key, der []byte
			var at int64
			if err := rows.Scan(&w.TransactionID, &key, &at, &w.Peer, &w.Protocol, &w.Subject, &der); err != nil {
				return err
			}
			csr, err := x509.ParseCertificateRequest(der)
			if err != nil {
				return err
			}
			if w.SAN, err = alternatives(csr.Extensions); err != nil {
				return err
			}
			w.Key, w.At = fmt.Sprintf("%x", key), time.UnixMilli(at).UTC()
			out = append(out, w)
		}
		return rows.Err()
	})
	if err != nil {
		return nil, fmt.Errorf("listing the queue: %w", err)
	}
	return out, nil
}

// Approve issues the certificate of a waiting request. The requester gets it at
// its next poll.
func (c *CA) Approve(ctx context.Context, transactionID string) error {
	now := c.now()
	var r *request
	return c.db.Submit(ctx, func(tx *sql.Tx) error {
		found, err := waiting(tx, transactionID)
		if err != nil {
			return err
		}
		if r == nil { // the transaction may run twice, serial and mischief stay
			r = found
		}
		if _, err := tx.Exec(`DELETE FROM queue WHERE transaction_id = ?`, transactionID); err != nil {
			return err
		}
		d, err := c.issue(tx, r, now)
		if err != nil {
			return err
		}
		return record(tx, now, "approve", r.Submission, r.subject, d)
	})
}

// Deny refuses a waiting request for good, with a reason for the requester.
func (c *CA) Deny(ctx context.Context, transactionID, reason string) error {
	if reason == "" {
		reason = "the request was denied by the authority's administrator"
	}
	now := c.now()
	return c.db.Submit(ctx, func(tx *sql.Tx) error {
		r, err := waiting(tx, transactionID)
		if err != nil {
			return err
		}
		if _, err := tx.Exec(`UPDATE queue SET denied = ? WHERE transaction_id = ?`, reason, transactionID); err != nil {
			return err
		}
		if _, err := tx.Exec(`DELETE FROM queue WHERE denied IS NOT NULL AND rowid NOT IN
			(SELECT rowid FROM queue WHERE denied IS NOT NULL ORDER BY rowid DESC LIMIT ?)`, queueLimit); err != nil {
			return err
		}
		return record(tx, now, "deny", r.Submission, r.subject, refusal(badRequest, reason))
	})
}

// waiting reads a request back from the queue.
func waiting(tx *sql.Tx, transactionID string) (*request, error) {
	var r request
	var der []byte
	err := tx.QueryRow(`SELECT key, signer, peer, protocol, subject, csr FROM queue WHERE transaction_id = ? AND denied IS NULL`, transactionID).
		Scan(&r.key, &r.signer, &r.Peer, &r.Protocol, &r.subject, &der)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, newleaf.Errorf(newleaf.CodeNotFound, "no request with transactionID %q waits", transactionID).
			WithHint("GET /lab/pending lists those that do.")
	}
	if err != nil {
		return nil, fmt.Errorf("reading the queue: %w", err)
	}
	r.TransactionID, r.serial = transactionID, newSerial()
	if r.CSR, err = x509.ParseCertificateRequest(der); err != nil {
		return nil, fmt.Errorf("reading the queued request: %w", err)
	}
	return &r, nil
}
