package agent

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"newleaf"
	"newleaf/internal/deploy"
	"newleaf/internal/keys"
	"newleaf/internal/store"
)

// putOnTrial makes the new certificate the holder of its purposes; the old ones
// stay in use until the proof (PUR-04, PUR-06).
func (a *Agent) putOnTrial(tx *store.Tx, r *newleaf.Renewal) error {
	bindings, err := tx.Bindings()
	if err != nil {
		return err
	}
	// What a person has given to another certificate meanwhile stays there.
	r.Request.Purposes = slices.DeleteFunc(slices.Clone(r.Request.Purposes), func(p newleaf.Purpose) bool {
		b := bindings.Of(p)
		return b.Holder() != r.Certificate && (b.Current != r.Snapshot.Bindings.Of(p).Current || b.Trial != "")
	})
	for _, p := range r.Request.Purposes {
		b := bindings.Of(p)
		if b.Holder() == r.Certificate {
			continue
		}
		b.Trial, b.Since = r.Certificate, a.Now().UTC()
		if err := tx.PutBinding(b); err != nil {
			return err
		}
		if err := a.note(tx, newleaf.Event{Kind: newleaf.EventBound, By: r.By, Renewal: r.ID, Certificate: r.Certificate,
			Text: fmt.Sprintf("%s goes to %q, on trial", a.Kinds.Label(p), r.Request.Name)}); err != nil {
			return err
		}
	}
	_, err = tx.PutRenewal(*r)
	return err
}

// handOver gives the new certificate to every target that takes it while
// running, and returns the purposes that have it loaded now.
func (a *Agent) handOver(ctx context.Context, r *newleaf.Renewal) ([]newleaf.Purpose, error) {
	a.targets.Lock()
	defer a.targets.Unlock()
	var loaded []newleaf.Purpose
	for _, p := range r.Request.Purposes {
		need, err := a.need(ctx, p)
		if err != nil {
			return loaded, err
		}
		if need == newleaf.NeedRestart {
			continue
		}
		if err := a.put(ctx, p, r.Certificate); err != nil {
			return loaded, err
		}
		a.Stop("bind.handed")
		loaded = append(loaded, p)
	}
	return loaded, nil
}

// put gives certificate id, "" for none, to the target of p; without a target
// there is nobody to give it to.
func (a *Agent) put(ctx context.Context, p newleaf.Purpose, id newleaf.ID) error {
	t := a.Targets[p]
	if t == nil {
		return nil
	}
	if id == "" {
		return t.Put(ctx, deploy.Material{Purpose: p})
	}
	m, err := a.material(ctx, p, id)
	if err != nil {
		return err
	}
	return t.Put(ctx, m)
}

func (a *Agent) material(ctx context.Context, p newleaf.Purpose, id newleaf.ID) (deploy.Material, error) {
	m := deploy.Material{Purpose: p, ID: id}
	return m, a.Store.Read(ctx, func(tx *store.Tx) error {
		c, err := tx.Certificate(string(id))
		if err != nil {
			return err
		}
		if c.Damaged {
			return newleaf.Errorf(newleaf.CodeDamaged, "the entry %q is damaged", c.Name)
		}
		key, found, err := tx.Key(c.KeyID)
		if err != nil {
			return err
		}
		if !found {
			return newleaf.Errorf(newleaf.CodeDamaged, "the key of %q is missing", c.Name)
		}
		anchors, err := tx.Anchors()
		if err != nil {
			return err
		}
		for _, an := range anchors {
			if an.Connection == c.Connection && an.Confirmed && an.Role != newleaf.RoleRA {
				m.Anchors = append(m.Anchors, an.DER)
			}
		}
		m.DER, m.Chain = c.DER, c.Chain
		m.Key, err = a.Vault.Open(keys.Sealed(key))
		return err
	})
}

// need is how purpose p takes up a new certificate: as its target says, else as
// the settings say, else as the table says (RST-01..04).
func (a *Agent) need(ctx context.Context, p newleaf.Purpose) (n newleaf.Need, err error) {
	err = a.Store.Read(ctx, func(tx *store.Tx) error {
		n, err = a.needIn(tx, p)
		return err
	})
	return n, err
}

func (a *Agent) needIn(tx *store.Tx, p newleaf.Purpose) (newleaf.Need, error) {
	if t := a.Targets[p]; t != nil && t.Need() != "" {
		return t.Need(), nil
	}
	s, err := settings(tx)
	return s.Need(p, a.Kinds), err
}

func (a *Agent) markLoaded(tx *store.Tx, id newleaf.ID, purposes []newleaf.Purpose) error {
	bindings, err := tx.Bindings()
	if err != nil {
		return err
	}
	for _, p := range purposes {
		b := bindings.Of(p)
		b.Loaded = id
		if err := tx.PutBinding(b); err != nil {
			return err
		}
	}
	return nil
}

