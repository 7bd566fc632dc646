package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"newleaf"
)

func reservationCommand(a *app) *cobra.Command {
	return group("reservation", "See and set when certificates are updated",
		`See and set when the device updates its certificates by itself: on a date, some
time before their end, or in a cycle. A fresh device is "off".`,
		reservationShowCommand(a), reservationPlanCommand(a), reservationSetCommand(a))
}

func reservationShowCommand(a *app) *cobra.Command {
	return &cobra.Command{Use: "show", Short: "Show when certificates are updated",
		Long: `Show the method, its settings and the next update of each certificate in use.`,
		Example: `  newleaf reservation show
  newleaf reservation show -o json | jq .next`,
		Args: arguments,
		RunE: a.with(func(ctx context.Context, dev newleaf.Device, _ []string) error {
			info, err := dev.Reservation(ctx)
			if err != nil {
				return err
			}
			return a.printReservation(ctx, dev, info)
		})}
}

func reservationSetCommand(a *app) *cobra.Command {
	cmd := &cobra.Command{Use: "set [off]", Short: "Set when certificates are updated",
		Long: `Choose one method - off, --at, --before, --every, --monthly or --yearly - and what
goes with it. What is not named stays as it is. Certificates may be named by ID or
name in --only.`,
		Example: `  newleaf reservation set --before 14d
  newleaf reservation set --monthly 31 --time 03:00 --zone Europe/Berlin`,
	}
	form := addTiming(cmd)
	cmd.RunE = a.with(func(ctx context.Context, dev newleaf.Device, args []string) error {
		if len(args) == 0 {
			if err := form.needed(); err != nil {
				return err
			}
		}
		info, err := dev.Reservation(ctx)
		if err != nil {
			return err
		}
		r := info.Reservation
		if _, err := form.change(ctx, dev, args, &r); err != nil {
			return err
		}
		if info, err = dev.SetReservation(ctx, r); err != nil {
			return err
		}
		return a.printReservation(ctx, dev, info)
	})
	return cmd
}

func (a *app) printReservation(ctx context.Context, dev newleaf.Device, info newleaf.ReservationInfo) error {
	err := a.print(info, func() *table {
		t := newTable("method", string(info.Method))
		listFields(t, info.Reservation, reservationFields())
		return t
	})
	if err != nil || a.json() {
		return err
	}
	a.warn(info.Warnings)
	if len(info.Next) == 0 {
		a.say("No update is planned.")
		return nil
	}
	fmt.Fprintln(a.stdout)
	return a.printPlanned(ctx, dev, info.Next, zoneOf(info.Zone))
}
