package agent

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"time"

	"newleaf"
	"newleaf/internal/enroll"
	"newleaf/internal/keys"
	"newleaf/internal/store"
)

// exchange is one conversation with an authority, made ready by prepare.
type exchange struct {
	client enroll.Client
	conn   newleaf.Connection
	rungs  []enroll.Method
	secret string
	ask    enroll.Request
}

// pollPause is how long a pending request waits at least and at most before it
// asks again; the authority's own wish lies in between.
const (
	pollPauseMin = 5 * time.Second
	pollPauseMax = time.Hour
	pollSpan     = 30 * 24 * time.Hour
)

// prepare gathers what a request needs, makes the key once, and checks the
// budget. All of it survives a restart.
func (a *Agent) prepare(ctx context.Context, r *newleaf.Renewal) (*exchange, error) {
	x := &exchange{}
	var present *newleaf.Certificate
	var presentKey, ownKey store.Key
	err := a.Store.Read(ctx, func(tx *store.Tx) (err error) {
		s, err := a.snapshot(tx)
		if err != nil {
			return err
		}
		if err := gone(r, s); err != nil {
			return err
		}
		if x.conn, err = tx.Connection(r.Request.Connection); err != nil {
			return err
		}
		if x.ask.Trust, err = a.trust(tx, x.conn.Name); err != nil {
			return err
		}
		if x.secret, err = a.password(tx, r); err != nil {
			return err
		}
		if present, presentKey, err = a.presentCredential(tx, r); err != nil {
			return err
		}
		if r.KeyID != "" {
			ownKey, _, err = tx.Key(r.KeyID)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	if r.Unanswered { // the device stopped before the answer came
		r.Sent, r.Unanswered = append(r.Sent, a.Now()), false
	}
	if enroll.Spent(r.Sent, a.Now(), newleaf.Scaled(enroll.BudgetSpan, lifetimeOf(present))) {
		return nil, newleaf.Errorf(newleaf.CodeMayHold, "the authority may hold a certificate: %d requests brought none that can be used", enroll.BudgetRequests)
	}
	if present != nil {
		if x.ask.Present, err = a.credential(*present, presentKey); err != nil {
			return nil, err
		}
	}
	if x.ask.Key, err = a.requestKey(ctx, r, ownKey); err != nil {
		return nil, err
	}
	if x.ask.Subject, err = a.subject(r, present); err != nil {
		return nil, err
	}
	if x.client, err = a.Dial(x.conn); err != nil {
		return nil, err
	}
	x.ask.SAN, x.ask.Verify = r.Request.SAN, r.Request.Verify
	return x, nil
}

// requestKey is the key the certificate is asked for: the one that waits since
// an earlier try, else a fresh one (S804), sealed before anything is sent.
func (a *Agent) requestKey(ctx context.Context, r *newleaf.Renewal, own store.Key) (crypto.Signer, error) {
	if own.ID != "" {
		return a.Vault.Open(keys.Sealed(own))
	}
	key, err := keys.Generate(keys.Spec(r.Request.Key))
	if err != nil {
		return nil, newleaf.Errorf(newleaf.CodeInternal, "making a key of kind %s: %w", r.Request.Key, err)
	}
	a.Stop("request.generated")
	err = a.commit(ctx, a.seal, r, func(tx *store.Tx, r *newleaf.Renewal) error {
		sealed, err := a.Vault.Seal(key, r.Request.Exportable)
		if err != nil {
			return err
		}
		r.KeyID, r.TransactionID, r.Polls, r.Unanswered = sealed.ID, newTransaction(), 0, false
		if err := tx.PutKey(store.Key(sealed)); err != nil {
			return err
		}
		_, err = tx.PutRenewal(*r)
		return err
	})
	a.Stop("request.sealed")
	return key, err
}

// exchange asks, or asks again, and checks the answer. It climbs the ladder on
// verified refusals only.
func (a *Agent) exchange(ctx context.Context, r *newleaf.Renewal, x *exchange) (enroll.Accepted, error) {
	caps, err := x.client.Capabilities(ctx)
	if err != nil {
		return enroll.Accepted{}, err
	}
	x.rungs = enroll.Ladder(caps, x.ask.Present != nil, x.secret != "")
	if !slices.Contains(x.rungs, enroll.Method(r.Method)) {
		r.Method = string(x.rungs[0])
	}
	for requests := 1; ; requests++ {
		answer, err := a.ask(ctx, r, x)
		var not *enroll.NotIssued
		if next := enroll.Next(x.rungs, enroll.Method(r.Method)); errors.As(err, &not) && not.Refused && next != "" {
			if err := a.climb(ctx, r, next, err.Error()); err != nil {
				return enroll.Accepted{}, err
			}
			continue
		}
		if err != nil {
			return enroll.Accepted{}, err
		}
		switch answer.Status {
		case enroll.Pending:
			return enroll.Accepted{}, a.pending(ctx, r, answer)
		case enroll.Issued:
			return a.check(ctx, r, x, answer)
		}
		next := enroll.Next(x.rungs, enroll.Method(r.Method))
		if next == "" || !answer.Verified {
			return enroll.Accepted{}, refused(r, answer, requests)
		}
		if err := a.climb(ctx, r, next, answer.Reason); err != nil {
			return enroll.Accepted{}, err
		}
	}
}

// ask sends the request, or polls where the authority said "pending" before. The
// store knows before the first byte leaves that an answer is outstanding.
func (a *Agent) ask(ctx context.Context, r *newleaf.Renewal, x *exchange) (enroll.Answer, error) {
	x.ask.Method, x.ask.TransactionID, x.ask.Challenge = enroll.Method(r.Method), r.TransactionID, ""
	if x.ask.Method == enroll.ByChallenge {
		x.ask.Challenge = x.secret
	}
	if r.Polls > 0 {
		return x.client.Poll(ctx, x.ask)
	}
	err := a.commit(ctx, a.Store.Write, r, func(tx *store.Tx, r *newleaf.Renewal) error {
		r.Unanswered = true
		_, err := tx.PutRenewal(*r)
		return err
	})
	if err != nil {
		return enroll.Answer{}, err
	}
	a.Stop("request.sending")
	answer, err := x.client.Send(ctx, x.ask)
	r.Unanswered = false
	if err != nil && mayHaveIssued(err) {
		r.Sent = append(r.Sent, a.Now())
	}
	return answer, err
}

// mayHaveIssued reports that the authority may have issued a certificate that we
// do not have: the request may have arrived, and no readable answer came back.
func mayHaveIssued(err error) bool {
	var not *enroll.NotIssued
	return !errors.As(err, &not) && newleaf.CodeOf(err) != newleaf.CodeUnreachable
}

// pending stores when to ask again (F8-G10).
func (a *Agent) pending(ctx context.Context, r *newleaf.Renewal, answer enroll.Answer) error {
	if a.Now().Sub(r.Started) > pollSpan {
		r.Error = newleaf.Errorf(newleaf.CodeRefused, "the authority did not decide in %d days", pollSpan/(24*time.Hour))
		if err := a.end(ctx, r, newleaf.PhaseFailed, newleaf.EventFailed); err != nil {
			return err
		}
		return errWait
	}
	err := a.commit(ctx, a.Store.Write, r, func(tx *store.Tx, r *newleaf.Renewal) error {
		r.Polls++
		r.Phase = newleaf.PhasePending
		pause := max(answer.RetryAfter, a.Now().Sub(r.Started)/4)
		r.NextTry = a.Now().Add(min(max(pause, pollPauseMin), pollPauseMax))
		if r.Polls > 1 {
			_, err := tx.PutRenewal(*r)
			return err
		}
		return a.save(tx, r, r.Step, true, "the authority has not decided yet; newleaf asks again with the same key")
	})
	if err != nil {
		return err
	}
	return errWait
}

// refusal ends a ladder: the authority refused so many requests.
type refusal struct {
	error
	requests int
}

func (r refusal) Unwrap() error { return r.error }

// refused lets the next try begin anew at the foot of the ladder, as another
// transaction. An answer that was not verified proves nothing: the transaction stays.
func refused(r *newleaf.Renewal, answer enroll.Answer, requests int) error {
	r.Polls = 0
	if answer.Verified {
		r.Method, r.TransactionID = "", newTransaction()
	}
	return refusal{newleaf.Errorf(newleaf.CodeRefused, "the authority refused the request: %s", answer.Reason), requests}
}

// climb goes on with the next rung, as a new transaction: a repeated one would
// be answered with the same refusal.
func (a *Agent) climb(ctx context.Context, r *newleaf.Renewal, next enroll.Method, why string) error {
	return a.commit(ctx, a.Store.Write, r, func(tx *store.Tx, r *newleaf.Renewal) error {
		from := r.Method
		r.Method, r.TransactionID, r.Polls = string(next), newTransaction(), 0
		return a.save(tx, r, r.Step, false, fmt.Sprintf("the authority refused by %s (%s); trying by %s", from, why, next))
	})
}

// check accepts the certificate or writes to the journal why not, with its
// public bytes: it was issued, and somebody will look for it.
func (a *Agent) check(ctx context.Context, r *newleaf.Renewal, x *exchange, answer enroll.Answer) (enroll.Accepted, error) {
	var held []newleaf.Certificate
	if err := a.Store.Read(ctx, func(tx *store.Tx) (err error) { held, err = tx.Certificates(); return err }); err != nil {
		return enroll.Accepted{}, err
	}
	clock := a.clock.state()
	accepted, err := enroll.Check(answer.Certificates, enroll.Wanted{
		Public: x.ask.Key.Public(), Purposes: r.Request.Purposes, Kinds: a.Kinds, Trust: x.ask.Trust, Verify: r.Request.Verify,
		Held: func(id newleaf.ID) bool { return find(held, id) != nil }, Now: a.Now(), Clock: clock.Trusted,
		Floor: clock.Floor, Ends: endOf(find(held, r.Replaces)),
	})
	if err == nil {
		return accepted, nil
	}
	r.Sent = append(r.Sent, a.Now())
	return accepted, errors.Join(err, a.Store.Write(ctx, func(tx *store.Tx) error {
		e := newleaf.Event{Kind: newleaf.EventRefused, By: r.By, Renewal: r.ID, Text: err.Error(), Data: map[string]string{}}
		for i, c := range answer.Certificates[:min(4, len(answer.Certificates))] {
			e.Data[fmt.Sprintf("certificate%d", i)] = pemOf(c.Raw)
		}
		return a.note(tx, e)
	}))
}

// subject is what is asked for: the exact bytes of the certificate that is
// updated, as some authorities insist on (Q16), unless the template was edited.
func (a *Agent) subject(r *newleaf.Renewal, present *newleaf.Certificate) ([]byte, error) {
	if present != nil && !r.Request.Edited {
		if c, err := x509.ParseCertificate(present.DER); err == nil {
			return c.RawSubject, nil
		}
	}
	return newleaf.MarshalSubject(r.Request.Subject)
}

func newTransaction() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails
	return hex.EncodeToString(b[:])
}

func lifetimeOf(c *newleaf.Certificate) time.Duration {
	if c == nil {
		return 0
	}
	return c.Lifetime()
}

// endOf is when c ends, zero for none.
func endOf(c *newleaf.Certificate) time.Time {
	if c == nil {
		return time.Time{}
	}
	return c.NotAfter
}