// restartNeed lists the purposes of r that have not read the new certificate, and
// when the device may do something about it by itself: restart, or after its one
// restart put the old certificate back. Zero leaves it to a person.
func (a *Agent) restartNeed(tx *store.Tx, r *newleaf.Renewal) (waiting []newleaf.Purpose, at time.Time, err error) {
	bindings, err := tx.Bindings()
	if err != nil {
		return nil, at, err
	}
	for _, p := range r.Request.Purposes {
		need, err := a.needIn(tx, p)
		if err != nil {
			return nil, at, err
		}
		if need == newleaf.NeedRestart && bindings.Of(p).Loaded != r.Certificate {
			waiting = append(waiting, p)
		}
	}
	if r.Restarted {
		return waiting, r.ProveBy, nil
	}
	s, err := settings(tx)
	if err != nil || !s.AutoRestart || r.Replaces == "" {
		return waiting, at, err
	}
	old, err := tx.Certificate(string(r.Replaces))
	if newleaf.CodeOf(err) == newleaf.CodeNotFound {
		err = nil // deleted by hand meanwhile: nothing presses
	}
	return waiting, newleaf.RestartAt(s.RestartWindow, s.Zone, a.Now(), old.NotAfter, old.Lifetime()), err
}

// restartOnce restarts the device for r and remembers it first, so that a device
// that does not come up with the certificate never restarts in a loop (AMB-20).
// A restart that could not be started does not count.
func (a *Agent) restartOnce(ctx context.Context, r *newleaf.Renewal) error {
	err := a.commit(ctx, a.Store.Write, r, func(tx *store.Tx, r *newleaf.Renewal) error {
		if err := a.beginProof(tx, r); err != nil {
			return err
		}
		r.Restarted, r.NextTry = true, r.ProveBy
		if _, err := tx.PutRenewal(*r); err != nil {
			return err
		}
		return a.note(tx, newleaf.Event{Kind: newleaf.EventRestart, By: r.By, Renewal: r.ID, Text: "the device restarts to take up the new certificate"})
	})
	if err != nil {
		return err
	}
	a.Stop("restart.noted")
	if err := a.Options.Restart(ctx); err != nil {
		r.Restarted = false
		return err
	}
	return nil
}

// beginProof starts the time within which the new certificate has to be proven.
func (a *Agent) beginProof(tx *store.Tx, r *newleaf.Renewal) error {
	c, err := tx.Certificate(string(r.Certificate))
	r.ProveBy = a.Now().Add(proofLimit(r.Snapshot.Policy, c.Parsed))
	return err
}

// evidence asks the target of every purpose. The weakest counts; enough says
// whether it suffices to delete the predecessor (contract, "evidence of use").
func (a *Agent) evidence(ctx context.Context, r *newleaf.Renewal) (weakest newleaf.Evidence, text string, enough bool) {
	a.targets.Lock()
	defer a.targets.Unlock()
	weakest, enough = newleaf.EvidenceProven, true
	var texts []string
	for _, p := range r.Request.Purposes {
		e, why, ok := newleaf.EvidenceAssumed, "nobody can be asked about "+a.Kinds.Label(p)+": its use is assumed", true
		if t := a.Targets[p]; t != nil {
			m, err := a.material(ctx, p, r.Certificate)
			if err != nil {
				e, why = newleaf.EvidenceNone, err.Error()
			} else {
				e, why = t.Evidence(ctx, m)
			}
			ok = e == newleaf.EvidenceProven || e == newleaf.EvidenceAssumed && t.AcceptsAssumed()
		}
		texts = append(texts, why)
		enough = enough && ok
		weakest = weaker(weakest, e)
	}
	if len(r.Request.Purposes) == 0 {
		return newleaf.EvidenceAssumed, "it has no purpose: there is nothing to prove", true
	}
	return weakest, strings.Join(texts, "; "), enough
}

// weaker orders refused, none, assumed, proven.
func weaker(a, b newleaf.Evidence) newleaf.Evidence {
	order := []newleaf.Evidence{newleaf.EvidenceRefused, newleaf.EvidenceNone, newleaf.EvidenceAssumed, newleaf.EvidenceProven}
	return order[min(slices.Index(order, a), slices.Index(order, b))]
}

// proofLimit is how long a trial may last (ORD-08).
func proofLimit(p newleaf.DeletionPolicy, c newleaf.Parsed) time.Duration {
	if p.ProofLimit != nil {
		return *p.ProofLimit
	}
	return newleaf.Scaled(24*time.Hour, c.Lifetime())
}

