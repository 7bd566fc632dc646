package agent

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"time"
	"unicode/utf8"

	"newleaf"
	"newleaf/internal/store"
)

// Issue starts a first issuance (Fig. 8). What can be refused is refused before a
// key is made or the authority asked (F8-G1, F8-G2).
func (a *Agent) Issue(ctx context.Context, i newleaf.Issue) (r newleaf.Renewal, err error) {
	if i.Connection == "" {
		i.Connection = newleaf.DefaultConnection
	}
	if err := i.Request.Validate(a.Kinds); err != nil {
		return r, err
	}
	if n := utf8.RuneCountInString(i.Password); n > 255 { // PKCS #9, ISS-13
		return r, newleaf.Errorf(newleaf.CodeInvalid, "the challenge password has %d characters, at most 255 are allowed", n)
	}
	err = a.seal(ctx, func(tx *store.Tx) error {
		if err := a.askable(tx, i.Request); err != nil {
			return err
		}
		if err := nameFree(tx, i.Name); err != nil {
			return err
		}
		policy, err := deletion(tx)
		if err != nil {
			return err
		}
		apply := policy.Auto
		if i.ApplyDeletion != nil {
			apply = *i.ApplyDeletion
		}
		r, err = a.begin(tx, newleaf.Renewal{Cause: newleaf.CauseManual, By: newleaf.ActorOf(ctx).Name, Request: i.Request, ApplyPlan: apply})
		if err != nil || i.Password == "" {
			return err
		}
		sealed, err := a.Vault.SealBytes(renewalSecret(r.ID), []byte(i.Password))
		if err != nil {
			return err
		}
		return tx.PutSecret(renewalSecret(r.ID), store.Key(sealed))
	})
	a.Wake()
	return r, err
}

// askable checks what a request needs before it can be sent: a connection, a
// confirmed anchor, a kind of key that the protocol can carry and policy allows.
func (a *Agent) askable(tx *store.Tx, q newleaf.Request) error {
	conn, err := tx.Connection(q.Connection)
	if err != nil {
		return err
	}
	if _, err := a.trust(tx, conn.Name); err != nil {
		return err
	}
	if conn.Protocol == newleaf.SCEP && !q.Key.IsRSA() {
		return newleaf.Errorf(newleaf.CodeInvalid, "SCEP cannot carry a key of kind %s", q.Key).WithHint("Use an RSA kind such as rsa-2048.")
	}
	return allowedKey(tx, q.Key)
}

func allowedKey(tx *store.Tx, k newleaf.KeySpec) error {
	s, err := settings(tx)
	if err == nil && k == newleaf.RSA1024 && !s.WeakKeys {
		return newleaf.Errorf(newleaf.CodeInvalid, "1024 bit keys are weak and forbidden on this device").
			WithHint("Use rsa-2048 or longer, or allow weak keys in the settings.")
	}
	return err
}

// nameFree refuses a name that a certificate or an open renewal has (DM-02).
func nameFree(tx *store.Tx, name string) error {
	all, err := tx.Certificates()
	if err != nil {
		return err
	}
	open, err := tx.Renewals(true)
	if err != nil {
		return err
	}
	if slices.ContainsFunc(all, func(c newleaf.Certificate) bool { return c.Name == name }) ||
		slices.ContainsFunc(open, func(r newleaf.Renewal) bool { return r.Request.Name == name }) {
		return newleaf.Errorf(newleaf.CodeNameTaken, "there is a certificate named %q already", name)
	}
	return nil
}

// Update starts updates by hand. Without refs it takes every certificate in use
// that has a request; dryRun only tells which.
func (a *Agent) Update(ctx context.Context, refs []string, dryRun bool) (plan []newleaf.Planned, started []newleaf.Renewal, err error) {
	plan, started = []newleaf.Planned{}, []newleaf.Renewal{}
	run := a.Store.Write
	if dryRun {
		run = a.Store.Read
	}
	err = run(ctx, func(tx *store.Tx) error {
		which, err := a.updatable(tx, refs)
		if err != nil || len(which) == 0 {
			return err
		}
		p := newleaf.Planned{At: a.Now().UTC(), Cause: newleaf.CauseManual}
		for _, c := range which {
			p.Certificates = append(p.Certificates, c.ID)
		}
		plan = append(plan, p)
		if dryRun {
			return nil
		}
		for _, c := range which {
			r, err := a.start(tx, newleaf.Renewal{Cause: newleaf.CauseManual, By: newleaf.ActorOf(ctx).Name, Replaces: c.ID, ApplyPlan: true}, c)
			if err != nil {
				return err
			}
			started = append(started, r)
		}
		return nil
	})
	a.Wake()
	return plan, started, err
}

