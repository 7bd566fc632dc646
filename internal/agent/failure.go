package agent

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"newleaf"
	"newleaf/internal/keys"
	"newleaf/internal/store"
)

// failed stores what went wrong and what happens next. A first issuance that did
// not get a certificate ends, as a person waits for it; everything else is tried
// again, for what is in use needs its successor (TIM-35).
func (a *Agent) failed(ctx context.Context, r *newleaf.Renewal, cause error) error {
	e := newleaf.AsError(cause)
	step := r.Step
	r.Tries, r.Error = r.Tries+1, e
	switch {
	case e.Code == newleaf.CodeCancelled:
		return a.end(ctx, r, newleaf.PhaseCancelled, newleaf.EventCancelled)
	case r.Cause == newleaf.CauseManual && step.Number() <= newleaf.StepKeep.Number():
		return a.end(ctx, r, newleaf.PhaseFailed, newleaf.EventFailed)
	}
	r.Phase = newleaf.PhaseRetry
	expires, lifetime := a.deadline(ctx, r)
	r.NextTry = newleaf.NextTry(r.Tries, e.Code.Info().Retry, expires, a.Now().Add(pause(cause, lifetime)), lifetime, a.device+string(r.Replaces))
	text := "it is tried again at " + r.NextTry.UTC().Format(time.RFC3339)
	if r.NextTry.IsZero() {
		text = "it waits for a person"
	}
	change := func(tx *store.Tx) error {
		return a.save(tx, r, step, false, fmt.Sprintf("%s; %s", e.Text, text))
	}
	burned := []newleaf.Code{newleaf.CodeForeignKey, newleaf.CodeOldCert, newleaf.CodeUntrusted, newleaf.CodeUnfit}
	if r.KeyID == "" || !slices.Contains(burned, e.Code) {
		return a.Store.Write(ctx, change)
	}
	return a.destroy(ctx, func(tx *store.Tx) error {
		if err := a.dropKey(tx, r); err != nil {
			return err
		}
		return change(tx)
	})
}

// pause comes on top of the usual delay where a try cost the authority several
// requests: two at most every six hours, three every twelve (TIM-37).
func pause(cause error, lifetime time.Duration) time.Duration {
	var no refusal
	if !errors.As(cause, &no) {
		return 0
	}
	return newleaf.Scaled(3*time.Hour, lifetime) * (1<<(no.requests-1) - 1)
}

// end closes r without a certificate: the fresh key and the password are
// destroyed (F8-G9), what was in use still is.
func (a *Agent) end(ctx context.Context, r *newleaf.Renewal, phase newleaf.Phase, kind newleaf.EventKind) error {
	step := r.Step
	r.Phase, r.Ended, r.NextTry, r.Staged = phase, a.Now(), time.Time{}, nil
	change := func(tx *store.Tx) error {
		if err := a.dropKey(tx, r); err != nil {
			return err
		}
		if err := tx.DeleteSecret(renewalSecret(r.ID)); err != nil {
			return err
		}
		if err := a.save(tx, r, step, false, r.Error.Text); err != nil {
			return err
		}
		return a.note(tx, newleaf.Event{Kind: kind, By: r.By, Renewal: r.ID, Certificate: r.Replaces,
			Text: fmt.Sprintf("no certificate for %q: %s", r.Request.Name, r.Error.Text),
			Data: map[string]string{"code": string(r.Error.Code), "hint": r.Error.Hint}})
	}
	if r.KeyID == "" {
		return a.Store.Write(ctx, change)
	}
	return a.destroy(ctx, change)
}

// dropKey deletes the key that waited for a certificate.
func (a *Agent) dropKey(tx *store.Tx, r *newleaf.Renewal) error {
	id := r.KeyID
	r.KeyID, r.TransactionID, r.Polls = "", "", 0
	if id == "" {
		return nil
	}
	users, err := tx.KeyUsers(id)
	if err != nil || len(users) > 0 {
		return err
	}
	return tx.DeleteKey(id)
}

// giveUp ends r after its certificate was rejected too often. The key is
// destroyed; public bytes and reason stay in the journal. The walk ends here.
func (a *Agent) giveUp(ctx context.Context, r *newleaf.Renewal, cause error) error {
	r.Error = newleaf.AsError(cause)
	r.Sent = append(r.Sent, a.Now())
	r.Phase, r.Ended, r.KeyID = newleaf.PhaseFailed, a.Now(), ""
	err := a.destroy(ctx, func(tx *store.Tx) error {
		c, err := tx.Certificate(string(r.Certificate))
		if err != nil {
			return err
		}
		e := newleaf.Event{By: r.By, Renewal: r.ID, Text: fmt.Sprintf("certificate %q was given up: %s", c.Name, cause)}
		if err := a.removeCertificate(tx, c, e); err != nil {
			return err
		}
		if _, err := tx.PutRenewal(*r); err != nil {
			return err
		}
		return a.note(tx, newleaf.Event{Kind: newleaf.EventFailed, By: r.By, Renewal: r.ID, Certificate: r.Replaces, Text: cause.Error(),
			Data: map[string]string{"code": string(r.Error.Code), "hint": r.Error.Hint}})
	})
	if err = errors.Join(err, a.retain(ctx)); err != nil {
		return err
	}
	return errWait
}

// deadline is the end of the certificate that r replaces, and its lifetime; both
// zero for a first issuance.
func (a *Agent) deadline(ctx context.Context, r *newleaf.Renewal) (expires time.Time, lifetime time.Duration) {
	if r.Replaces == "" {
		return a.Now().Add(100 * 365 * 24 * time.Hour), 0
	}
	_ = a.Store.Read(ctx, func(tx *store.Tx) error { // without it the delays are those of long-lived ones
		c, err := tx.Certificate(string(r.Replaces))
		expires, lifetime = c.NotAfter, c.Lifetime()
		return err
	})
	return expires, lifetime
}

// forgetPassword makes change and forgets the password that came with r, as it
// has served; it is kept for the connection only where the administrator ticked
// that this authority wants it for every update (contract, "Challenge passwords").
func (a *Agent) forgetPassword(ctx context.Context, r *newleaf.Renewal, change func(*store.Tx) error) error {
	var secret []byte
	keep := false
	err := a.Store.Read(ctx, func(tx *store.Tx) error {
		sealed, found, err := tx.Secret(renewalSecret(r.ID))
		if err != nil || !found {
			return err
		}
		if secret, err = a.Vault.OpenBytes(keys.Sealed(sealed)); err != nil {
			return err
		}
		c, err := tx.Connection(r.Request.Connection)
		keep = c.KeepPassword
		return err
	})
	if err != nil {
		return err
	}
	if secret == nil {
		return a.Store.Write(ctx, change)
	}
	defer clear(secret)
	if keep {
		if err := a.keepPassword(ctx, r.Request.Connection, secret); err != nil {
			return err
		}
	}
	return a.destroy(ctx, func(tx *store.Tx) error {
		if err := tx.DeleteSecret(renewalSecret(r.ID)); err != nil {
			return err
		}
		return change(tx)
	})
}

func (a *Agent) keepPassword(ctx context.Context, connection string, secret []byte) error {
	return a.seal(ctx, func(tx *store.Tx) error {
		sealed, err := a.Vault.SealBytes(connectionSecret(connection), secret)
		if err != nil {
			return err
		}
		return tx.PutSecret(connectionSecret(connection), store.Key(sealed))
	})
}