// waitForProof asks again soon, and seldomer the longer it lasts: from half a
// second to a minute. A deadline that a wrong clock has set far away is brought
// back.
func (a *Agent) waitForProof(ctx context.Context, r *newleaf.Renewal, text string) error {
	err := a.commit(ctx, a.Store.Write, r, func(tx *store.Tx, r *newleaf.Renewal) error {
		c, err := tx.Certificate(string(r.Certificate))
		if err != nil {
			return err
		}
		limit := proofLimit(r.Snapshot.Policy, c.Parsed)
		left := min(r.ProveBy.Sub(a.Now()), limit)
		r.ProveBy = a.Now().Add(left)
		pause := min(max(500*time.Millisecond, (limit-left)/10), time.Minute, max(left, time.Millisecond))
		return a.suspend(tx, r, a.Now().Add(pause), "no proof yet: %s", text)
	})
	if err != nil {
		return err
	}
	return errWait
}

// confirm makes the new certificate the current one. The old one stays in use as
// the previous one until the deletion step, or the end of the settle time.
func (a *Agent) confirm(tx *store.Tx, r *newleaf.Renewal) error {
	bindings, err := tx.Bindings()
	if err != nil {
		return err
	}
	for _, p := range r.Request.Purposes {
		b := bindings.Of(p)
		if b.Trial != r.Certificate {
			continue
		}
		b.Previous, b.Current, b.Trial, b.Loaded, b.Until = b.Current, r.Certificate, "", r.Certificate, time.Time{}
		if err := tx.PutBinding(b); err != nil {
			return err
		}
	}
	if err := a.setState(tx, r.Certificate, newleaf.StateHeld); err != nil {
		return err
	}
	if err := a.follow(tx, r); err != nil {
		return err
	}
	return a.note(tx, newleaf.Event{Kind: newleaf.EventProven, By: r.By, Renewal: r.ID, Certificate: r.Certificate,
		Text: fmt.Sprintf("the use of %q is %s", r.Request.Name, r.Evidence)})
}

// follow keeps the selection of a reservation on the successor (TIM-29).
func (a *Agent) follow(tx *store.Tx, r *newleaf.Renewal) error {
	res, err := reservation(tx)
	i := slices.Index(res.Only, r.Replaces)
	if err != nil || i < 0 || r.Replaces == "" {
		return err
	}
	res.Only[i] = r.Certificate
	return tx.PutDocument(store.DocReservation, res)
}

// provesBeforeGivingUp is how often a rejected certificate is tried before its key
// is destroyed.
const provesBeforeGivingUp = 3

// putBack ends the trial: the old certificate is the holder again and loaded
// again (ORD-09). The new one is rejected; it keeps the staging slot and is
// proven again before the authority is asked again.
func (a *Agent) putBack(ctx context.Context, r *newleaf.Renewal, cause error) error {
	var back newleaf.Bindings
	err := a.commit(ctx, a.Store.Write, r, func(tx *store.Tx, r *newleaf.Renewal) error {
		bindings, err := tx.Bindings()
		if err != nil {
			return err
		}
		back = nil
		for _, b := range bindings {
			if b.Trial != r.Certificate {
				continue
			}
			b.Trial, b.Since = "", a.Now().UTC()
			back = append(back, b)
			if err := tx.PutBinding(b); err != nil {
				return err
			}
		}
		r.ProveBy, r.Restarted, r.Step, r.Rejected = time.Time{}, false, newleaf.StepBind, r.Rejected+1
		if err := a.setState(tx, r.Certificate, newleaf.StateRejected); err != nil {
			return err
		}
		if _, err := tx.PutRenewal(*r); err != nil {
			return err
		}
		return a.note(tx, newleaf.Event{Kind: newleaf.EventPutBack, By: r.By, Renewal: r.ID, Certificate: r.Certificate, Text: cause.Error()})
	})
	if err != nil {
		return err
	}
	a.Stop("prove.back")
	cause = errors.Join(cause, a.handBack(ctx, back))
	a.retain(ctx) // the rejected one leaves no clear key
	if r.Rejected >= provesBeforeGivingUp {
		return a.giveUp(ctx, r, cause)
	}
	return cause
}

// handBack gives the targets of bindings their current certificates again.
func (a *Agent) handBack(ctx context.Context, bindings newleaf.Bindings) (failed error) {
	a.targets.Lock()
	defer a.targets.Unlock()
	for _, b := range bindings {
		if err := a.reload(ctx, b.Purpose, b.Current); err != nil {
			failed = errors.Join(failed, fmt.Errorf("putting back the certificate of %s: %w", b.Purpose, err))
		}
	}
	return failed
}
