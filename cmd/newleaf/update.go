package main

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"newleaf"
)

func updateCommand(a *app) *cobra.Command {
	return group("update", "Update certificates and follow renewals",
		`Update certificates now, and follow the renewals: first issuances and updates, by
hand or by reservation. A renewal that was begun survives restarts and goes on by
itself.`,
		updateRunCommand(a), updateListCommand(a), updateShowCommand(a),
		renewalVerb(a, "cancel", "Give a renewal up", `Give a renewal up. What was in use stays in use. Without ID the one that is open.`, newleaf.Device.CancelRenewal),
		renewalVerb(a, "retry", "Try a renewal again at once", `Try a renewal again at once instead of at its next try. Without ID the one that is
open.`, newleaf.Device.RetryRenewal))
}

func updateRunCommand(a *app) *cobra.Command {
	cmd := &cobra.Command{Use: "run [NAME...]", Short: "Update certificates now",
		Long: `Update the named certificates, or all in use that have a request to repeat. The
seven steps are shown on stderr, the renewals on stdout. With --dry-run only tell
what would be updated; the exit status is then 3, or 0 for nothing.

The command waits as "newleaf cert issue" does: what is still open after --wait
goes on by itself, with exit status 0. After a failed try it is 1.`,
		Example: `  newleaf update run --dry-run
  newleaf update run Xyz1 Xyz2 --wait 5m`,
		Args: arguments, ValidArgsFunction: a.certNames(-1)}
	dry := cmd.Flags().Bool("dry-run", false, "change nothing, tell what would be updated")
	wait := waitFlag(cmd)
	cmd.RunE = a.with(func(ctx context.Context, dev newleaf.Device, args []string) error {
		planned, renewals, err := dev.Update(ctx, args, *dry)
		switch {
		case err != nil:
			return err
		case *dry:
			return a.wouldUpdate(ctx, dev, planned)
		}
		return a.update(ctx, dev, renewals, *wait)
	})
	return cmd
}

func (a *app) wouldUpdate(ctx context.Context, dev newleaf.Device, planned []newleaf.Planned) error {
	if err := a.printPlanned(ctx, dev, planned, time.UTC); err != nil {
		return err
	}
	if len(planned) == 0 {
		a.say("There is nothing to update.")
		return nil
	}
	return changePending
}

// update follows the renewals one after the other, as the device does them. The
// first failure is the command's; the others are said.
func (a *app) update(ctx context.Context, dev newleaf.Device, renewals []newleaf.Renewal, wait time.Duration) error {
	if len(renewals) == 0 {
		a.say("There is nothing to update.")
	}
	deadline := a.now().Add(wait)
	for i := range renewals {
		var err error
		if renewals[i], err = a.watch(ctx, dev, renewals[i], deadline.Sub(a.now())); err != nil {
			return err
		}
	}
	if err := a.print(list(renewals), func() *table { return renewalTable(renewals...) }); err != nil {
		return err
	}
	var first error
	for _, r := range renewals {
		switch err := a.outcome(r); {
		case err == nil:
		case first == nil:
			first = err
		default:
			a.complain(newleaf.AsError(err))
		}
	}
	return first
}

func updateListCommand(a *app) *cobra.Command {
	cmd := &cobra.Command{Use: "list", Short: "List the renewals",
		Long: `List the renewals with step and state, the newest last.`,
		Example: `  newleaf update list
  newleaf update list -o json | jq '.[] | select(.phase == "failed")'`,
		Args: arguments}
	cmd.RunE = a.with(func(ctx context.Context, dev newleaf.Device, _ []string) error {
		rows, err := renewals(ctx, dev)
		if err != nil {
			return err
		}
		return a.print(list(rows), func() *table { return renewalTable(rows...) })
	})
	return cmd
}

// renewals are all that the device remembers, oldest first.
func renewals(ctx context.Context, dev newleaf.Device) ([]newleaf.Renewal, error) {
	rows, err := dev.Renewals(ctx)
	slices.SortFunc(rows, func(a, b newleaf.Renewal) int { return cmp.Compare(a.ID, b.ID) })
	return rows, err
}

func updateShowCommand(a *app) *cobra.Command {
	cmd := &cobra.Command{Use: "show [ID]", Short: "Show a renewal",
		Long: `Show a renewal with step, state, last failure and what it deleted or kept. Without
ID the newest.`,
		Example: `  newleaf update show
  newleaf update show 12 -o json | jq .error`,
		Args: arguments, ValidArgsFunction: a.renewalIDs()}
	cmd.RunE = a.with(func(ctx context.Context, dev newleaf.Device, args []string) error {
		id, err := pickRenewal(ctx, dev, args, func(newleaf.Renewal) bool { return true })
		if err != nil {
			return err
		}
		r, err := dev.Renewal(ctx, id)
		if err != nil {
			return err
		}
		return a.print(r, func() *table { return renewalDetails(r) })
	})
	return cmd
}

