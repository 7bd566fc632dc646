package main

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"newleaf"
)

func reservationPlanCommand(a *app) *cobra.Command {
	cmd := &cobra.Command{Use: "plan [off]", Short: "Show the updates to come",
		Long: `Show the updates to come, as if each succeeded at its time with the same validity.
The flags of "reservation set" try settings without saving them.`,
		Example: `  newleaf reservation plan --count 12
  newleaf reservation plan --every 30d --from 2027-01-01 --count 5`,
	}
	form := addTiming(cmd)
	var q newleaf.ForecastQuery
	cmd.Flags().Var(&instantValue{&q.From}, "from", "from this instant on (default: now, as the device has it)")
	cmd.Flags().Var(&instantValue{&q.AfterSuccess}, "after-success", "as if all had last been updated then")
	cmd.Flags().IntVar(&q.Count, "count", 10, "at most `N` rows")
	for _, name := range []string{"from", "after-success", "count"} {
		complete(cmd, name)
	}
	cmd.RunE = a.with(func(ctx context.Context, dev newleaf.Device, args []string) error {
		if q.Count < 1 {
			return usageError("--count: %d is less than 1", q.Count)
		}
		info, err := dev.Reservation(ctx)
		if err != nil {
			return err
		}
		r := info.Reservation
		given, err := form.change(ctx, dev, args, &r)
		if err != nil {
			return err
		}
		if given {
			q.Unsaved = &r
		}
		if q.From.IsZero() {
			s, err := dev.Status(ctx)
			if err != nil {
				return err
			}
			q.From = s.Now
		}
		rows, err := dev.PlanReservation(ctx, q)
		if err != nil {
			return err
		}
		return a.printPlanned(ctx, dev, rows, zoneOf(r.Zone))
	})
	return cmd
}

// instantValue is a flag for a point in time.
type instantValue struct{ t *time.Time }

func (v *instantValue) Type() string { return "TIME" }
func (v *instantValue) String() string {
	if v.t == nil || v.t.IsZero() {
		return ""
	}
	return v.t.Format(time.RFC3339)
}

func (v *instantValue) Set(s string) (err error) {
	*v.t, err = parseInstant(s)
	return err
}

func (a *app) printPlanned(ctx context.Context, dev newleaf.Device, rows []newleaf.Planned, zone *time.Location) error {
	if a.json() {
		return a.encode(list(rows), "  ")
	}
	names, err := certNamesByID(ctx, dev)
	if err != nil {
		return err
	}
	t := newTable("AT", "CAUSE", "CERTIFICATES")
	for _, p := range rows {
		var who []string
		for _, id := range p.Certificates {
			who = append(who, nameOf(names, id))
		}
		t.row(when(p.At, zone), string(p.Cause), strings.Join(who, ", "))
	}
	return t.write(a.stdout)
}

func certNamesByID(ctx context.Context, dev newleaf.Device) (map[newleaf.ID]string, error) {
	rows, err := dev.List(ctx)
	names := map[newleaf.ID]string{}
	for _, c := range rows {
		names[c.ID] = c.Name
	}
	return names, err
}

func nameOf(names map[newleaf.ID]string, id newleaf.ID) string {
	if name := names[id]; name != "" {
		return name
	}
	return id.Short()
}

// resolve replaces names and short IDs by IDs; unchanged IDs need no question.
func resolve(ctx context.Context, dev newleaf.Device, refs []newleaf.ID) ([]newleaf.ID, error) {
	out := slices.Clone(refs)
	for i, ref := range refs {
		if len(ref) == 64 {
			continue
		}
		d, err := dev.Certificate(ctx, string(ref))
		if err != nil {
			return nil, err
		}
		out[i] = d.ID
	}
	return out, nil
}
