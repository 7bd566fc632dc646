package main

import (
	"context"
	"github.com/spf13/cobra"

	"newleaf"
)

func doctorCommand(a *app) *cobra.Command {
	cmd := &cobra.Command{Use: "doctor", Short: "Walk through what could go wrong",
		Long: `Check clock, store, connections, trust, targets and the machine without changing
anything, and say what to do about each finding.`,
		Example: `  newleaf doctor
  newleaf doctor -o json`,
		Args: arguments}
	cmd.RunE = a.with(func(ctx context.Context, dev newleaf.Device, _ []string) error {
		findings, err := dev.Doctor(ctx)
		if err != nil {
			return err
		}
		return a.print(list(findings), func() *table { return findingsTable(findings) })
	})
	return cmd
}

func findingsTable(findings []newleaf.Finding) *table {
	t := newTable(" ", "TOPIC", "FINDING")
	for _, f := range findings {
		mark := "ok"
		if !f.OK {
			mark = "look"
		}
		t.row(mark, f.Topic, f.Text)
		if !f.OK && f.Hint != "" {
			t.row(" ", " ", "hint: "+f.Hint)
		}
	}
	return t
}
