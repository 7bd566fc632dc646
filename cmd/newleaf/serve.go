package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"newleaf"
	"newleaf/internal/host"
	"newleaf/internal/store"
)

// serveCommand is the agent itself.
func serveCommand(a *app) *cobra.Command {
	var listen, file, lab string
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Run the agent",
		Long: `Runs the agent: it serves the API on a socket in the state folder and over
HTTPS, and looks after the certificates until it is stopped. When both answer it
prints "ready https://ADDRESS" on standard output.

Without a certificate for the purpose tls, HTTPS shows a throw-away certificate.`,
		Example: `  newleaf serve --state /var/lib/newleaf --config /etc/newleaf.toml
  newleaf serve --state ./state --listen 127.0.0.1:8443`,
		Args: arguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := readConfig(file)
			if err != nil {
				return err
			}
			c.Listen = cmp.Or(listen, c.Listen, defaultListen)
			if c.Device == "" {
				c.Device, _ = os.Hostname()
			}
			return a.serve(cmd.Context(), c, lab)
		},
	}
	cmd.Flags().StringVar(&listen, "listen", "", "address and port of the HTTPS listener (default "+defaultListen+")")
	cmd.Flags().StringVar(&file, "config", "", "TOML file of the machine's owner")
	cmd.Flags().StringVar(&lab, "lab", "", "TOML file with a clock and a stop point, for a store provisioned for the lab")
	return cmd
}

const defaultListen = "0.0.0.0:8443"

// serve runs the station, anew after each restart that has no command of its own.
func (a *app) serve(ctx context.Context, c config, lab string) error {
	var ck clock = machineClock{trust: c.TrustClock}
	if lab != "" {
		if err := labStore(ctx, a.stateDir()); err != nil {
			return err
		}
		l, err := newLabClock(lab)
		if err != nil {
			return err
		}
		ck = l
	}
	said := false
	s := &station{dir: a.stateDir(), listen: c.Listen, config: c, clock: ck, log: func(text string) { a.say("newleaf: %s", text) },
		ready: func(s *station, _ newleaf.Device) {
			if said {
				a.say("restarted https://%s", s.address)
				return
			}
			said = true
			fmt.Fprintf(a.stdout, "ready https://%s\n", s.address)
		}}
	for {
		err := s.run(ctx)
		if !errors.Is(err, host.ErrReexec) || ctx.Err() != nil {
			return err
		}
	}
}

// labStore refuses a lab file for a store that people rely on.
func labStore(ctx context.Context, dir string) error {
	st, err := store.Open(dir)
	if err != nil {
		return err
	}
	lab := false
	err = st.Read(ctx, func(tx *store.Tx) error {
		_, err := tx.Document(store.DocLab, &lab)
		return err
	})
	if err == nil && !lab {
		err = newleaf.Errorf(newleaf.CodeLabOnly, "the store in %s was not provisioned for the lab", dir)
	}
	return errors.Join(err, st.Close())
}
