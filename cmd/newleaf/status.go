package main

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"newleaf"
)

func statusCommand(a *app) *cobra.Command {
	cmd := &cobra.Command{Use: "status", Short: "Show how the device is",
		Long: `Show clock, store, purposes with the certificates that serve them, coming
updates and what needs attention. With --check the exit status is 3 when an
update is due or a certificate in use has expired.`,
		Example: `  newleaf status
  newleaf status --check >/dev/null || echo "look after the device"`,
		Args: arguments}
	check := cmd.Flags().Bool("check", false, "exit with 3 when something needs an update")
	cmd.RunE = a.with(func(ctx context.Context, dev newleaf.Device, _ []string) error {
		s, err := dev.Status(ctx)
		if err != nil {
			return err
		}
		if err := a.print(s, func() *table { return statusTable(s) }); err != nil {
			return err
		}
		if !a.json() {
			if err := a.statusDetails(s); err != nil {
				return err
			}
		}
		if *check && s.NeedsUpdate {
			return changePending
		}
		return nil
	})
	return cmd
}

func statusTable(s newleaf.Status) *table {
	zone := zoneOf(s.Zone)
	clock := "believable"
	if !s.Clock.Trusted {
		clock = "in doubt: " + s.Clock.Reason
	}
	t := newTable("newleaf", s.Version)
	if s.Lab {
		t.row("lab", "yes: this store is for trials only")
	}
	t.row("address", s.Address)
	t.row("clock", fmt.Sprintf("%s (%s)", when(s.Now, zone), clock))
	t.row("certificates", fmt.Sprintf("%d of %d", s.Stored, s.Capacity))
	if s.Quota > 0 {
		t.row("space", fmt.Sprintf("%d of %d bytes", s.UsedBytes, s.Quota))
	}
	t.row("journal", fmt.Sprintf("%d events, head %.16s", s.JournalCount, s.JournalHead))
	for _, r := range s.Running {
		t.row("running", fmt.Sprintf("renewal %d (%s): step %d/7 %s, %s", r.ID, subjectOf(r), r.Step.Number(), r.Step, r.Phase))
	}
	if r := s.Last; r != nil {
		t.row("last renewal", fmt.Sprintf("%d (%s): %s at %s", r.ID, subjectOf(*r), r.Phase, when(r.Ended, zone)))
	}
	if len(s.RestartNeed) > 0 {
		t.row("restart", "needed for "+joinPurposes(s.RestartNeed))
	}
	t.row("update needed", yes(s.NeedsUpdate))
	return t
}

// statusDetails prints the purposes and says what needs attention.
func (a *app) statusDetails(s newleaf.Status) error {
	zone := zoneOf(s.Zone)
	t := newTable("PURPOSE", "CERTIFICATE", "EXPIRES", "NEXT UPDATE", "CAUSE", "ALARM")
	for _, p := range s.Purposes {
		name := p.Name
		if p.Trial != "" {
			name += " (on trial)"
		}
		t.row(string(p.Purpose), name, when(p.NotAfter, zone), nextUpdate(p, zone), string(p.Cause), string(p.Alarm))
	}
	fmt.Fprintln(a.stdout)
	if err := t.write(a.stdout); err != nil {
		return err
	}
	for _, n := range s.Announced {
		a.say("warning: %s (%s, %s)", n.Text, n.Name, when(n.At, zone))
	}
	a.warn(s.Warnings)
	return nil
}

func nextUpdate(p newleaf.PurposeStatus, zone *time.Location) string {
	if p.Next.IsZero() && p.Certificate != "" && p.Renewal == newleaf.OutlookPerson {
		return "by hand only"
	}
	return when(p.Next, zone)
}
