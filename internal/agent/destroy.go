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

// destroy makes change and destroys the private keys and secrets that it deletes:
// the survivors are re-wrapped under a new key-encryption key in the same
// transaction, then the old one is overwritten (contract, "Key destruction").
func (a *Agent) destroy(ctx context.Context, change func(*store.Tx) error) (err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	rotation, err := a.Vault.Begin()
	if err != nil {
		return newleaf.Errorf(newleaf.CodeDiskFull, "preparing to destroy a key: %w", err)
	}
	settled := false
	defer func() {
		if !settled { // also when change panics: the next destruction needs the slot
			err = errors.Join(err, rotation.Abort())
		}
	}()
	a.Stop("destroy.begun")
	err = a.Store.Write(ctx, func(tx *store.Tx) error {
		if err := change(tx); err != nil {
			return err
		}
		if err := rewrap(tx, rotation); err != nil {
			return err
		}
		return tx.PutDocument(store.DocGeneration, rotation.Generation())
	})
	if errors.Is(err, store.ErrUncertain) {
		// Whether the keys are wrapped by the old or the new generation shows only
		// when the store is opened again: touch neither, and stop.
		settled = true
		a.broken.Store(true)
		a.Wake()
		return err
	}
	if err != nil {
		return err
	}
	settled = true
	a.Stop("destroy.committed")
	if err := rotation.Commit(); err != nil {
		return newleaf.Errorf(newleaf.CodeDiskFull, "overwriting the old key-encryption key: %w", err)
	}
	a.Stop("destroy.overwritten")
	return nil
}

// seal makes a change that seals a key or secret. No destruction may come between
// the sealing and its commit, or what was sealed could never be opened again.
func (a *Agent) seal(ctx context.Context, change func(*store.Tx) error) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.Store.Write(ctx, change)
}

func rewrap(tx *store.Tx, rotation *keys.Rotation) error {
	sealed, err := tx.Keys()
	if err != nil {
		return err
	}
	for _, k := range sealed {
		fresh, err := rotation.Rewrap(keys.Sealed(k))
		if lost(err) {
			continue
		}
		if err != nil {
			return fmt.Errorf("wrapping key %s anew: %w", k.ID, err)
		}
		if err := tx.PutKey(store.Key(fresh)); err != nil {
			return err
		}
	}
	secrets, err := tx.Secrets()
	if err != nil {
		return err
	}
	for name, k := range secrets {
		fresh, err := rotation.Rewrap(keys.Sealed(k))
		if lost(err) {
			continue
		}
		if err != nil {
			return fmt.Errorf("wrapping secret %s anew: %w", name, err)
		}
		if err := tx.PutSecret(name, store.Key(fresh)); err != nil {
			return err
		}
	}
	return nil
}

// lost reports a row that nobody can open any more; one damaged entry never stops
// the others.
func lost(err error) bool {
	return errors.Is(err, keys.ErrDamaged) || errors.Is(err, keys.ErrDestroyed)
}

// removeCertificate deletes the entry of c within destroy, and its key unless
// another certificate shares it (DLS-32), and tells the journal.
func (a *Agent) removeCertificate(tx *store.Tx, c newleaf.Certificate, e newleaf.Event) error {
	if err := tx.DeleteCertificate(c.ID); err != nil {
		return err
	}
	users, err := tx.KeyUsers(c.KeyID)
	if err != nil {
		return err
	}
	if len(users) == 0 && c.KeyID != "" {
		if err := tx.DeleteKey(c.KeyID); err != nil {
			return err
		}
	}
	if err := tx.DeleteOwed(c.ID); err != nil {
		return err
	}
	e.Kind, e.Certificate = newleaf.EventDeleted, c.ID
	data := a.facts(c.DER)
	for k, v := range e.Data {
		data[k] = v
	}
	data["name"], data["origin"] = c.Name, string(c.Origin)
	e.Data = data
	return a.note(tx, e)
}

// deleteNow deletes those of the verdicts that are unused at this moment, early
// in a walk (orders before and on-response).
func (a *Agent) deleteNow(ctx context.Context, r *newleaf.Renewal, verdicts []newleaf.Verdict) error {
	live, err := a.live(ctx)
	if err != nil || len(verdicts) == 0 {
		return err
	}
	verdicts = slices.DeleteFunc(slices.Clone(verdicts), func(v newleaf.Verdict) bool {
		return find(live.snapshot.Certificates, v.ID) == nil || newleaf.StillUnused(v.ID, live.snapshot, live.policy) != ""
	})
	if len(verdicts) == 0 {
		return nil
	}
	err = a.destroy(ctx, func(tx *store.Tx) error {
		if err := a.deleteEach(tx, r, verdicts); err != nil {
			return err
		}
		_, err := tx.PutRenewal(*r)
		return err
	})
	return err
}

// deleteEach removes the certificates of verdicts; one that cannot be removed
// never stops the rest (F19-G3).
func (a *Agent) deleteEach(tx *store.Tx, r *newleaf.Renewal, verdicts []newleaf.Verdict) error {
	for _, v := range verdicts {
		c, err := tx.Certificate(string(v.ID))
		if newleaf.CodeOf(err) == newleaf.CodeNotFound {
			continue
		}
		if err != nil {
			return err
		}
		r.Deleted = append(r.Deleted, newleaf.Deleted{ID: v.ID, Name: v.Name, Rule: v.Rule, Size: c.Size})
		e := newleaf.Event{By: r.By, Renewal: r.ID, Text: fmt.Sprintf("certificate %q was deleted: %s", v.Name, ruleText(v.Rule)),
			Data: map[string]string{"rule": string(v.Rule), "rules": join(v.Rules)}}
		if err := a.removeCertificate(tx, c, e); err != nil {
			return err
		}
	}
	return nil
}

