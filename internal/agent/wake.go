package agent

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"newleaf"
	"newleaf/internal/store"
)

// tick does everything that is due now and returns when to look again. The state
// is in the store alone: after a crash the next tick finds every unfinished walk.
func (a *Agent) tick(ctx context.Context) (time.Time, error) {
	begun := a.Now()
	a.readClock(ctx)
	err := errors.Join(a.settleOwed(ctx), a.schedule(ctx))
	for seen := map[int64]bool{}; ctx.Err() == nil && !a.broken.Load(); {
		more, e := a.walkNext(ctx, seen)
		err = errors.Join(err, e)
		if !more {
			break
		}
	}
	a.resumed.Store(err == nil)
	if a.unretained.Load() {
		a.retain(ctx)
	}
	err = errors.Join(err, a.watchOver(ctx))
	next, e := a.nextWake(ctx, begun)
	return next, errors.Join(err, e)
}

// walkNext goes on with one renewal that is ready. One that fails does not stop
// the others.
func (a *Agent) walkNext(ctx context.Context, seen map[int64]bool) (more bool, err error) {
	inner, stop := context.WithCancel(ctx)
	defer stop()
	w := &walking{ctx: inner, stop: stop}
	r, ok, err := a.ready(ctx, seen, w)
	if err != nil || !ok {
		return false, err
	}
	defer a.current.Store(nil)
	seen[r.ID] = true
	return true, a.walk(ctx, w, r)
}

// schedule starts a renewal for every certificate in use that the reservation, or
// its safety net, wants updated now (S1904, TIM-08).
func (a *Agent) schedule(ctx context.Context) error {
	var u updates
	look := func(tx *store.Tx) (err error) { u, err = a.pendingUpdates(tx); return err }
	if err := a.Store.Read(ctx, look); err != nil {
		return err
	}
	if err := errors.Join(a.reanchor(ctx, u.setBack), a.dropStale(ctx, u.stale)); err != nil || len(u.now) == 0 {
		return err
	}
	return a.Store.Write(ctx, func(tx *store.Tx) error {
		if err := look(tx); err != nil {
			return err
		}
		for _, d := range u.now {
			c, err := tx.Certificate(string(d.ID))
			if err != nil {
				return err
			}
			if _, err := a.start(tx, newleaf.Renewal{Cause: d.Cause, By: string(d.Cause), Replaces: c.ID, ApplyPlan: true}, c); err != nil {
				return err
			}
		}
		return nil
	})
}

// dropStale ends the retries of certificates that are not due any more: other
// settings were saved (TIM-46), or a person gave their purposes away.
func (a *Agent) dropStale(ctx context.Context, stale []newleaf.Renewal) (err error) {
	for _, r := range stale {
		r.Error = newleaf.Errorf(newleaf.CodeCancelled, "the certificate is not due for an update any more")
		err = errors.Join(err, a.end(ctx, &r, newleaf.PhaseCancelled, newleaf.EventCancelled))
	}
	return err
}

// updates is what the reservation wants: what is due now and what comes next.
type updates struct {
	now     []newleaf.Due
	next    time.Time         // earliest start still to come
	stale   []newleaf.Renewal // retries of what is not due
	setBack bool              // an anchor of a cycle lies in the future
}

func (a *Agent) pendingUpdates(tx *store.Tx) (u updates, err error) {
	res, err := reservation(tx)
	if err != nil {
		return u, err
	}
	s, err := a.snapshot(tx)
	if err != nil {
		return u, err
	}
	renewals, err := tx.Unsuccessful()
	if err != nil {
		return u, err
	}
	hs := held(s)
	dues := res.Next(hs, s.Now)
	for _, r := range renewals {
		due := slices.ContainsFunc(dues, func(d newleaf.Due) bool { return d.ID == r.Replaces && d.Reached(s.Now) })
		if r.Phase == newleaf.PhaseRetry && r.Cause != newleaf.CauseManual && !holdsSlot(r) && !due {
			u.stale = append(u.stale, r)
		}
	}
	ahead := res.Saved.After(s.Now) || slices.ContainsFunc(hs, func(h newleaf.Held) bool { return h.Updated.After(s.Now) })
	u.setBack = ahead && s.ClockTrusted && res.Method != newleaf.MethodDate // whose done marks they are
	for _, d := range dues {
		h := hs[slices.IndexFunc(hs, func(h newleaf.Held) bool { return h.ID == d.ID })]
		at := res.Start(d, h, a.device)
		switch {
		case underWay(renewals, d, h, res, s.Now):
		case s.Now.Before(at):
			if u.next.IsZero() || at.Before(u.next) {
				u.next = at
			}
		case a.clock.state().Permits(h, s.Now, false):
			u.now = append(u.now, d)
		}
	}
	return u, nil
}

// underWay reports that certificate d.ID has an open renewal, or one that a person
// cancelled when it was due, under the settings still in force (TIM-35). The
// safety net asks once more when its time has come (TIM-30).
func underWay(renewals []newleaf.Renewal, d newleaf.Due, h newleaf.Held, res newleaf.Reservation, now time.Time) bool {
	net := h.NotAfter.Add(-newleaf.SafetyMargin(h.Lifetime()))
	caught := res.SafetyNet && !now.Before(net)
	holds := func(cancelled time.Time) bool {
		return cancelled.After(res.Saved) && !cancelled.Before(d.At) && !(caught && cancelled.Before(net))
	}
	return slices.ContainsFunc(renewals, func(r newleaf.Renewal) bool {
		return r.Replaces == d.ID && (r.Phase.Open() ||
			r.Phase == newleaf.PhaseCancelled && r.Cause == d.Cause && holds(r.Ended))
	})
}

