package agent

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"time"

	"newleaf"
	"newleaf/internal/store"
)

// walk takes one renewal from where it stands to its end, or to where it has to
// wait. Each step ends in one transaction that holds its effect, the next step
// and the event, so that a kill anywhere resumes it; a step may therefore be
// repeated and every effect outside the store has to bear that.
//
//	1 room     judge once what will go and whether there will be room
//	2 request  make a key, ask the authority, check the answer
//	3 keep     store key and certificate (Fig. 17B)
//	4 bind     move the purposes to it, on trial (Fig. 17C)
//	5 restart  restart the device if a purpose reads its certificate at the start
//	6 prove    see the new certificate in use; put the old one back if it is not
//	7 delete   delete what is unnecessary
func (a *Agent) walk(ctx context.Context, w *walking, r newleaf.Renewal) error {
	r.Phase = newleaf.PhaseRunning
	for r.Phase == newleaf.PhaseRunning && r.Step != newleaf.StepDone {
		at, in := r.Step, ctx
		if !holdsSlot(r) {
			in = w.ctx // a person may cancel until there is a certificate
		}
		a.Stop(string(at))
		err := a.step(in, &r)
		switch {
		case errors.Is(err, errWait):
			return nil // the step said in the store what it waits for
		case err != nil && ctx.Err() == nil && in.Err() != nil:
			return a.failed(ctx, &r, newleaf.Errorf(newleaf.CodeCancelled, "renewal %d was cancelled while it talked to the authority", r.ID))
		case ctx.Err() != nil || errors.Is(err, store.ErrUncertain):
			return err // the next start goes on here
		case err != nil:
			return a.failed(ctx, &r, err)
		}
		a.Stop(string(at) + ".done")
	}
	return nil
}

// step does the step that r stands at. A panic is a failure of this renewal
// alone: what a hostile answer can bring about must not stop the device.
func (a *Agent) step(ctx context.Context, r *newleaf.Renewal) (err error) {
	steps := map[newleaf.Step]func(context.Context, *newleaf.Renewal) error{
		newleaf.StepRoom: a.room, newleaf.StepRequest: a.request, newleaf.StepKeep: a.keep, newleaf.StepBind: a.bind,
		newleaf.StepRestart: a.restart, newleaf.StepProve: a.prove, newleaf.StepDelete: a.deleteUnnecessary,
	}
	do := steps[r.Step]
	if do == nil {
		return newleaf.Errorf(newleaf.CodeInternal, "renewal %d stands at the step %q, which this version does not know", r.ID, r.Step)
	}
	defer func() {
		if v := recover(); v != nil {
			a.Log(fmt.Sprintf("step %s of renewal %d: %v\n%s", r.Step, r.ID, v, debug.Stack()))
			err = newleaf.Errorf(newleaf.CodeInternal, "step %s failed: %v", r.Step, v)
		}
	}()
	return do(ctx, r)
}

// commit carries out one change of r in one transaction made by write. When that
// fails r is as the store has it: nothing of a change that was rolled back lives
// on in memory.
func (a *Agent) commit(ctx context.Context, write writer, r *newleaf.Renewal, change func(*store.Tx, *newleaf.Renewal) error) error {
	var next newleaf.Renewal
	err := write(ctx, func(tx *store.Tx) error {
		next = *r
		return change(tx, &next)
	})
	if err == nil {
		*r = next
	}
	return err
}

// writer makes a transaction: Store.Write, seal or destroy.
type writer func(context.Context, func(*store.Tx) error) error

// errWait ends a walk that has stored what it waits for.
var errWait = errors.New("waiting")

// 1. room takes the snapshot that deletion is judged on and refuses, before the
// authority is asked, what would find no room (F8-G4). In the order "before" it
// deletes what is unused already (ORD-02, ORD-04).
func (a *Agent) room(ctx context.Context, r *newleaf.Renewal) error {
	err := a.commit(ctx, a.Store.Write, r, func(tx *store.Tx, r *newleaf.Renewal) error {
		s, err := a.snapshot(tx)
		if err != nil {
			return err
		}
		if err := gone(r, s); err != nil {
			return err
		}
		s.For, s.Through, s.NewRSA = r.Request.Purposes, r.Request.Connection, r.Request.Key.IsRSA()
		policy, err := a.policy(tx, r)
		if err != nil {
			return err
		}
		plan := policy.Plan(s)
		if err := admit(s, plan); err != nil {
			return err
		}
		r.Snapshot = snapshotOf(s, policy, plan)
		return a.advance(tx, r, newleaf.StepRequest, "there will be room: %d of %d kept, %d to delete",
			len(s.Certificates)-len(newleaf.Targets(plan)), s.Capacity, len(newleaf.Targets(plan)))
	})
	if err != nil || r.Snapshot.Policy.Order != newleaf.OrderBefore {
		return err
	}
	a.Stop("room.judged")
	err = a.deleteEarly(ctx, r)
	a.Stop("room.cleared")
	return err
}

