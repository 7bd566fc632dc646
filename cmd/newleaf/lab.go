//go:build !device

package main

import "github.com/spf13/cobra"

// labCommands are those that a shipped device does not have.
func labCommands(a *app) []*cobra.Command { return []*cobra.Command{demoCommand(a), caCommand(a)} }