// start stores a new renewal that updates c, as its template says (DM-36), for
// the purposes it holds now (PUR-11). What earlier tries of the same need burned
// at the authority still counts.
func (a *Agent) start(tx *store.Tx, r newleaf.Renewal, c newleaf.Certificate) (newleaf.Renewal, error) {
	if c.Request == nil {
		return r, newleaf.Errorf(newleaf.CodeNoRequest, "certificate %q has no issuance request to repeat", c.Name)
	}
	all, err := tx.Certificates()
	if err != nil {
		return r, err
	}
	renewals, err := tx.Unsuccessful()
	if err != nil {
		return r, err
	}
	bindings, err := tx.Bindings()
	if err != nil {
		return r, err
	}
	r.Request = *c.Request
	r.Request.Purposes = bindings.Held(c.ID)
	r.Request.Name = newleaf.NextName(c.Name, func(n string) bool {
		return slices.ContainsFunc(all, func(c newleaf.Certificate) bool { return c.Name == n }) ||
			slices.ContainsFunc(renewals, func(r newleaf.Renewal) bool { return r.Phase.Open() && r.Request.Name == n })
	})
	for _, old := range renewals {
		if old.Replaces == r.Replaces && old.Phase == newleaf.PhaseFailed {
			r.Sent = old.Sent
		}
	}
	return a.begin(tx, r)
}

// begin stores a new renewal at its first step.
func (a *Agent) begin(tx *store.Tx, r newleaf.Renewal) (newleaf.Renewal, error) {
	r.Step, r.Phase, r.Started = cmp.Or(r.Step, newleaf.StepRoom), newleaf.PhaseWaiting, a.Now()
	if r.Sent == nil {
		r.Sent = []time.Time{}
	}
	r.Deleted, r.Kept = []newleaf.Deleted{}, []newleaf.Verdict{}
	r, err := tx.PutRenewal(r)
	if err != nil {
		return r, err
	}
	return r, a.note(tx, newleaf.Event{Kind: newleaf.EventRenewal, By: r.By, Renewal: r.ID, Certificate: r.Replaces,
		Text: fmt.Sprintf("renewal %d for %q started (%s)", r.ID, r.Request.Name, r.Cause)})
}

// ready returns the renewal to go on with, the oldest that has something to do
// now, and makes its row w's. Each is looked at once a tick. Others may wait for a
// restart or a proof meanwhile: step 1 sees to it that there is room beside them.
func (a *Agent) ready(ctx context.Context, seen map[int64]bool, w *walking) (r newleaf.Renewal, ok bool, err error) {
	err = a.Store.Read(ctx, func(tx *store.Tx) error {
		open, err := tx.Renewals(true)
		if err != nil {
			return err
		}
		for _, o := range open {
			if !seen[o.ID] && a.hasWork(o) {
				r, ok, w.id = o, true, o.ID
				a.current.Store(w)
				return nil
			}
		}
		return nil
	})
	return r, ok, err
}

// holdsSlot reports that r's certificate occupies a place of the store.
func holdsSlot(r newleaf.Renewal) bool { return r.Step.Number() >= newleaf.StepKeep.Number() }

// hasWork reports that r can go on now. What waits for a restart or a proof is
// looked at once after a start, whenever it would look by itself.
func (a *Agent) hasWork(r newleaf.Renewal) bool {
	switch {
	case r.Phase == newleaf.PhaseWaiting || r.Phase == newleaf.PhaseRunning:
		return true
	case r.Phase == newleaf.PhaseSuspended && !a.resumed.Load():
		return true
	case r.NextTry.IsZero():
		return false
	}
	// What lies further away than any wait was written by a wrong clock.
	return !a.Now().Before(r.NextTry) || r.NextTry.After(a.Now().Add(longestWait))
}

// longestWait is longer than every delay: a restart window comes once a day.
const longestWait = 26 * time.Hour

// nextWake is the earliest instant after begun at which anything is to be done.
// What was due before has been looked at and waits for something else.
func (a *Agent) nextWake(ctx context.Context, begun time.Time) (next time.Time, err error) {
	next = begun.AddDate(1, 0, 0) // nothing is known
	earlier := func(t time.Time) {
		if t.After(begun) && t.Before(next) {
			next = t
		}
	}
	err = a.Store.Read(ctx, func(tx *store.Tx) error {
		open, err := tx.Renewals(true)
		if err != nil {
			return err
		}
		for _, r := range open {
			earlier(r.NextTry)
		}
		owed, err := tx.Owed()
		if err != nil {
			return err
		}
		for _, o := range owed {
			earlier(o.NotBefore)
		}
		bindings, err := tx.Bindings()
		if err != nil {
			return err
		}
		for _, b := range bindings {
			earlier(b.Until)
		}
		u, err := a.pendingUpdates(tx)
		earlier(u.next)
		return err
	})
	return next, err
}