// updatable lists the certificates to update, leaving out what is under way.
func (a *Agent) updatable(tx *store.Tx, refs []string) ([]newleaf.Certificate, error) {
	open, err := tx.Renewals(true)
	if err != nil {
		return nil, err
	}
	running := func(id newleaf.ID) bool {
		return slices.ContainsFunc(open, func(r newleaf.Renewal) bool { return r.Replaces == id })
	}
	var out []newleaf.Certificate
	for _, ref := range refs {
		c, err := tx.Certificate(ref)
		switch {
		case err != nil:
			return nil, err
		case c.Request == nil:
			return nil, newleaf.Errorf(newleaf.CodeNoRequest, "certificate %q has no issuance request to repeat", c.Name)
		case slices.ContainsFunc(out, func(o newleaf.Certificate) bool { return o.ID == c.ID }):
			continue
		case running(c.ID):
			return nil, newleaf.Errorf(newleaf.CodeConflict, "an update of %q is under way", c.Name)
		}
		out = append(out, c)
	}
	if len(refs) > 0 {
		return out, nil
	}
	s, err := a.snapshot(tx)
	if err != nil {
		return nil, err
	}
	for _, h := range held(s) {
		if h.InUse && h.Renewable && !running(h.ID) {
			out = append(out, *find(s.Certificates, h.ID))
		}
	}
	return out, nil
}

// Renewals lists all that are remembered, newest last.
func (a *Agent) Renewals(ctx context.Context) (out []newleaf.Renewal, err error) {
	err = a.Store.Read(ctx, func(tx *store.Tx) error {
		out, err = tx.Renewals(false)
		return err
	})
	return out, err
}

// Renewal returns one.
func (a *Agent) Renewal(ctx context.Context, id int64) (r newleaf.Renewal, err error) {
	err = a.Store.Read(ctx, func(tx *store.Tx) error {
		r, err = tx.Renewal(id)
		return err
	})
	return r, err
}

// CancelRenewal ends a renewal that has no certificate yet; later than that it
// can only succeed or be put back.
func (a *Agent) CancelRenewal(ctx context.Context, id int64) (r newleaf.Renewal, err error) {
	var w *walking
	look := func(tx *store.Tx) error {
		if r, err = tx.Renewal(id); err != nil {
			return err
		}
		if w = a.current.Load(); w != nil && w.id != id {
			w = nil
		}
		switch {
		case !r.Phase.Open():
			return newleaf.Errorf(newleaf.CodeConflict, "renewal %d has ended already (%s)", id, r.Phase)
		case holdsSlot(r):
			return newleaf.Errorf(newleaf.CodeConflict, "renewal %d has its certificate already and cannot be cancelled", id).
				WithHint("It succeeds, or the old certificate is put back by itself.")
		}
		return nil
	}
	if err := a.Store.Read(ctx, look); err != nil {
		return r, err
	}
	if w == nil {
		r.Error = newleaf.Errorf(newleaf.CodeCancelled, "cancelled by %s", newleaf.ActorOf(ctx).Name)
		err = a.end(ctx, &r, newleaf.PhaseCancelled, newleaf.EventCancelled, a.idle(r))
		return r, err
	}
	w.stop() // the walk ends the renewal by itself
	if r, err = a.Watch(ctx, id, func(newleaf.Progress) {}); err == nil && r.Phase != newleaf.PhaseCancelled {
		err = newleaf.Errorf(newleaf.CodeConflict, "renewal %d went on before it could be cancelled (%s)", id, r.Phase)
	}
	return r, err
}

// idle checks, within the transaction that changes r from outside, that no walk
// is at it and that it stands where it was read.
func (a *Agent) idle(r newleaf.Renewal) func(*store.Tx) error {
	return func(tx *store.Tx) error {
		now, err := tx.Renewal(r.ID)
		if err != nil {
			return err
		}
		if w := a.current.Load(); w != nil && w.id == r.ID || now.Phase != r.Phase || now.Step != r.Step {
			return newleaf.Errorf(newleaf.CodeConflict, "renewal %d went on meanwhile", r.ID).WithHint("Look at it again, then try again.")
		}
		return nil
	}
}

