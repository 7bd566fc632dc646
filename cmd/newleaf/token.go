package main

import (
	"cmp"
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"newleaf"
)

func tokenCommand(a *app) *cobra.Command {
	return group("token", "Let programs use the device over the network",
		`Make and revoke the tokens with which programs use the REST API over the network.
This works over the socket only.`,
		tokenCreateCommand(a), tokenListCommand(a), tokenRevokeCommand(a))
}

// created is a token with its secret, which no later command shows.
type created struct {
	newleaf.Token
	Secret string `json:"secret"`
}

func tokenCreateCommand(a *app) *cobra.Command {
	cmd := &cobra.Command{Use: "create", Short: "Make a token and show its secret once",
		Long: `Make a token and print its secret to stdout, once: the device keeps only a hash.
Programs send it as "Authorization: Bearer SECRET".`,
		Example: `  newleaf token create --role viewer --days 90 --name monitoring
  TOKEN=$(newleaf token create --role administrator --days 1)`,
		Args: arguments}
	var t newleaf.NewToken
	role := ""
	roles := []string{string(newleaf.Administrator), string(newleaf.Viewer)}
	cmd.Flags().Var(&choice{&role, roles}, "role", "what it allows: to change everything, or to look; needed")
	cmd.Flags().IntVar(&t.Days, "days", 0, "how many `DAYS` it is valid; needed")
	cmd.Flags().StringVar(&t.Name, "name", "", "`NAME` for lists and the journal (default: the role)")
	complete(cmd, "role", roles...)
	complete(cmd, "days")
	complete(cmd, "name")
	cmd.RunE = a.with(func(ctx context.Context, dev newleaf.Device, _ []string) error {
		if err := needs(cmd, "role", "days"); err != nil {
			return err
		}
		if t.Days < 1 {
			return usageError("--days: %d is less than 1", t.Days)
		}
		t.Role, t.Name = newleaf.AccessRole(role), cmp.Or(t.Name, role)
		token, secret, err := dev.CreateToken(ctx, t)
		if err != nil {
			return err
		}
		if a.json() {
			return a.encode(created{token, secret}, "  ")
		}
		a.say("Token %s for %s, valid until %s. Its secret is shown only now:", token.ID, token.Role, when(token.Expires, time.UTC))
		if _, err := fmt.Fprintln(a.stdout, secret); err != nil {
			return fmt.Errorf("writing the secret: %w", err)
		}
		return nil
	})
	return cmd
}

func tokenListCommand(a *app) *cobra.Command {
	return &cobra.Command{Use: "list", Short: "List the tokens",
		Long: `List the tokens with role and end of validity. Secrets are never shown again.`,
		Example: `  newleaf token list
  newleaf token list -o json | jq -r '.[].id'`,
		Args: arguments,
		RunE: a.with(func(ctx context.Context, dev newleaf.Device, _ []string) error {
			rows, err := dev.TokenList(ctx)
			if err != nil {
				return err
			}
			return a.print(list(rows), func() *table {
				t := newTable("ID", "NAME", "ROLE", "CREATED", "EXPIRES")
				for _, k := range rows {
					t.row(k.ID, k.Name, string(k.Role), when(k.Created, time.UTC), when(k.Expires, time.UTC))
				}
				return t
			})
		})}
}

func tokenRevokeCommand(a *app) *cobra.Command {
	return &cobra.Command{Use: "revoke ID", Short: "Make a token worthless",
		Long: `Make a token worthless at once. ID is that of "newleaf token list".`,
		Example: `  newleaf token revoke 4c1f
  newleaf token list   # tells the IDs`,
		Args: arguments,
		RunE: a.with(func(ctx context.Context, dev newleaf.Device, args []string) error {
			if err := dev.RevokeToken(ctx, args[0]); err != nil {
				return err
			}
			return a.done(map[string]any{"revoked": args[0]}, "Token %s is revoked.", args[0])
		})}
}
