package ca

import (
	"database/sql"
	"errors"
	"fmt"
	"time"

	"newleaf/internal/enroll"
)

// state is what became of a transaction.
type state struct {
	key, signer []byte
	subject     string
	decision    enroll.Decision
	revoked     bool
	mischief    bool
}

// spent reports that the transaction's certificate is of no use any more, so
// that a repeated request is a new one. Clients that derive the transactionID
// from their key could not come back otherwise.
func (s *state) spent(now time.Time) bool {
	c := s.decision.Certificate
	return c != nil && (s.revoked || !s.mischief && now.After(c.NotAfter))
}

// transaction looks a transaction up, nil where there is none. A refusal by
// policy leaves none: the request may be corrected and sent again.
func transaction(tx *sql.Tx, id string) (*state, error) {
	var s state
	var denied sql.NullString
	err := tx.QueryRow(`SELECT key, signer, subject, denied FROM queue WHERE transaction_id = ?`, id).
		Scan(&s.key, &s.signer, &s.subject, &denied)
	switch {
	case err == nil && denied.Valid:
		s.decision = refusal(badRequest, denied.String)
		return &s, nil
	case err == nil:
		s.decision = enroll.Decision{Status: enroll.Pending}
		return &s, nil
	case !errors.Is(err, sql.ErrNoRows):
		return nil, fmt.Errorf("looking for the transaction: %w", err)
	}
	i, err := issuedByTransaction(tx, id)
	if err != nil || i == nil {
		return nil, err
	}
	return &state{
		key: i.Key, signer: i.Signer, subject: i.Subject, revoked: !i.RevokedAt.IsZero(), mischief: i.Mischief,
		decision: enroll.Decision{Status: enroll.Issued, Certificate: i.Certificate},
	}, nil
}
