package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"newleaf"
)

// eventPage is how many events are asked for at a time.
const eventPage = 500

func eventsCommand(a *app) *cobra.Command {
	cmd := &cobra.Command{Use: "events", Short: "Show what happened",
		Long: `Print the journal, one line for each event, oldest first. With --follow new
events are printed as they happen, until Ctrl-C.

With -o json the events are one JSON array; with --follow they are one JSON
object on each line.`,
		Example: `  newleaf events --since 120
  newleaf events --follow -o json | jq .text`,
		Args: arguments}
	follow := cmd.Flags().BoolP("follow", "f", false, "go on with new events as they happen")
	since := cmd.Flags().Int64("since", 0, "only events after the one with this `ID`")
	complete(cmd, "since")
	cmd.RunE = a.with(func(ctx context.Context, dev newleaf.Device, _ []string) error {
		if *follow {
			return a.followEvents(ctx, dev, *since)
		}
		events, err := allEvents(ctx, dev, *since)
		if err != nil {
			return err
		}
		if a.json() {
			return a.encode(events, "  ")
		}
		for _, e := range events {
			if err := a.event(e); err != nil {
				return err
			}
		}
		return nil
	})
	return cmd
}

func allEvents(ctx context.Context, dev newleaf.Device, since int64) ([]newleaf.Event, error) {
	all := []newleaf.Event{}
	for {
		page, err := dev.Events(ctx, since, eventPage)
		if err != nil {
			return nil, err
		}
		if len(page) == 0 {
			return all, nil
		}
		all, since = append(all, page...), page[len(page)-1].ID
	}
}

// followEvents ends well when the person stops it.
func (a *app) followEvents(ctx context.Context, dev newleaf.Device, since int64) error {
	err := dev.Follow(ctx, since, func(e newleaf.Event) error {
		if a.json() {
			return a.encode(e, "")
		}
		return a.event(e)
	})
	if ctx.Err() != nil {
		return nil
	}
	return err
}

func (a *app) event(e newleaf.Event) error {
	_, err := fmt.Fprintf(a.stdout, "%6d  %s  %-17s  %s (%s)\n", e.ID, e.At.UTC().Format("2006-01-02 15:04:05 MST"),
		inert(string(e.Kind)), inert(e.Text), inert(e.By))
	if err != nil {
		return fmt.Errorf("writing an event: %w", err)
	}
	return nil
}
