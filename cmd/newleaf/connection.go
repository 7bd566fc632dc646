package main

import (
	"context"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"newleaf"
)

func connectionFields() []field[newleaf.Connection] {
	type C = newleaf.Connection
	return []field[C]{
		of("url", text[string]("URL"), "server name, or URL with scheme and path", func(c *C) *string { return &c.URL }),
		of("port", numberOr("auto"), "port number; auto: what the URL or its scheme says", func(c *C) *int { return &c.Port }),
		of("protocol", oneOf("scep|est|cmp", newleaf.SCEP, newleaf.EST, newleaf.CMP), "how the authority is spoken to", func(c *C) *newleaf.Protocol { return &c.Protocol }),
		of("ca-id", text[string]("ID"), "which CA of the server is meant", func(c *C) *string { return &c.CAID }),
		of("ra-url", text[string]("URL"), "where requests go, when not to the URL above", func(c *C) *string { return &c.RAURL }),
		of("proxy", text[string]("URL"), "HTTP proxy on the way to the authority", func(c *C) *string { return &c.Proxy }),
		of("timeout", span(), "limit of one exchange, from connecting to the last byte", func(c *C) *time.Duration { return &c.Timeout }),
		of("weak", listOf("LIST|none", newleaf.Weak3DES, newleaf.WeakDES, newleaf.WeakSHA1), "weak algorithms that are allowed: 3des, des, sha1", func(c *C) *[]newleaf.Weak { return &c.Weak }),
		of("keep-password", yesNo(), "keep the password, sealed: this authority asks for it at every update", func(c *C) *bool { return &c.KeepPassword }),
	}
}

func connectionCommand(a *app) *cobra.Command {
	return group("connection", "See and set how authorities are reached",
		`See and set how authorities are reached. Each certificate's request names its
connection; commands that get no name mean the one called "default".`,
		connectionListCommand(a), connectionShowCommand(a), connectionSetCommand(a), connectionTestCommand(a), connectionRemoveCommand(a))
}

func connectionListCommand(a *app) *cobra.Command {
	return &cobra.Command{Use: "list", Short: "List the connections",
		Long: `List the connections with their protocol and full URL, and how many confirmed CA
certificates each has.`,
		Example: `  newleaf connection list
  newleaf connection list -o json | jq -r '.[].endpoint'`,
		Args: arguments,
		RunE: a.with(func(ctx context.Context, dev newleaf.Device, _ []string) error {
			rows, err := dev.ConnectionList(ctx)
			if err != nil {
				return err
			}
			return a.print(list(rows), func() *table {
				t := newTable("NAME", "PROTOCOL", "ENDPOINT", "ANCHORS")
				for _, c := range rows {
					t.row(c.Name, string(c.Protocol), c.Endpoint, plainText(c.Anchors))
				}
				return t
			})
		})}
}

func connectionShowCommand(a *app) *cobra.Command {
	return &cobra.Command{Use: "show [NAME]", Short: "Show a connection",
		Long: `Show the settings of a connection, its full URL and whether it has a confirmed CA
certificate. The password is never shown.`,
		Example: `  newleaf connection show
  newleaf connection show plant -o json`,
		Args: arguments, ValidArgsFunction: a.connectionNames(1),
		RunE: a.with(func(ctx context.Context, dev newleaf.Device, args []string) error {
			rows, err := dev.ConnectionList(ctx)
			if err != nil {
				return err
			}
			c, found := findConnection(rows, nameOr(args))
			if !found {
				return newleaf.Errorf(newleaf.CodeNoConnection, "there is no connection %q", nameOr(args))
			}
			return a.printConnection(c)
		})}
}

