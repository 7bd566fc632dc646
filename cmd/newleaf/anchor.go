package main

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"newleaf"
)

func anchorCommand(a *app) *cobra.Command {
	return group("anchor", "See and choose the CA certificates the device trusts",
		`See and choose the CA certificates the device trusts, for each connection its own.
Nothing is sent to an authority before its anchor is confirmed: by comparing the
thumbprint with one that the authority's administrator tells.`,
		anchorListCommand(a), anchorFetchCommand(a), anchorConfirmCommand(a), anchorAddCommand(a), anchorRemoveCommand(a))
}

func anchorListCommand(a *app) *cobra.Command {
	return &cobra.Command{Use: "list", Short: "List the CA certificates",
		Long: `List the CA certificates of all connections with role and thumbprints, and
whether they are confirmed.`,
		Example: `  newleaf anchor list
  newleaf anchor list -o json | jq -r '.[].pem'`,
		Args: arguments,
		RunE: a.with(func(ctx context.Context, dev newleaf.Device, _ []string) error {
			rows, err := dev.AnchorList(ctx)
			if err != nil {
				return err
			}
			return a.printAnchors(rows)
		})}
}

func anchorFetchCommand(a *app) *cobra.Command {
	cmd := &cobra.Command{Use: "fetch", Short: "Get the CA certificates from the authority",
		Long: `Get the authority's certificates and show them. They stay unconfirmed, and nothing
is sent to the authority, until "newleaf anchor confirm". With --thumbprint the
anchor is confirmed at once if its SHA-1 or SHA-256 thumbprint is this one, and
nothing is kept if it is not.`,
		Example: `  newleaf anchor fetch
  newleaf anchor fetch --connection plant --thumbprint "0A 1B 2C ..."`,
		Args: arguments}
	connection := connectionFlag(a, cmd)
	thumbprint := cmd.Flags().String("thumbprint", "", "SHA-1 or SHA-256 thumbprint in `HEX`; spaces and colons do not matter")
	complete(cmd, "thumbprint")
	cmd.RunE = a.with(func(ctx context.Context, dev newleaf.Device, _ []string) error {
		if cmd.Flags().Changed("thumbprint") && plainHex(*thumbprint) == "" {
			return usageError("the thumbprint is empty")
		}
		rows, err := dev.FetchAnchors(ctx, *connection, *thumbprint)
		if err != nil {
			return err
		}
		return a.printAnchors(rows)
	})
	return cmd
}

func anchorConfirmCommand(a *app) *cobra.Command {
	cmd := &cobra.Command{Use: "confirm", Short: "Trust the CA certificates that were fetched",
		Long: `Trust the CA certificates that "newleaf anchor fetch" got for a connection. Compare
the thumbprint with the one that the authority's administrator tells first.`,
		Example: `  newleaf anchor confirm
  newleaf anchor confirm --connection plant`,
		Args: arguments}
	connection := connectionFlag(a, cmd)
	cmd.RunE = a.with(func(ctx context.Context, dev newleaf.Device, _ []string) error {
		rows, err := dev.ConfirmAnchors(ctx, *connection)
		if err != nil {
			return err
		}
		return a.printAnchors(rows)
	})
	return cmd
}

func anchorAddCommand(a *app) *cobra.Command {
	cmd := &cobra.Command{Use: "add FILE", Short: "Trust a CA certificate from a file",
		Long: `Trust the CA certificates in a PEM file ("-" for standard input) for a connection,
without asking the authority.`,
		Example: `  newleaf anchor add ca.pem
  newleaf anchor add --connection plant - < ca.pem`,
		Args: arguments}
	connection := connectionFlag(a, cmd)
	cmd.RunE = a.with(func(ctx context.Context, dev newleaf.Device, args []string) error {
		pem, err := a.readFile(args[0])
		if err != nil {
			return err
		}
		rows, err := dev.AddAnchor(ctx, *connection, pem)
		if err != nil {
			return err
		}
		return a.printAnchors(rows)
	})
	return cmd
}

func anchorRemoveCommand(a *app) *cobra.Command {
	cmd := &cobra.Command{Use: "remove ID", Short: "Stop trusting a CA certificate",
		Long: `Stop trusting a CA certificate. ID is that of "newleaf anchor list", or its first
eight or more digits. Certificates issued by it stay in the store.`,
		Example: `  newleaf anchor remove 3f2a91c0
  newleaf anchor list   # tells the IDs`,
		Args: arguments}
	cmd.ValidArgsFunction = a.askDevice(1, func(ctx context.Context, dev newleaf.Device) ([]string, error) {
		rows, err := dev.AnchorList(ctx)
		var ids []string
		for _, r := range rows {
			ids = append(ids, r.ID.Short()+"\t"+inert(r.Subject))
		}
		return ids, err
	})
	cmd.RunE = a.with(func(ctx context.Context, dev newleaf.Device, args []string) error {
		rows, err := dev.AnchorList(ctx)
		if err != nil {
			return err
		}
		row, err := findAnchor(rows, args[0])
		if err != nil {
			return err
		}
		if err := dev.RemoveAnchor(ctx, row.ID); err != nil {
			return err
		}
		return a.done(row, "CA certificate %s is no longer trusted.", row.Subject)
	})
	return cmd
}

func connectionFlag(a *app, cmd *cobra.Command) *string {
	name := cmd.Flags().String("connection", newleaf.DefaultConnection, "`NAME` of the connection")
	completeWith(cmd, "connection", a.connectionNames(-1))
	return name
}

// findAnchor finds the one whose ID begins with ref.
func findAnchor(rows []newleaf.AnchorInfo, ref string) (newleaf.AnchorInfo, error) {
	ref = plainHex(ref)
	var found []newleaf.AnchorInfo
	for _, r := range rows {
		if len(ref) >= 8 && strings.HasPrefix(string(r.ID), ref) {
			found = append(found, r)
		}
	}
	switch len(found) {
	case 0:
		return newleaf.AnchorInfo{}, newleaf.Errorf(newleaf.CodeNotFound, "there is no CA certificate %q", ref).
			WithHint("List them with \"newleaf anchor list\"; give eight or more digits of the ID.")
	case 1:
		return found[0], nil
	}
	return newleaf.AnchorInfo{}, newleaf.Errorf(newleaf.CodeConflict, "several CA certificates begin with %s", ref).
		WithHint("Give more digits of the ID.")
}

// plainHex takes thumbprints as people paste them.
func plainHex(s string) string {
	return strings.ToLower(strings.NewReplacer(" ", "", ":", "").Replace(s))
}

func (a *app) printAnchors(rows []newleaf.AnchorInfo) error {
	if a.json() {
		return a.encode(list(rows), "  ")
	}
	t := newTable("CONNECTION", "ROLE", "CONFIRMED", "EXPIRES", "ID", "SUBJECT AND THUMBPRINTS")
	for _, r := range rows {
		t.row(cmp.Or(r.Connection, "(by hand)"), string(r.Role), yes(r.Confirmed), when(r.NotAfter, time.UTC), r.ID.Short(), r.Subject)
		t.row(" ", " ", " ", " ", " ", "SHA-1   "+pairs(r.SHA1))
		t.row(" ", " ", " ", " ", " ", "SHA-256 "+pairs(r.SHA256))
	}
	if err := t.write(a.stdout); err != nil {
		return err
	}
	if i := slices.IndexFunc(rows, func(r newleaf.AnchorInfo) bool { return !r.Confirmed }); i >= 0 {
		a.say("  hint: Compare the thumbprint with the authority's, then \"newleaf anchor confirm --connection %s\".", rows[i].Connection)
	}
	return nil
}
