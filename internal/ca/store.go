package ca

import (
	"crypto/x509"
	"database/sql"
	"errors"
	"fmt"
	"math/big"
	"time"
)

// migrations of the authority's store. Times are Unix milliseconds, keys are
// SHA-256 of a SubjectPublicKeyInfo, challenges are kept as SHA-256 only.
var migrations = []string{`
CREATE TABLE issued (
	id             INTEGER PRIMARY KEY,
	serial         BLOB NOT NULL UNIQUE,
	subject        TEXT NOT NULL,
	key            BLOB NOT NULL,
	transaction_id TEXT NOT NULL,
	signer         BLOB NOT NULL, -- the key that signed the request
	issued_at      INTEGER NOT NULL,
	not_after      INTEGER NOT NULL,
	revoked_at     INTEGER,
	mischief       INTEGER NOT NULL DEFAULT 0, -- 1: not a real certificate of its subject
	der            BLOB NOT NULL
) STRICT;
CREATE INDEX issued_transaction ON issued (transaction_id);
CREATE INDEX issued_key ON issued (key, revoked_at) WHERE mischief = 0;
CREATE INDEX issued_live ON issued (subject, not_after) WHERE revoked_at IS NULL AND mischief = 0;
CREATE INDEX issued_revoked ON issued (revoked_at) WHERE revoked_at IS NOT NULL;

CREATE TABLE queue (
	transaction_id TEXT PRIMARY KEY,
	key            BLOB NOT NULL,
	signer         BLOB NOT NULL,
	at             INTEGER NOT NULL,
	peer           TEXT NOT NULL,
	protocol       TEXT NOT NULL,
	subject        TEXT NOT NULL,
	csr            BLOB NOT NULL,
	denied         TEXT -- the reason, NULL while a person has not decided
) STRICT;

CREATE TABLE challenges (
	hash    BLOB PRIMARY KEY,
	subject TEXT NOT NULL,
	expires INTEGER NOT NULL,
	used_at INTEGER
) STRICT, WITHOUT ROWID;
CREATE INDEX challenges_expires ON challenges (expires);

CREATE TABLE requests (
	id             INTEGER PRIMARY KEY AUTOINCREMENT,
	at             INTEGER NOT NULL,
	peer           TEXT NOT NULL,
	protocol       TEXT NOT NULL,
	operation      TEXT NOT NULL,
	transaction_id TEXT NOT NULL,
	subject        TEXT NOT NULL,
	decision       TEXT NOT NULL,
	fail_info      TEXT NOT NULL,
	reason         TEXT NOT NULL,
	serial         TEXT NOT NULL
) STRICT;

CREATE TABLE crl (
	id     INTEGER PRIMARY KEY CHECK (id = 1),
	number INTEGER NOT NULL,
	made   INTEGER NOT NULL,
	der    BLOB -- NULL once a revocation made it stale
) STRICT;
`}

// issued is one certificate in the store.
type issued struct {
	Subject       string
	Key           []byte
	TransactionID string
	Signer        []byte
	IssuedAt      time.Time
	RevokedAt     time.Time // zero: not revoked
	Mischief      bool
	Certificate   *x509.Certificate
}

const issuedColumns = `subject, key, transaction_id, signer, issued_at, revoked_at, mischief, der`

// scanIssued reads a row of issuedColumns; nil where there is none.
func scanIssued(row interface{ Scan(...any) error }) (*issued, error) {
	var i issued
	var at int64
	var revoked sql.NullInt64
	var der []byte
	err := row.Scan(&i.Subject, &i.Key, &i.TransactionID, &i.Signer, &at, &revoked, &i.Mischief, &der)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading an issued certificate: %w", err)
	}
	i.IssuedAt = time.UnixMilli(at).UTC()
	if revoked.Valid {
		i.RevokedAt = time.UnixMilli(revoked.Int64).UTC()
	}
	if i.Certificate, err = x509.ParseCertificate(der); err != nil {
		return nil, fmt.Errorf("reading an issued certificate: %w", err)
	}
	return &i, nil
}

func insertIssued(tx *sql.Tx, i issued) error {
	_, err := tx.Exec(`INSERT INTO issued (serial, subject, key, transaction_id, signer, issued_at, not_after, mischief, der)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`,
		i.Certificate.SerialNumber.Bytes(), i.Subject, i.Key, i.TransactionID, i.Signer,
		i.IssuedAt.UnixMilli(), i.Certificate.NotAfter.UnixMilli(), i.Mischief, i.Certificate.Raw)
	if err != nil {
		return fmt.Errorf("storing the certificate: %w", err)
	}
	return nil
}

func issuedBySerial(tx *sql.Tx, serial *big.Int) (*issued, error) {
	return scanIssued(tx.QueryRow(`SELECT `+issuedColumns+` FROM issued WHERE serial = ?`, serial.Bytes()))
}

// issuedByTransaction is the last certificate of a transaction.
func issuedByTransaction(tx *sql.Tx, id string) (*issued, error) {
	return scanIssued(tx.QueryRow(`SELECT `+issuedColumns+` FROM issued WHERE transaction_id = ? ORDER BY id DESC LIMIT 1`, id))
}

// present is the certificate that the subject has had last, among those it holds.
func present(tx *sql.Tx, subject string, now time.Time) (*issued, error) {
	return scanIssued(tx.QueryRow(`SELECT `+issuedColumns+` FROM issued
		WHERE subject = ? AND not_after >= ? AND revoked_at IS NULL AND mischief = 0
		ORDER BY not_after DESC, id DESC LIMIT 1`, subject, now.UnixMilli()))
}

// countLive counts the certificates a subject holds, at most up to limit.
func countLive(tx *sql.Tx, subject string, now time.Time, limit int) (n int, err error) {
	err = tx.QueryRow(`SELECT count(*) FROM (SELECT 1 FROM issued
		WHERE subject = ? AND not_after >= ? AND revoked_at IS NULL AND mischief = 0 LIMIT ?)`,
		subject, now.UnixMilli(), limit).Scan(&n)
	return n, err
}

func keyUse(tx *sql.Tx, key []byte) (KeyUse, error) {
	var used, revoked bool
	err := tx.QueryRow(`SELECT
		EXISTS (SELECT 1 FROM issued WHERE key = ?1 AND mischief = 0),
		EXISTS (SELECT 1 FROM issued WHERE key = ?1 AND mischief = 0 AND revoked_at > 0)`, key).Scan(&used, &revoked)
	switch {
	case err != nil:
		return "", fmt.Errorf("looking for the key: %w", err)
	case revoked:
		return KeyRevoked, nil
	case used:
		return KeyUsed, nil
	}
	return KeyNew, nil
}
