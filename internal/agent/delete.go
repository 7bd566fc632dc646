package agent

import (
	"context"
	"fmt"
	"slices"
	"time"

	"newleaf"
	"newleaf/internal/store"
)

// deleteEarly deletes those of the plan's targets that are unused at this moment
// and that the settings now in force agree to (INV-10), in the orders "before" and
// "on-response".
func (a *Agent) deleteEarly(ctx context.Context, r *newleaf.Renewal) error {
	after, err := a.judge(ctx, r)
	if err != nil {
		return err
	}
	targets := newleaf.Agreed(r.Snapshot.Plan, after)
	now, err := a.live(ctx)
	if err != nil || len(newleaf.Targets(newleaf.Deletable(targets, now.snapshot, now.policy))) == 0 {
		return err
	}
	return a.commit(ctx, a.destroy, r, func(tx *store.Tx, r *newleaf.Renewal) error {
		now, err := a.liveIn(tx)
		if err != nil {
			return err
		}
		gone, err := a.deleteEach(tx, r.By, r.ID, newleaf.Targets(newleaf.Deletable(targets, now.snapshot, now.policy)))
		if err != nil {
			return err
		}
		r.Deleted = append(r.Deleted, gone...)
		_, err = tx.PutRenewal(*r)
		return err
	})
}

// deleteEach removes the certificates of verdicts.
func (a *Agent) deleteEach(tx *store.Tx, by string, renewal int64, verdicts []newleaf.Verdict) (gone []newleaf.Deleted, err error) {
	for _, v := range verdicts {
		c, err := tx.Certificate(string(v.ID))
		if newleaf.CodeOf(err) == newleaf.CodeNotFound {
			continue
		}
		if err != nil {
			return gone, err
		}
		e := newleaf.Event{By: by, Renewal: renewal, Text: fmt.Sprintf("certificate %q was deleted: %s", v.Name, ruleText(v.Rule)),
			Data: map[string]string{"rule": string(v.Rule), "rules": join(v.Rules)}}
		if err := a.removeCertificate(tx, c, e); err != nil {
			return gone, err
		}
		gone = append(gone, newleaf.Deleted{ID: v.ID, Name: v.Name, Rule: v.Rule, Size: c.Size})
	}
	return gone, nil
}

// live is what the guards ask: the store and the policy as they are now.
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
func (a *Agent) carryOut(ctx context.Context, r *newleaf.Renewal, after []newleaf.Verdict, finish func(*store.Tx, *newleaf.Renewal) error) error {
	targets := newleaf.Agreed(r.Snapshot.Plan, after)
	var write writer = a.destroy
	if len(targets) == 0 {
		write = a.Store.Write
	}
	err := a.commit(ctx, write, r, func(tx *store.Tx, r *newleaf.Renewal) error {
		r.Kept = slices.DeleteFunc(slices.Clone(after), func(v newleaf.Verdict) bool { return v.Delete })
		if err := a.release(tx, r); err != nil {
			return err
		}
		now, err := a.liveIn(tx)
		if err != nil {
			return err
		}
		verdicts := newleaf.Deletable(targets, now.snapshot, now.policy)
		for _, v := range verdicts {
			switch {
			case v.Delete:
			case v.Reason == newleaf.KeepInUse && len(now.snapshot.Bindings.Held(v.ID)) == 0:
				if err := a.owe(tx, r, v, now); err != nil {
					return err
				}
			default:
				r.Kept = append(r.Kept, v)
			}
		}
		gone, err := a.deleteEach(tx, r.By, r.ID, newleaf.Targets(verdicts))
		if err != nil {
			return err
		}
		r.Deleted = append(r.Deleted, gone...)
		if err := a.noteSpared(tx, r); err != nil {
			return err
		}
		if err := a.noteLimit(tx, r, now.policy); err != nil {
			return err
		}
		return finish(tx, r)
	})
	if err != nil {
		return err
	}
	a.retain(ctx)
	return nil
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

// noteLimit tells when the number is above the limit and nothing more may go
// (DLS-25, DLS-39).
func (a *Agent) noteLimit(tx *store.Tx, r *newleaf.Renewal, p newleaf.DeletionPolicy) error {
	stored, _, err := tx.Usage()
	if err != nil || !p.Auto || p.Threshold == 0 || stored <= p.Threshold {
		return err
	}
	why := "no rule lets them go"
	if len(p.Rules) == 0 {
		why = "no deletion condition is chosen"
	}
	return a.note(tx, newleaf.Event{Kind: newleaf.EventForecast, By: r.By, Renewal: r.ID,
		Text: fmt.Sprintf("%d certificates are stored, %d more than the limit of %d, and %s", stored, stored-p.Threshold, p.Threshold, why),
		Data: map[string]string{"missing": fmt.Sprint(stored - p.Threshold)}})
}
