package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"newleaf"
)

func certCommand(a *app) *cobra.Command {
	return group("cert", "See, make and change certificates",
		`See, make and change the certificates of the store. NAME is a certificate's name,
its ID, or the first eight or more digits of the ID.`,
		certListCommand(a), certShowCommand(a), certIssueCommand(a), certGenerateCommand(a),
		certImportCommand(a), certExportCommand(a), certPurposeCommand(a), certRequestCommand(a),
		certPinCommand(a, true), certPinCommand(a, false), certDeleteCommand(a))
}

func certListCommand(a *app) *cobra.Command {
	return &cobra.Command{Use: "list", Short: "List the certificates",
		Long: `List the certificates of the store with purposes, issuer, end of validity, key
and state. CA certificates are listed by "newleaf anchor list".`,
		Example: `  newleaf cert list
  newleaf cert list -o json | jq -r '.[] | select(.inUse) | .name'`,
		Args: arguments,
		RunE: a.with(func(ctx context.Context, dev newleaf.Device, _ []string) error {
			rows, err := dev.List(ctx)
			if err != nil {
				return err
			}
			return a.print(list(rows), func() *table { return certTable(rows...) })
		})}
}

func certTable(rows ...newleaf.Listed) *table {
	t := newTable("NAME", "PURPOSE", "ISSUER", "EXPIRES", "KEY", "ORIGIN", "STATE", "ID")
	for _, c := range rows {
		t.row(c.Name, joinPurposes(c.Purposes), c.Issuer, when(c.NotAfter, time.UTC), keyText(c), string(c.Origin), badges(c), c.ID.Short())
	}
	return t
}

// printCert prints the one certificate that a command made or changed.
func (a *app) printCert(c newleaf.Listed) error {
	return a.print(c, func() *table { return certTable(c) })
}

func keyText(c newleaf.Listed) string {
	if c.KeyAlgorithm == "" {
		return ""
	}
	return fmt.Sprintf("%s %dbit", c.KeyAlgorithm, c.KeyBits)
}

func certShowCommand(a *app) *cobra.Command {
	return &cobra.Command{Use: "show NAME", Short: "Show the details of a certificate",
		Long: `Show everything known of a certificate: what it says itself, where it came from,
what it is used for, and what the next update would do to it.`,
		Example: `  newleaf cert show Xyz1
  newleaf cert show 3f2a91c0 -o json | jq -r .pem`,
		Args: arguments, ValidArgsFunction: a.certNames(1),
		RunE: a.with(func(ctx context.Context, dev newleaf.Device, args []string) error {
			d, err := dev.Certificate(ctx, args[0])
			if err != nil {
				return err
			}
			return a.print(d, func() *table { return certDetails(d) })
		})}
}

// certDetails has the nine lines of Fig. 16 and below them the rest (UI-026).
func certDetails(d newleaf.Detail) *table {
	t := newTable("Name", d.Name)
	t.row("Purpose", labels(d.Purposes))
	t.row("Issuer", d.Issuer)
	t.row("Start of period of validity", when(d.NotBefore, time.UTC))
	t.row("End of period of validity", when(d.NotAfter, time.UTC))
	t.row("Issuance destination", d.Subject)
	t.row("Algorithm of key", keyText(d.Listed))
	t.row("Serial number", pairs(d.Serial))
	t.row("Thumbprint of certificate (SHA-1)", pairs(d.SHA1))
	t.row("Thumbprint of certificate (SHA-256)", pairs(d.SHA256))
	t.row("Alternative names", strings.Join(d.SAN, ", "))
	t.row("Extended key usage", strings.Join(d.EKU, ", "))
	t.row("Chain", strings.Join(d.Chain, " / "))
	t.row("State", badges(d.Listed))
	t.row("In use for", labels(d.Used))
	t.row("Origin", string(d.Origin))
	t.row("Added", when(d.Added, time.UTC))
	t.row("Last update", when(d.Updated, time.UTC))
	t.row("Replaced", d.Predecessor.Short())
	t.row("Connection", d.Connection)
	t.row("Private key may be exported", yes(d.Exportable))
	t.row("Its own update", outlookText(d.Renewal))
	t.row("At the next update", verdictText(d.Forecast))
	t.row("ID", string(d.ID))
	return t
}

// outlookText says whether the certificate's update will go by itself.
func outlookText(o newleaf.Outlook) string {
	switch o {
	case newleaf.OutlookProven:
		return "goes by itself, as it did before"
	case newleaf.OutlookUnproven:
		return "should go by itself, not tried yet"
	}
	return "needs a person"
}
