package ca

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"newleaf"
)

// Challenge is a one-time challenge password as it is given out. The store
// keeps its hash only.
type Challenge struct {
	Challenge string    `json:"challenge"` // 128 random bits in hex, a PrintableString
	Subject   string    `json:"subject"`
	Expires   time.Time `json:"expires"`
}

// NewChallenge gives out a one-time challenge for a subject such as
// "C=JP,O=ABC,CN=Device001". It serves one request, within [ChallengeLife].
func (c *CA) NewChallenge(ctx context.Context, subject string) (Challenge, error) {
	if !c.policy.OneTime {
		return Challenge{}, newleaf.Errorf(newleaf.CodeConflict, "the authority takes its static challenge password only").
			WithHint("Start it with --otp to give out one-time ones too.")
	}
	raw, err := newleaf.MarshalSubject(subject)
	if err != nil {
		return Challenge{}, err
	}
	secret := make([]byte, 16)
	rand.Read(secret)
	now := c.now()
	given := Challenge{hex.EncodeToString(secret), subjectOf(raw), now.Add(ChallengeLife).UTC().Truncate(time.Second)}
	err = c.db.Submit(ctx, func(tx *sql.Tx) error {
		if _, err := tx.Exec(`DELETE FROM challenges WHERE expires < ?`, now.Add(-24*time.Hour).UnixMilli()); err != nil {
			return err
		}
		_, err := tx.Exec(`INSERT INTO challenges (hash, subject, expires) VALUES (?, ?, ?)`,
			challengeHash(given.Challenge), given.Subject, given.Expires.UnixMilli())
		return err
	})
	if err != nil {
		return Challenge{}, fmt.Errorf("storing the challenge: %w", err)
	}
	return given, nil
}

func challengeHash(challenge string) []byte {
	sum := sha256.Sum256([]byte(challenge))
	return sum[:]
}

// oneTime looks a challenge up, nil where it was never given out.
func oneTime(tx *sql.Tx, challenge string) (*OneTime, error) {
	var o OneTime
	var expires int64
	err := tx.QueryRow(`SELECT subject, expires, used_at IS NOT NULL FROM challenges WHERE hash = ?`, challengeHash(challenge)).
		Scan(&o.Subject, &expires, &o.Used)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("looking for the challenge: %w", err)
	}
	o.Expires = time.UnixMilli(expires).UTC()
	return &o, nil
}

// spend uses a one-time challenge up.
func spend(tx *sql.Tx, challenge string, now time.Time) error {
	_, err := tx.Exec(`UPDATE challenges SET used_at = ? WHERE hash = ?`, now.UnixMilli(), challengeHash(challenge))
	return err
}