// 2. request gets a certificate for a fresh key and checks it before anything is
// kept. A pending answer waits here, with the same key and transactionID.
func (a *Agent) request(ctx context.Context, r *newleaf.Renewal) error {
	x, err := a.prepare(ctx, r)
	if err != nil {
		return err
	}
	a.Stop("request.prepared")
	accepted, err := a.exchange(ctx, r, x)
	if err != nil {
		return err
	}
	a.Stop("request.answered")
	err = a.commit(ctx, a.Store.Write, r, func(tx *store.Tx, r *newleaf.Renewal) error {
		r.Staged, r.Verified, r.Unanswered = [][]byte{accepted.Leaf.Raw}, accepted.Verified, false
		for _, c := range accepted.Chain {
			r.Staged = append(r.Staged, c.Raw)
		}
		return a.advance(tx, r, newleaf.StepKeep, "a certificate was received and passed every check, serial %x", accepted.Leaf.SerialNumber)
	})
	if err != nil {
		return err
	}
	a.Stop("request.staged")
	if r.Snapshot.Policy.Order != newleaf.OrderOnResponse {
		return nil
	}
	err = a.deleteEarly(ctx, r) // ORD-03, ORD-05
	a.Stop("request.cleared")
	return err
}

// 3. keep stores the certificate, still without purpose and untouchable.
func (a *Agent) keep(ctx context.Context, r *newleaf.Renewal) error {
	write, err := a.forgetting(ctx, r)
	if err != nil {
		return err
	}
	return a.commit(ctx, write, r, func(tx *store.Tx, r *newleaf.Renewal) error {
		if _, found, err := tx.Key(r.KeyID); err != nil || !found {
			return errors.Join(err, newleaf.Errorf(newleaf.CodeDamaged, "the key of renewal %d is missing", r.ID))
		}
		r.Request.Edited = false
		c := newleaf.Certificate{
			Name: r.Request.Name, DER: r.Staged[0], Chain: r.Staged[1:], KeyID: r.KeyID, Exportable: r.Request.Exportable,
			Origin: newleaf.Enrolled, State: newleaf.StatePending, Added: a.Now(), Updated: a.Now(),
			Predecessor: r.Replaces, Connection: r.Request.Connection, Verified: r.Verified, Request: &r.Request,
		}
		c.ID = newleaf.IDOf(c.DER)
		if err := tx.AddCertificate(c); err != nil {
			return err
		}
		r.Certificate, r.Staged = c.ID, nil
		if err := a.trustClockFrom(tx, c.DER); err != nil {
			return err
		}
		if err := a.note(tx, newleaf.Event{Kind: newleaf.EventAcquired, By: r.By, Renewal: r.ID, Certificate: c.ID,
			Text: fmt.Sprintf("certificate %q was acquired through %q", c.Name, c.Connection), Data: a.facts(c.DER)}); err != nil {
			return err
		}
		return a.advance(tx, r, newleaf.StepBind, "key and certificate are stored as %q", c.Name)
	})
}

// 4. bind moves all purposes at once (PUR-06) and hands the certificate to every
// target that can take it without a restart.
func (a *Agent) bind(ctx context.Context, r *newleaf.Renewal) error {
	err := a.commit(ctx, a.Store.Write, r, func(tx *store.Tx, r *newleaf.Renewal) error {
		if err := a.setState(tx, r.Certificate, newleaf.StatePending); err != nil {
			return err
		}
		return a.putOnTrial(tx, r)
	})
	if err != nil {
		return err
	}
	a.Stop("bind.trial")
	loaded, err := a.handOver(ctx, r)
	if err != nil {
		return a.putBack(ctx, r, err)
	}
	a.Stop("bind.put")
	return a.commit(ctx, a.Store.Write, r, func(tx *store.Tx, r *newleaf.Renewal) error {
		if err := a.markLoaded(tx, r.Certificate, loaded); err != nil {
			return err
		}
		return a.advance(tx, r, newleaf.StepRestart, "the new certificate is on trial for %s", a.labels(r.Request.Purposes))
	})
}

