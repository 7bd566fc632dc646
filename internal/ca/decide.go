package ca

import (
	"bytes"
	"context"
	"crypto/x509"
	"database/sql"
	"fmt"
	"math/big"
	"slices"
	"time"

	"newleaf/internal/enroll"
)

// request is a submission with what is read from it once.
type request struct {
	enroll.Submission
	subject string
	san     []string
	key     []byte   // of the request
	signer  []byte   // of the message
	serial  *big.Int // of the certificate, if there will be one

	mischief *enroll.Mischief // see bent
}

func read(s enroll.Submission) (*request, error) {
	san, err := alternatives(s.CSR.Extensions)
	if err != nil {
		return nil, err
	}
	r := &request{Submission: s, subject: subjectOf(s.CSR.RawSubject), san: san, key: keySum(s.CSR.RawSubjectPublicKeyInfo), serial: newSerial()}
	r.signer = r.key
	if s.Signer != nil {
		r.signer = keyOf(s.Signer)
	}
	return r, nil
}

// Decide implements [enroll.Authority]. Judgment, signature, one-time password
// and log entry are one transaction, durable before the answer: a client that
// never hears it finds the same certificate when it asks again. The signature
// is made inside, because two requests of one subject must not both be judged
// before one of them is stored.
func (c *CA) Decide(ctx context.Context, s enroll.Submission) (enroll.Decision, error) {
	now := c.now()
	if s.TransactionID == "" || len(s.TransactionID) > maxTransactionID {
		return c.refused(ctx, s, now, "the transactionID is empty or too long")
	}
	r, err := read(s)
	if err != nil {
		return c.refused(ctx, s, now, err.Error())
	}
	var d enroll.Decision
	err = c.db.Submit(ctx, func(tx *sql.Tx) (err error) {
		if d, err = c.decide(tx, r, now); err != nil {
			return err
		}
		return record(tx, now, operation(s), s, r.subject, d)
	})
	if err != nil {
		return enroll.Decision{}, fmt.Errorf("deciding on transaction %q: %w", s.TransactionID, err)
	}
	return d, nil
}

// maxTransactionID bounds what is stored; clients use up to 77 characters.
const maxTransactionID = 256

// refused records a refusal that needed no look into the store.
func (c *CA) refused(ctx context.Context, s enroll.Submission, now time.Time, reason string) (enroll.Decision, error) {
	d := refusal(badRequest, reason)
	s.TransactionID = s.TransactionID[:min(len(s.TransactionID), maxTransactionID)]
	err := c.db.Submit(ctx, func(tx *sql.Tx) error { return record(tx, now, operation(s), s, subjectOf(s.CSR.RawSubject), d) })
	return d, err
}

func refusal(failInfo, reason string) enroll.Decision {
	return enroll.Decision{Status: enroll.Refused, FailInfo: failInfo, Reason: reason}
}

func (c *CA) decide(tx *sql.Tx, r *request, now time.Time) (enroll.Decision, error) {
	state, err := transaction(tx, r.TransactionID)
	if err != nil {
		return enroll.Decision{}, err
	}
	if state != nil && !bytes.Equal(state.key, r.key) {
		return refusal(badRequest, "the transactionID belongs to a request for another key"), nil
	}
	if state != nil && !state.spent(now) {
		return state.decision, nil
	}
	facts, err := c.facts(tx, r, now)
	if err != nil {
		return enroll.Decision{}, err
	}
	ruling := c.policy.Judge(facts)
	if ruling.Verdict == Refuse {
		return refusal(ruling.FailInfo, ruling.Reason), nil
	}
	if ruling.Verdict == Grant && c.bent(r).Old {
		if old, err := present(tx, r.subject, now); err != nil {
			return enroll.Decision{}, err
		} else if old != nil {
			return enroll.Decision{Status: enroll.Issued, Certificate: old.Certificate}, nil
		}
	}
	if ruling.Spend {
		if err := spend(tx, r.Challenge, now); err != nil {
			return enroll.Decision{}, err
		}
	}
	if ruling.Verdict == Queue {
		return enqueue(tx, r, now)
	}
	return c.issue(tx, r, now)
}