// renewalVerb is a command that does something to one renewal.
func renewalVerb(a *app, verb, short, long string, do func(newleaf.Device, context.Context, int64) (newleaf.Renewal, error)) *cobra.Command {
	cmd := &cobra.Command{Use: verb + " [ID]", Short: short, Long: long,
		Example: fmt.Sprintf("  newleaf update %[1]s\n  newleaf update %[1]s 12", verb),
		Args:    arguments, ValidArgsFunction: a.renewalIDs()}
	cmd.RunE = a.with(func(ctx context.Context, dev newleaf.Device, args []string) error {
		id, err := pickRenewal(ctx, dev, args, func(r newleaf.Renewal) bool { return r.Phase.Open() })
		if err != nil {
			return err
		}
		r, err := do(dev, ctx, id)
		if err != nil {
			return err
		}
		return a.print(r, func() *table { return renewalTable(r) })
	})
	return cmd
}

// pickRenewal reads the ID, or takes the newest that fits.
func pickRenewal(ctx context.Context, dev newleaf.Device, args []string, fits func(newleaf.Renewal) bool) (int64, error) {
	if len(args) > 0 {
		id, err := strconv.ParseInt(args[0], 10, 64)
		if err != nil {
			return 0, usageError("%q is no ID of a renewal", args[0]).WithHint("IDs are numbers; see \"newleaf update list\".")
		}
		return id, nil
	}
	rows, err := renewals(ctx, dev)
	if err != nil {
		return 0, err
	}
	for _, r := range slices.Backward(rows) {
		if fits(r) {
			return r.ID, nil
		}
	}
	return 0, newleaf.Errorf(newleaf.CodeNotFound, "there is no such renewal").WithHint("See \"newleaf update list\".")
}

func (a *app) renewalIDs() cobra.CompletionFunc {
	return a.askDevice(1, func(ctx context.Context, dev newleaf.Device) ([]string, error) {
		rows, err := dev.Renewals(ctx)
		var ids []string
		for _, r := range rows {
			ids = append(ids, fmt.Sprintf("%d\t%s, %s", r.ID, inert(subjectOf(r)), r.Phase))
		}
		return ids, err
	})
}

func renewalTable(rows ...newleaf.Renewal) *table {
	t := newTable("ID", "STARTED", "CAUSE", "WHAT", "STEP", "STATE", "NEXT TRY", "CERTIFICATE")
	for _, r := range rows {
		t.row(fmt.Sprint(r.ID), when(r.Started, time.UTC), string(r.Cause), subjectOf(r), string(r.Step), string(r.Phase), when(r.NextTry, time.UTC), r.Certificate.Short())
	}
	return t
}

func renewalDetails(r newleaf.Renewal) *table {
	t := newTable("renewal", fmt.Sprint(r.ID))
	t.row("what", subjectOf(r))
	t.row("cause", string(r.Cause))
	t.row("by", r.By)
	t.row("step", fmt.Sprintf("%d/7 %s", min(r.Step.Number(), 7), r.Step))
	t.row("state", string(r.Phase))
	t.row("started", when(r.Started, time.UTC))
	t.row("ended", when(r.Ended, time.UTC))
	t.row("failures in a row", fmt.Sprint(r.Tries))
	t.row("next try", when(r.NextTry, time.UTC))
	t.row("connection", r.Request.Connection)
	t.row("requests sent", fmt.Sprint(len(r.Sent)))
	t.row("certificate", r.Certificate.Short())
	t.row("evidence of use", string(r.Evidence))
	t.row("proof until", when(r.ProveBy, time.UTC))
	var deleted, kept []string
	for _, d := range r.Deleted {
		deleted = append(deleted, fmt.Sprintf("%s (%s)", d.Name, d.Rule))
	}
	for _, v := range r.Kept {
		kept = append(kept, fmt.Sprintf("%s (%s)", v.Name, v.Reason))
	}
	t.row("deleted", strings.Join(deleted, ", "))
	t.row("kept", strings.Join(kept, ", "))
	if r.Error != nil {
		t.row("last failure", r.Error.Text)
		t.row("hint", r.Error.Hint)
	}
	return t
}