func connectionSetCommand(a *app) *cobra.Command {
	cmd := &cobra.Command{Use: "set [NAME]", Short: "Set how an authority is reached",
		Long: `Set how an authority is reached. What no flag names stays as it is; a name that
does not exist makes a new connection. A bare host name stands for SCEP at its
usual path. After a change of the server, fetch its CA certificate again.`,
		Example: `  newleaf connection set --url http://ca.example/scep
  newleaf connection set plant --url ca2.example --port 8080 --timeout 1m`,
		Args: arguments, ValidArgsFunction: a.connectionNames(1)}
	cmd.Flags().SortFlags = false
	form := addFields(cmd, connectionFields())
	cmd.RunE = a.with(func(ctx context.Context, dev newleaf.Device, args []string) error {
		if err := form.needed(); err != nil {
			return err
		}
		rows, err := dev.ConnectionList(ctx)
		if err != nil {
			return err
		}
		c := newleaf.NewConnection(nameOr(args))
		if old, found := findConnection(rows, c.Name); found {
			c = old.Connection
		}
		if err := form.apply(&c); err != nil {
			return err
		}
		info, err := dev.SetConnection(ctx, c)
		if err != nil {
			return err
		}
		return a.printConnection(info)
	})
	return cmd
}

func connectionTestCommand(a *app) *cobra.Command {
	return &cobra.Command{Use: "test [NAME]", Short: "Look at an authority without trusting it",
		Long: `Ask the authority for its capabilities and certificates and say what is found.
Nothing is stored, trusted or requested.`,
		Example: `  newleaf connection test
  newleaf connection test plant -o json | jq .capabilities`,
		Args: arguments, ValidArgsFunction: a.connectionNames(1),
		RunE: a.with(func(ctx context.Context, dev newleaf.Device, args []string) error {
			r, err := dev.TestConnection(ctx, nameOr(args))
			if err != nil {
				return err
			}
			return a.print(r, func() *table { return testTable(r) })
		})}
}

func testTable(r newleaf.ConnectionTest) *table {
	t := newTable("endpoint", r.Endpoint)
	for _, c := range r.Capabilities {
		t.row("capability", c)
	}
	for _, c := range r.Certificates {
		t.row("certificate", c.Subject+" ("+string(c.Role)+")")
		t.row(" ", "SHA-1   "+pairs(c.SHA1))
		t.row(" ", "SHA-256 "+pairs(c.SHA256))
	}
	for _, f := range r.Findings {
		mark := "ok"
		if !f.OK {
			mark = "look"
		}
		t.row(mark, f.Text)
		if !f.OK && f.Hint != "" {
			t.row(" ", "hint: "+f.Hint)
		}
	}
	return t
}

func connectionRemoveCommand(a *app) *cobra.Command {
	return &cobra.Command{Use: "remove NAME", Short: "Remove a connection",
		Long: `Remove a connection. Certificates whose request names it cannot be updated until
they are given another one with "newleaf cert request set".`,
		Example: `  newleaf connection remove plant
  newleaf cert request set Xyz1 --connection default`,
		Args: arguments, ValidArgsFunction: a.connectionNames(1),
		RunE: a.with(func(ctx context.Context, dev newleaf.Device, args []string) error {
			if err := dev.RemoveConnection(ctx, args[0]); err != nil {
				return err
			}
			return a.done(map[string]any{"removed": args[0]}, "Connection %s is removed.", args[0])
		})}
}

func nameOr(args []string) string {
	if len(args) == 0 {
		return newleaf.DefaultConnection
	}
	return args[0]
}

func findConnection(rows []newleaf.ConnectionInfo, name string) (newleaf.ConnectionInfo, bool) {
	i := slices.IndexFunc(rows, func(c newleaf.ConnectionInfo) bool { return c.Name == name })
	if i < 0 {
		return newleaf.ConnectionInfo{}, false
	}
	return rows[i], true
}

func (a *app) printConnection(c newleaf.ConnectionInfo) error {
	err := a.print(c, func() *table {
		t := newTable("name", c.Name)
		listFields(t, c.Connection, connectionFields())
		t.row("endpoint", c.Endpoint)
		t.row("password stored", yes(c.PasswordStored))
		t.row("anchors confirmed", plainText(c.Anchors))
		return t
	})
	if c.Warning != "" {
		a.say("warning: %s", c.Warning)
	}
	return err
}