// live is what StillUnused asks: the store and the policy as they are now.
type live struct {
	snapshot newleaf.Snapshot
	policy   newleaf.DeletionPolicy
}

func (a *Agent) live(ctx context.Context) (l live, err error) {
	err = a.Store.Read(ctx, func(tx *store.Tx) error {
		l, err = a.liveIn(tx)
		return err
	})
	return l, err
}

func (a *Agent) liveIn(tx *store.Tx) (l live, err error) {
	if l.snapshot, err = a.snapshot(tx); err != nil {
		return l, err
	}
	l.policy, err = deletion(tx)
	return l, err
}

// judge repeats the plan of step 1 on the same snapshot under the settings now in
// force, with what is known of the new certificate.
func (a *Agent) judge(ctx context.Context, r *newleaf.Renewal) (verdicts []newleaf.Verdict, err error) {
	err = a.Store.Read(ctx, func(tx *store.Tx) error {
		s, err := a.snapshot(tx)
		if err != nil {
			return err
		}
		policy, err := a.policy(tx, r)
		if err != nil {
			return err
		}
		s.Certificates = slices.DeleteFunc(s.Certificates, func(c newleaf.Certificate) bool { return !slices.Contains(r.Snapshot.IDs, c.ID) })
		s.Now, s.ClockTrusted, s.Bindings = r.Snapshot.At, s.ClockTrusted && r.Snapshot.Clock, r.Snapshot.Bindings
		s.For, s.Through, s.NewRSA = r.Request.Purposes, r.Request.Connection, r.Request.Key.IsRSA()
		s.New, s.Unverified = r.Certificate, !r.Verified
		for _, d := range r.Deleted {
			s.Gone, s.GoneBytes = s.Gone+1, s.GoneBytes+d.Size
		}
		verdicts = policy.Plan(s)
		return nil
	})
	return verdicts, err
}

// carryOut deletes what both plans delete, stores what is owed, lets the previous
// certificates go where there is no settle time, and finishes r - all in one
// transaction.
func (a *Agent) carryOut(ctx context.Context, r *newleaf.Renewal, after []newleaf.Verdict, finish func(*store.Tx) error) error {
	targets := newleaf.Agreed(r.Snapshot.Plan, after)
	r.Kept = slices.DeleteFunc(slices.Clone(after), func(v newleaf.Verdict) bool { return v.Delete })
	change := func(tx *store.Tx) error {
		if err := a.release(tx, r); err != nil {
			return err
		}
		now, err := a.liveIn(tx)
		if err != nil {
			return err
		}
		var due []newleaf.Verdict
		for _, v := range targets {
			why := newleaf.StillUnused(v.ID, now.snapshot, now.policy)
			switch {
			case why == "":
				due = append(due, v)
			case why == newleaf.KeepInUse:
				if err := a.owe(tx, r, v, now); err != nil {
					return err
				}
			default:
				v.Delete, v.Reason = false, why
				r.Kept = append(r.Kept, v)
			}
		}
		if err := a.deleteEach(tx, r, due); err != nil {
			return err
		}
		if err := a.noteSpared(tx, r); err != nil {
			return err
		}
		return finish(tx)
	}
	var err error
	if len(targets) == 0 {
		err = a.Store.Write(ctx, change)
	} else {
		err = a.destroy(ctx, change)
	}
	if err != nil {
		return err
	}
	return a.retain(ctx)
}

// release lets the certificates go that r has replaced, at once or after the
// settle time.
func (a *Agent) release(tx *store.Tx, r *newleaf.Renewal) error {
	bindings, err := tx.Bindings()
	if err != nil {
		return err
	}
	for _, b := range bindings {
		if b.Current != r.Certificate || b.Previous == "" || !b.Until.IsZero() {
			continue
		}
		if settle := r.Snapshot.Policy.Settle; settle > 0 {
			b.Until = a.Now().Add(settle)
		} else {
			b.Previous = ""
		}
		if err := tx.PutBinding(b); err != nil {
			return err
		}
	}
	return nil
}

// owe stores a deletion that has to wait (contract, "Owed deletions").
func (a *Agent) owe(tx *store.Tx, r *newleaf.Renewal, v newleaf.Verdict, now live) error {
	var until time.Time
	for _, b := range now.snapshot.Bindings {
		if b.Previous == v.ID && b.Until.After(until) {
			until = b.Until
		}
	}
	if err := tx.PutOwed(newleaf.Owed{Certificate: v.ID, Rule: v.Rule, Rules: v.Rules, Renewal: r.ID, NotBefore: until}); err != nil {
		return err
	}
	text := fmt.Sprintf("certificate %q will be deleted as soon as it is unused", v.Name)
	if !until.IsZero() {
		text = fmt.Sprintf("certificate %q can be put back until %s, then it is deleted", v.Name, until.UTC().Format(time.RFC3339))
	}
	return a.note(tx, newleaf.Event{Kind: newleaf.EventOwed, By: r.By, Renewal: r.ID, Certificate: v.ID, Text: text})
}

// noteSpared tells what a rule hit and a guard kept (INV-12).
func (a *Agent) noteSpared(tx *store.Tx, r *newleaf.Renewal) error {
	for _, v := range r.Kept {
		if len(v.Rules) == 0 || v.Reason == newleaf.KeepOff {
			continue
		}
		if err := a.note(tx, newleaf.Event{Kind: newleaf.EventSpared, By: r.By, Renewal: r.ID, Certificate: v.ID,
			Text: fmt.Sprintf("certificate %q is kept although a rule hits: %s", v.Name, v.Reason),
			Data: map[string]string{"reason": string(v.Reason), "rules": join(v.Rules)}}); err != nil {
			return err
		}
	}
	return nil
}
