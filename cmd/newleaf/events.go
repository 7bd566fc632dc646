package main

import (
	"context"
	"fmt"
	"strconv"
	"strings"

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
  newleaf events --follow -o json | jq .text
  newleaf events --head 120:9f86d0...`,
		Args: arguments}
	follow := cmd.Flags().BoolP("follow", "f", false, "go on with new events as they happen")
	since := cmd.Flags().Int64("since", 0, "only events after the one with this `ID`")
	head := cmd.Flags().String("head", "", "check that the journal still contains the event `ID:HASH` noted earlier, and nothing was changed since")
	complete(cmd, "since")
	complete(cmd, "head")
	cmd.RunE = a.with(func(ctx context.Context, dev newleaf.Device, _ []string) error {
		if *head != "" {
			return a.checkHead(ctx, dev, *head)
		}
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

// checkHead finds a cut: a journal that was made anew, or shortened, does not have
// the event that was noted.
func (a *app) checkHead(ctx context.Context, dev newleaf.Device, head string) error {
	digits, hash, ok := strings.Cut(head, ":")
	id, err := strconv.ParseInt(digits, 10, 64)
	if !ok || err != nil || id < 1 {
		return usageError("the head %q is not of the form ID:HASH", head)
	}
	events, err := allEvents(ctx, dev, id-1)
	if err != nil {
		return err
	}
	if len(events) == 0 || events[0].ID == id && events[0].Hash != hash {
		return newleaf.Errorf(newleaf.CodeDamaged, "the journal was cut or replaced: it does not contain event %d as it was noted", id).
			WithHint("Compare it with an earlier export to see what is missing.")
	}
	if events[0].ID > id {
		return newleaf.Errorf(newleaf.CodeNotFound, "event %d is older than what the journal keeps; the oldest is %d", id, events[0].ID).
			WithHint("Note the head more often, or raise the journal's bounds.")
	}
	if err := newleaf.VerifyChain("", events); err != nil {
		return err
	}
	return a.done(map[string]any{"ok": true, "since": id, "events": len(events)}, "The journal is whole from event %d on, %d events.", id, len(events))
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