// facts gathers what Judge looks at.
func (c *CA) facts(tx *sql.Tx, r *request, now time.Time) (f Facts, err error) {
	f = Facts{Now: now, Subject: r.subject, SAN: r.san, Challenge: r.Challenge}
	f.KeyAlgorithm, f.KeyBits = keyKind(r.CSR.PublicKey)
	if f.KeyUse, err = keyUse(tx, r.key); err != nil {
		return f, err
	}
	if c.policy.OneTime && r.Challenge != "" {
		if f.OneTime, err = oneTime(tx, r.Challenge); err != nil {
			return f, err
		}
	}
	if r.Submission.Signer == nil {
		return f, nil
	}
	if f.Signer, err = c.signer(tx, r.Submission.Signer); err != nil {
		return f, err
	}
	if !f.Signer.Ours && !f.Signer.Authority && bytes.Equal(r.signer, r.key) {
		f.Signer = nil // the requester itself
		return f, nil
	}
	f.Live, err = countLive(tx, r.subject, now, c.policy.Live)
	return f, err
}

// signer looks a message's signer up among the certificates issued here.
func (c *CA) signer(tx *sql.Tx, certificate *x509.Certificate) (*Signer, error) {
	own := []*x509.Certificate{c.identity.Issuer, c.identity.Signer, c.identity.Recipient}
	s := &Signer{
		Authority: certificate.IsCA || slices.ContainsFunc(own, certificate.Equal),
		NotBefore: certificate.NotBefore, NotAfter: certificate.NotAfter, Subject: subjectOf(certificate.RawSubject),
	}
	var err error
	if s.SAN, err = alternatives(certificate.Extensions); err != nil {
		return nil, err
	}
	if !bytes.Equal(certificate.RawIssuer, c.identity.Issuer.RawSubject) {
		return s, nil // as every throw-away certificate is: nothing to look up
	}
	held, err := issuedBySerial(tx, certificate.SerialNumber)
	if err != nil || held == nil || !held.Certificate.Equal(certificate) {
		return s, err
	}
	s.Ours, s.Revoked = !held.Mischief, !held.RevokedAt.IsZero()
	return s, nil
}

// bent is what the script wants of the certificate. Its turn is taken once,
// though the transaction may run twice.
func (c *CA) bent(r *request) enroll.Mischief {
	if r.mischief == nil {
		m := c.script.take(true, operation(r.Submission), pkiOperation)
		r.mischief = &m
	}
	return *r.mischief
}

// issue makes and stores the certificate, odd if the script wants it so.
func (c *CA) issue(tx *sql.Tx, r *request, now time.Time) (enroll.Decision, error) {
	t, err := c.profile.template(r.CSR, r.serial, now)
	if err != nil {
		return enroll.Decision{}, err
	}
	bend(t, c.bent(r), c.identity.Foreign.Certificate.PublicKey, now)
	certificate, err := sign(t, c.identity.Issuer, c.identity.issuer.Key)
	if err != nil {
		return enroll.Decision{}, err
	}
	err = insertIssued(tx, issued{
		Subject: r.subject, Key: r.key, TransactionID: r.TransactionID, Signer: r.signer,
		IssuedAt: now, Mischief: ofCertificate(c.bent(r)), Certificate: certificate,
	})
	return enroll.Decision{Status: enroll.Issued, Certificate: certificate}, err
}

// Poll implements [enroll.Authority]. Only who signed the request, or its own
// key, is told; nil asks on behalf of no one in particular.
func (c *CA) Poll(ctx context.Context, transactionID string, signer *x509.Certificate) (enroll.Decision, error) {
	var d enroll.Decision
	now := c.now()
	err := c.db.Submit(ctx, func(tx *sql.Tx) error {
		state, err := transaction(tx, transactionID)
		if err != nil {
			return err
		}
		subject := ""
		switch {
		case state == nil:
			d = refusal(badCertID, "no transaction of this ID is known")
		case signer != nil && !bytes.Equal(keyOf(signer), state.key) && !bytes.Equal(keyOf(signer), state.signer):
			d = refusal(badRequest, "the transactionID belongs to another requester")
		default:
			d, subject = state.decision, state.subject
		}
		return record(tx, now, "poll", enroll.Submission{TransactionID: transactionID}, subject, d)
	})
	if err != nil {
		return enroll.Decision{}, fmt.Errorf("polling transaction %q: %w", transactionID, err)
	}
	return d, nil
}

// Find implements [enroll.Authority].
func (c *CA) Find(ctx context.Context, serial *big.Int) (found *x509.Certificate, err error) {
	err = c.db.Read(ctx, func(tx *sql.Tx) error {
		i, err := issuedBySerial(tx, serial)
		if i != nil {
			found = i.Certificate
		}
		return err
	})
	return found, err
}
