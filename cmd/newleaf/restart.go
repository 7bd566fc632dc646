package main

import (
	"context"

	"github.com/spf13/cobra"

	"newleaf"
)

func restartCommand(a *app) *cobra.Command {
	return &cobra.Command{Use: "restart", Short: "Restart the device",
		Long: `Ask the supervisor, or the command configured for it, to restart the device, so
that certificates read only at a start are taken up. An open renewal goes on
after the start.`,
		Example: `  newleaf restart
  newleaf status   # tells which purposes wait for a restart`,
		Args: arguments,
		RunE: a.with(func(ctx context.Context, dev newleaf.Device, _ []string) error {
			if err := dev.Restart(ctx); err != nil {
				return err
			}
			return a.done(map[string]any{"restarting": true}, "Device will be restarted to reflect settings.")
		})}
}