// 5. restart waits until every purpose has read the new certificate. An update
// restarts by itself, once and in its window (AMB-20); a first issuance leaves
// that to the person (Fig. 13B).
func (a *Agent) restart(ctx context.Context, r *newleaf.Renewal) error {
	var waiting []newleaf.Purpose
	var at time.Time
	err := a.commit(ctx, a.Store.Write, r, func(tx *store.Tx, r *newleaf.Renewal) (err error) {
		waiting, at, err = a.restartNeed(tx, r)
		if err != nil {
			return err
		}
		if len(waiting) == 0 {
			if err := a.beginProof(tx, r); err != nil {
				return err
			}
			return a.advance(tx, r, newleaf.StepProve, "no restart is needed any more")
		}
		return a.suspend(tx, r, at, "%s reads its certificate at the start: a restart is needed", a.labels(waiting))
	})
	if err != nil || len(waiting) == 0 {
		return err
	}
	a.Stop("restart.wanted")
	switch due := !at.IsZero() && !a.Now().Before(at); {
	case due && r.Restarted:
		return a.putBack(ctx, r, newleaf.Errorf(newleaf.CodeNotProven, "%s did not take up the new certificate at the restart", a.labels(waiting)))
	case due:
		if err := a.restartOnce(ctx, r); err != nil {
			return err
		}
	}
	return errWait
}

// 6. prove asks every target for evidence. Only when all of it is good the new
// certificate is the current one; refused, or late, the old one is put back.
func (a *Agent) prove(ctx context.Context, r *newleaf.Renewal) error {
	evidence, text, enough := a.evidence(ctx, r)
	a.Stop("prove.seen")
	switch {
	case evidence == newleaf.EvidenceRefused:
		return a.putBack(ctx, r, newleaf.Errorf(newleaf.CodeNotProven, "the new certificate was refused: %s", text))
	case !enough && a.Now().Before(r.ProveBy):
		return a.waitForProof(ctx, r, text)
	case !enough:
		return a.putBack(ctx, r, newleaf.Errorf(newleaf.CodeNotProven, "the new certificate was not seen in use in time: %s", text))
	}
	return a.commit(ctx, a.Store.Write, r, func(tx *store.Tx, r *newleaf.Renewal) error {
		r.Evidence = evidence
		if err := a.confirm(tx, r); err != nil {
			return err
		}
		return a.advance(tx, r, newleaf.StepDelete, "%s", text)
	})
}

// 7. deleteUnnecessary carries out the plan of step 1 as far as the settings
// now in force agree (INV-10) and nothing is in use (AMB-53). What a guard puts
// off is owed.
func (a *Agent) deleteUnnecessary(ctx context.Context, r *newleaf.Renewal) error {
	verdicts, err := a.judge(ctx, r)
	if err != nil {
		return err
	}
	a.Stop("delete.judged")
	return a.carryOut(ctx, r, verdicts, func(tx *store.Tx, r *newleaf.Renewal) error {
		if err := a.note(tx, newleaf.Event{Kind: newleaf.EventRenewed, By: r.By, Renewal: r.ID, Certificate: r.Certificate,
			Text: fmt.Sprintf("certificate %q is in use, %d deleted", r.Request.Name, len(r.Deleted))}); err != nil {
			return err
		}
		r.Ended, r.Phase, r.Snapshot.Plan, r.Snapshot.IDs = a.Now(), newleaf.PhaseDone, nil, nil
		return a.advance(tx, r, newleaf.StepDone, "%d deleted", len(r.Deleted))
	})
}

// advance writes the next step and its event.
func (a *Agent) advance(tx *store.Tx, r *newleaf.Renewal, next newleaf.Step, format string, args ...any) error {
	done := r.Step
	r.Step, r.NextTry, r.Tries, r.Error = next, time.Time{}, 0, nil
	if next != newleaf.StepDone {
		r.Phase = newleaf.PhaseRunning
	}
	return a.save(tx, r, done, true, fmt.Sprintf(format, args...))
}

// suspend writes what a walk waits for, at the step it stands at.
func (a *Agent) suspend(tx *store.Tx, r *newleaf.Renewal, until time.Time, format string, args ...any) error {
	again := r.Phase == newleaf.PhaseSuspended
	r.Phase, r.NextTry, r.Error = newleaf.PhaseSuspended, until, nil
	if again {
		_, err := tx.PutRenewal(*r)
		return err
	}
	return a.save(tx, r, r.Step, true, fmt.Sprintf(format, args...))
}

// save stores r with one event of its step.
func (a *Agent) save(tx *store.Tx, r *newleaf.Renewal, step newleaf.Step, ok bool, text string) error {
	if _, err := tx.PutRenewal(*r); err != nil {
		return err
	}
	return a.note(tx, newleaf.Event{Kind: newleaf.EventStep, By: r.By, Renewal: r.ID, Certificate: r.Certificate, Text: text,
		Data: map[string]string{"step": string(step), "ok": fmt.Sprint(ok)}})
}
