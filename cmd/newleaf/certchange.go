package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"newleaf"
)

func certDeleteCommand(a *app) *cobra.Command {
	cmd := &cobra.Command{Use: "delete NAME", Short: "Delete a certificate and destroy its private key",
		Long: `Delete a certificate with its chain and destroy its private key. This cannot be
undone. One that is in use or pinned is deleted only with --force; its purposes
then have no certificate. At a terminal a question is asked first.`,
		Example: `  newleaf cert delete Xyz1
  newleaf cert delete Xyz1 --force --yes`,
		Args: arguments, ValidArgsFunction: a.certNames(1)}
	force := cmd.Flags().Bool("force", false, "delete it even if it is in use or pinned")
	sure := cmd.Flags().BoolP("yes", "y", false, "do not ask")
	cmd.RunE = a.with(func(ctx context.Context, dev newleaf.Device, args []string) error {
		d, err := dev.Certificate(ctx, args[0])
		if err != nil {
			return err
		}
		if !*sure {
			if err := a.confirm(deleteQuestion(d)); err != nil {
				return err
			}
		}
		if err := dev.Delete(ctx, string(d.ID), *force); err != nil {
			return err
		}
		return a.done(d.Listed, "Certificate %s is deleted, its private key destroyed.", d.Name)
	})
	return cmd
}

func deleteQuestion(d newleaf.Detail) string {
	use := "not in use"
	if len(d.Used) > 0 {
		use = "IN USE for " + labels(d.Used)
	}
	return fmt.Sprintf("Delete certificate %s (%s) and destroy its private key?", d.Name, use)
}

func certPinCommand(a *app, pinned bool) *cobra.Command {
	cmd := &cobra.Command{Use: "pin NAME", Short: "Protect a certificate from automatic deletion",
		Long: `Protect a certificate from every rule of automatic deletion, whatever its state.
Deleting it by hand then needs --force, or "newleaf cert unpin" first.`,
		Example: `  newleaf cert pin Factory
  newleaf cert list   # shows "pinned"`,
		Args: arguments, ValidArgsFunction: a.certNames(1)}
	if !pinned {
		cmd.Use, cmd.Short = "unpin NAME", "Lift the protection from automatic deletion"
		cmd.Long = `Lift the protection that "newleaf cert pin" gave: the rules of automatic deletion
reach the certificate again, at the next update.`
		cmd.Example = `  newleaf cert unpin Factory
  newleaf deletion plan   # shows what would now happen to it`
	}
	cmd.RunE = a.with(func(ctx context.Context, dev newleaf.Device, args []string) error {
		c, err := dev.Pin(ctx, args[0], pinned)
		if err != nil {
			return err
		}
		return a.printCert(c)
	})
	return cmd
}

func certPurposeCommand(a *app) *cobra.Command {
	return &cobra.Command{Use: "purpose NAME PURPOSES", Short: "Set what a certificate is used for",
		Long: `Set the purposes of a certificate: a list such as tls,ipsec, "all", or "none". The
given purposes are taken from the certificates that hold them, all others from
this one. A purpose may name an instance, as in tls:portal.`,
		Example: `  newleaf cert purpose Xyz1 tls,ipsec
  newleaf cert purpose Xyz1 none`,
		Args: arguments, ValidArgsFunction: a.certNames(1),
		RunE: a.with(func(ctx context.Context, dev newleaf.Device, args []string) error {
			purposes, err := expand(ctx, dev, parsePurposes(args[1]))
			if err != nil {
				return err
			}
			c, err := dev.SetPurposes(ctx, args[0], purposes)
			if err != nil {
				return err
			}
			return a.printCert(c)
		})}
}