// RetryRenewal goes on at once with a renewal that waits, and forgives the budget
// of burned requests: a person has looked after the authority. An update that was
// given up starts anew.
func (a *Agent) RetryRenewal(ctx context.Context, id int64) (r newleaf.Renewal, err error) {
	err = a.Store.Write(ctx, func(tx *store.Tx) error {
		if r, err = tx.Renewal(id); err != nil {
			return err
		}
		if err := a.idle(r)(tx); err != nil {
			return err
		}
		switch r.Phase {
		case newleaf.PhaseRetry, newleaf.PhasePending, newleaf.PhaseSuspended:
			r.NextTry, r.Sent = a.Now(), []time.Time{}
			if r.Phase == newleaf.PhaseRetry {
				r.Phase = newleaf.PhaseWaiting
			}
		case newleaf.PhaseFailed:
			return a.askAnew(ctx, tx, &r)
		default:
			return newleaf.Errorf(newleaf.CodeConflict, "renewal %d does not wait (%s)", id, r.Phase)
		}
		return a.save(tx, &r, r.Step, true, "tried again by "+newleaf.ActorOf(ctx).Name)
	})
	a.Wake()
	return r, err
}

// askAnew replaces r, which was given up, by a new update of the same certificate
// that owes nothing.
func (a *Agent) askAnew(ctx context.Context, tx *store.Tx, r *newleaf.Renewal) error {
	if r.Replaces == "" {
		return newleaf.Errorf(newleaf.CodeConflict, "renewal %d was a first issuance, which is asked for anew", r.ID)
	}
	which, err := a.updatable(tx, []string{string(r.Replaces)})
	if err != nil {
		return err
	}
	*r, err = a.start(tx, newleaf.Renewal{Cause: newleaf.CauseManual, By: newleaf.ActorOf(ctx).Name, Replaces: r.Replaces, ApplyPlan: true}, which[0])
	if err == nil {
		r.Sent = []time.Time{}
		_, err = tx.PutRenewal(*r)
	}
	return err
}

// Watch follows a renewal by its events.
func (a *Agent) Watch(ctx context.Context, id int64, step func(newleaf.Progress)) (newleaf.Renewal, error) {
	changed, stop := a.Store.Watch()
	defer stop()
	var since int64
	for {
		r, err := a.Renewal(ctx, id)
		if err != nil {
			return r, err
		}
		events, err := a.eventsOf(ctx, id, &since)
		if err != nil {
			return r, err
		}
		for _, e := range events {
			step(progress(e))
		}
		waits := r.Phase == newleaf.PhaseSuspended || r.Phase == newleaf.PhaseRetry
		if !r.Phase.Open() || waits && r.NextTry.IsZero() {
			return r, nil
		}
		select {
		case <-ctx.Done():
			return r, nil
		case <-changed:
		}
	}
}

// eventsOf returns the step events of a renewal after since, and moves since on.
func (a *Agent) eventsOf(ctx context.Context, id int64, since *int64) (out []newleaf.Event, err error) {
	err = a.Store.Read(ctx, func(tx *store.Tx) error {
		for {
			batch, err := tx.Events(*since, 500)
			if err != nil || len(batch) == 0 {
				return err
			}
			for _, e := range batch {
				if *since = e.ID; e.Renewal == id && e.Kind == newleaf.EventStep {
					out = append(out, e)
				}
			}
		}
	})
	return out, err
}

func progress(e newleaf.Event) newleaf.Progress {
	ok, _ := strconv.ParseBool(e.Data["ok"])
	s := newleaf.Step(e.Data["step"])
	return newleaf.Progress{Renewal: e.Renewal, At: e.At, Step: s, Number: s.Number(), OK: ok, Text: e.Text}
}

// unstick lets renewals go on that waited for a person, as one has acted.
func (a *Agent) unstick(tx *store.Tx) error {
	open, err := tx.Renewals(true)
	if err != nil {
		return err
	}
	for _, r := range open {
		if r.Phase == newleaf.PhaseRetry && r.NextTry.IsZero() && a.idle(r)(tx) == nil {
			r.NextTry = a.Now()
			if _, err := tx.PutRenewal(r); err != nil {
				return fmt.Errorf("letting renewal %d go on: %w", r.ID, err)
			}
		}
	}
	return nil
}
