//go:build device

package main

import "github.com/spf13/cobra"

// labCommands is empty: a shipped device has no lab.
func labCommands(*app) []*cobra.Command { return nil }
