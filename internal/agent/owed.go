package agent

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"newleaf"
	"newleaf/internal/store"
)

// settleOwed lets previous certificates go whose settle time is over, carries out
// the deletions that waited for that, and cancels those that a person took back:
// by a pin, a regained purpose or by switching automatic deletion off.
func (a *Agent) settleOwed(ctx context.Context) error {
	work := false
	err := a.Store.Read(ctx, func(tx *store.Tx) error {
		p, err := a.planOwed(tx)
		work = len(p.released)+len(p.due)+len(p.cancelled) > 0
		return err
	})
	if err != nil || !work {
		return err
	}
	err = a.destroy(ctx, func(tx *store.Tx) error {
		p, err := a.planOwed(tx)
		if err != nil {
			return err
		}
		for _, b := range p.released {
			b.Previous, b.Until = "", time.Time{}
			if err := tx.PutBinding(b); err != nil {
				return err
			}
		}
		for _, o := range p.cancelled {
			if err := tx.DeleteOwed(o.Certificate); err != nil {
				return err
			}
			if err := a.note(tx, newleaf.Event{Kind: newleaf.EventSpared, Renewal: o.Renewal, Certificate: o.Certificate,
				Text: "an owed deletion was cancelled: " + string(p.why[o.Certificate])}); err != nil {
				return err
			}
		}
		return a.deleteOwed(tx, p.due)
	})
	if err != nil {
		return err
	}
	a.retain(ctx)
	return nil
}

// owedPlan is what settleOwed will do.
type owedPlan struct {
	released       []newleaf.Binding
	due, cancelled []newleaf.Owed
	why            map[newleaf.ID]newleaf.Reason
}

func (a *Agent) planOwed(tx *store.Tx) (p owedPlan, err error) {
	owed, err := tx.Owed()
	if err != nil {
		return p, err
	}
	l, err := a.liveIn(tx)
	if err != nil {
		return p, err
	}
	now := a.Now()
	for i, b := range l.snapshot.Bindings {
		if b.Previous != "" && !b.Until.IsZero() && !now.Before(b.Until) {
			p.released = append(p.released, b)
			l.snapshot.Bindings[i].Previous = ""
		}
	}
	var targets []newleaf.Verdict
	for _, o := range owed {
		targets = append(targets, newleaf.Verdict{ID: o.Certificate, Delete: true, Rule: o.Rule, Rules: o.Rules})
	}
	p.why = map[newleaf.ID]newleaf.Reason{}
	verdicts := newleaf.Deletable(targets, l.snapshot, l.policy)
	for _, o := range owed {
		i := slices.IndexFunc(verdicts, func(v newleaf.Verdict) bool { return v.ID == o.Certificate })
		c := find(l.snapshot.Certificates, o.Certificate)
		switch {
		case i < 0:
			p.cancelled = append(p.cancelled, o)
		case c.Pinned: // also while it can still be put back
			p.why[o.Certificate] = newleaf.KeepPinned
			p.cancelled = append(p.cancelled, o)
		case !l.policy.Auto:
			p.why[o.Certificate] = newleaf.KeepOff
			p.cancelled = append(p.cancelled, o)
		case verdicts[i].Delete:
			if !now.Before(o.NotBefore) {
				p.due = append(p.due, o)
			}
		case verdicts[i].Reason != newleaf.KeepInUse || len(l.snapshot.Bindings.Held(o.Certificate)) > 0:
			p.why[o.Certificate] = verdicts[i].Reason
			p.cancelled = append(p.cancelled, o)
		}
	}
	return p, nil
}

// deleteOwed removes each and adds it to the renewal that owed it.
func (a *Agent) deleteOwed(tx *store.Tx, due []newleaf.Owed) error {
	for _, o := range due {
		c, err := tx.Certificate(string(o.Certificate))
		if err != nil {
			return err
		}
		v := newleaf.Verdict{ID: c.ID, Name: c.Name, Rule: o.Rule, Rules: o.Rules}
		gone, err := a.deleteEach(tx, "agent", o.Renewal, []newleaf.Verdict{v})
		if err != nil {
			return err
		}
		r, err := tx.Renewal(o.Renewal)
		if newleaf.CodeOf(err) == newleaf.CodeNotFound {
			continue // its row is gone already
		}
		if err != nil {
			return err
		}
		r.Deleted = append(r.Deleted, gone...)
		if _, err := tx.PutRenewal(r); err != nil {
			return err
		}
	}
	return nil
}

// ruleText says in words why a certificate was unnecessary.
func ruleText(r newleaf.Rule) string {
	switch r {
	case newleaf.RuleReplaced:
		return "it was replaced for its purpose"
	case newleaf.RuleNoPurpose:
		return "it had no purpose"
	case newleaf.RuleSelf:
		return "it is a self-certificate"
	case newleaf.RuleFactory:
		return "it was set upon shipment from the factory"
	case newleaf.RuleExpired:
		return "it has expired"
	}
	return fmt.Sprintf("rule %q", r)
}

func join(rules []newleaf.Rule) string {
	var out []string
	for _, r := range rules {
		out = append(out, string(r))
	}
	return strings.Join(out, ",")
}
