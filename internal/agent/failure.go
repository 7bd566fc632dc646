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
	if !r.Phase.Open() || r.Step == newleaf.StepDone {
		return cause // the renewal is through, only something after it failed
	}
	e := newleaf.AsError(cause)
	step := r.Step
	r.Tries, r.Error = r.Tries+1, e
	switch {
	case e.Code == newleaf.CodeCancelled:
		return a.end(ctx, r, newleaf.PhaseCancelled, newleaf.EventCancelled)
	case e.Code == newleaf.CodeNotFound && step.Number() < newleaf.StepKeep.Number():
		return a.end(ctx, r, newleaf.PhaseFailed, newleaf.EventFailed) // what it updates is gone
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
	burned := []newleaf.Code{newleaf.CodeForeignKey, newleaf.CodeOldCert, newleaf.CodeUntrusted, newleaf.CodeUnfit}
	var write writer = a.Store.Write
	if r.KeyID != "" && slices.Contains(burned, e.Code) {
		write = a.destroy
	}
	return a.commit(ctx, write, r, func(tx *store.Tx, r *newleaf.Renewal) error {
		if slices.Contains(burned, e.Code) {
			if err := a.dropKey(tx, r); err != nil {
				return err
			}
		}
		return a.save(tx, r, step, false, fmt.Sprintf("%s; %s", e.Text, text))
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
// destroyed (F8-G9), what was in use still is. first, if given, may still refuse.
func (a *Agent) end(ctx context.Context, r *newleaf.Renewal, phase newleaf.Phase, kind newleaf.EventKind, first ...func(*store.Tx) error) error {
	return a.commit(ctx, a.destroy, r, func(tx *store.Tx, r *newleaf.Renewal) error {
		for _, check := range first {
			if err := check(tx); err != nil {
				return err
			}
		}
		step := r.Step
		r.Phase, r.Ended, r.NextTry, r.Staged, r.Snapshot.Plan, r.Snapshot.IDs = phase, a.Now(), time.Time{}, nil, nil, nil
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
	})
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
	err := a.commit(ctx, a.destroy, r, func(tx *store.Tx, r *newleaf.Renewal) error {
		c, err := tx.Certificate(string(r.Certificate))
		if err != nil {
			return err
		}
		r.Error, r.Sent = newleaf.AsError(cause), append(r.Sent, a.Now())
		r.Phase, r.Ended, r.KeyID, r.Snapshot.Plan, r.Snapshot.IDs = newleaf.PhaseFailed, a.Now(), "", nil, nil
		e := newleaf.Event{By: r.By, Renewal: r.ID, Text: fmt.Sprintf("certificate %q was given up: %s", c.Name, cause)}
		if c.Origin != newleaf.Enrolled || c.Pinned { // a person brought it, or still wants it
			err = a.setState(tx, c.ID, newleaf.StateHeld)
		} else {
			err = a.removeCertificate(tx, c, e)
		}
		if err != nil {
			return err
		}
		if _, err := tx.PutRenewal(*r); err != nil {
			return err
		}
		return a.note(tx, newleaf.Event{Kind: newleaf.EventFailed, By: r.By, Renewal: r.ID, Certificate: r.Replaces, Text: cause.Error(),
			Data: map[string]string{"code": string(r.Error.Code), "hint": r.Error.Hint}})
	})
	if err != nil {
		return err
	}
	a.retain(ctx)
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

// forgetting returns the writer that also forgets the password that came with r,
// as it has served; it is kept for the connection only where the administrator
// ticked that this authority wants it for every update (contract, "Challenge
// passwords").
func (a *Agent) forgetting(ctx context.Context, r *newleaf.Renewal) (writer, error) {
	var sealed store.Key
	found, keep := false, false
	err := a.Store.Read(ctx, func(tx *store.Tx) (err error) {
		if sealed, found, err = tx.Secret(renewalSecret(r.ID)); err != nil || !found {
			return err
		}
		c, err := tx.Connection(r.Request.Connection)
		keep = c.KeepPassword
		return err
	})
	if err != nil || !found {
		return a.Store.Write, err
	}
	if keep {
		secret, err := a.Vault.OpenBytes(keys.Sealed(sealed))
		if err != nil {
			return nil, newleaf.Errorf(newleaf.CodeDamaged, "opening the password of renewal %d: %w", r.ID, err)
		}
		defer clear(secret)
		if err := a.keepPassword(ctx, r.Request.Connection, secret); err != nil {
			return nil, err
		}
	}
	return func(ctx context.Context, change func(*store.Tx) error) error {
		return a.destroy(ctx, func(tx *store.Tx) error {
			if err := tx.DeleteSecret(renewalSecret(r.ID)); err != nil {
				return err
			}
			return change(tx)
		})
	}, nil
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
