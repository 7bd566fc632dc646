package main

import (
	"context"
	"time"

	"github.com/spf13/cobra"

	"newleaf"
)

// waitFlag says how long a command follows a renewal.
func waitFlag(cmd *cobra.Command) *time.Duration {
	var wait time.Duration
	durationVar(cmd.Flags(), &wait, "wait", 2*time.Minute, "how long to wait for the end; 0s only starts it")
	complete(cmd, "wait")
	return &wait
}

// watch shows the steps of r on stderr until it ends, wait has passed, or
// nothing more can happen before it has. It returns r as it then is.
func (a *app) watch(ctx context.Context, dev newleaf.Device, r newleaf.Renewal, wait time.Duration) (newleaf.Renewal, error) {
	a.say("Renewal %d: %s", r.ID, subjectOf(r))
	if wait <= 0 {
		return r, nil
	}
	bound, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	deadline := a.now().Add(wait)
	last, err := dev.Watch(bound, r.ID, func(p newleaf.Progress) {
		a.step(p)
		now, err := dev.Renewal(bound, r.ID)
		if err == nil && idle(now, p.At, deadline.Sub(a.now())) {
			cancel()
		}
	})
	switch {
	case ctx.Err() != nil:
		return r, newleaf.Errorf(newleaf.CodeInterrupted, "no longer watching renewal %d", r.ID).
			WithHint("It goes on by itself; see \"newleaf update show %d\".", r.ID)
	case bound.Err() != nil:
		return dev.Renewal(ctx, r.ID)
	}
	return last, err
}

// idle reports that r waits for a person, or for a moment that comes only after
// the time left. Its instants are the device's, so they are compared with now as the device
// tells it.
func idle(r newleaf.Renewal, now time.Time, left time.Duration) bool {
	switch r.Phase {
	case newleaf.PhaseRetry:
		return r.NextTry.IsZero() || r.NextTry.Sub(now) > left
	case newleaf.PhasePending:
		return r.NextTry.Sub(now) > left
	}
	return false
}

func (a *app) step(p newleaf.Progress) {
	mark := "ok"
	if !p.OK {
		mark = "--"
	}
	a.say("%d/7 %-8s %s  %s", min(p.Number, 7), p.Step, mark, p.Text)
}

// subjectOf names what a renewal is about.
func subjectOf(r newleaf.Renewal) string {
	if r.Replaces == "" {
		return "issue " + r.Request.Name
	}
	return "update " + r.Replaces.Short() + " as " + r.Request.Name
}

// outcome is the error of a renewal that failed. Of one that is still open it
// says how it goes on.
func (a *app) outcome(r newleaf.Renewal) error {
	next := when(r.NextTry, time.UTC)
	switch r.Phase {
	case newleaf.PhaseFailed, newleaf.PhaseCancelled, newleaf.PhaseRetry:
		return failure(r, next)
	case newleaf.PhasePending:
		a.say("The authority has not decided yet. The device asks again by itself%s.", after(", next at ", next))
	case newleaf.PhaseSuspended:
		if r.Step == newleaf.StepRestart {
			a.say("A restart is needed to reflect the settings: \"newleaf restart\". The renewal goes on after it.")
		} else {
			a.say("The new certificate waits for its proof of use%s. The renewal goes on by itself.", after(", at most until ", when(r.ProveBy, time.UTC)))
		}
	case newleaf.PhaseWaiting:
		a.say("Another renewal is running; this one starts by itself when it has ended.")
	case newleaf.PhaseRunning:
		a.say("The renewal is at step %d/7 %s and goes on by itself.", r.Step.Number(), r.Step)
	}
	if r.Phase.Open() {
		a.say("  hint: See \"newleaf update show %d\".", r.ID)
	}
	return nil
}

func after(words, text string) string {
	if text == "" {
		return ""
	}
	return words + text
}

// failure is what stopped r, with how it goes on as the hint.
func failure(r newleaf.Renewal, next string) error {
	state := map[newleaf.Phase]string{newleaf.PhaseFailed: "has failed", newleaf.PhaseCancelled: "was cancelled", newleaf.PhaseRetry: "has not succeeded yet"}[r.Phase]
	e := newleaf.Errorf(newleaf.CodeInternal, "renewal %d %s", r.ID, state)
	if r.Error != nil {
		e = newleaf.Errorf(r.Error.Code, "renewal %d %s: %s", r.ID, state, r.Error.Text).WithHint("%s", r.Error.Hint)
	}
	if r.Phase == newleaf.PhaseRetry && next != "" {
		e.Hint += " The device tries again by itself at " + next + "."
	}
	return e
}
