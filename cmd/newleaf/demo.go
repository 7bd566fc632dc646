//go:build !device

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"newleaf"
)

func demoCommand(a *app) *cobra.Command {
	var once bool
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "Show the whole story on this machine",
		Long: `Starts a lab authority and a device on this machine, provisioned like a shipped
one: a factory certificate serves TLS, an old and an expired certificate fill the
store. The device then gets a certificate by SCEP, puts it to use, proves that by
a TLS handshake, and deletes what has become unnecessary - and goes on doing so
with certificates that live for minutes, until it is stopped.

With --once it runs through the story without waiting and succeeds only if every
claim was verified.`,
		Example: `  newleaf demo
  newleaf demo --once -o json`,
		Args: arguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			dir, err := os.MkdirTemp("", "newleaf-demo-")
			if err != nil {
				return newleaf.Errorf(newleaf.CodeDiskFull, "making a folder for the demo: %w", err)
			}
			defer os.RemoveAll(dir)
			if once {
				return a.demoOnce(cmd.Context(), dir)
			}
			return a.demoShow(cmd.Context(), dir)
		},
	}
	cmd.Flags().BoolVar(&once, "once", false, "run through the story without waiting and verify every claim")
	return cmd
}

// demoOnce tells the story and prints the result; a claim that does not hold is
// an error.
func (a *app) demoOnce(ctx context.Context, dir string) error {
	var s *story
	err := a.inLab(ctx, dir, 90*24*time.Hour, func(ctx context.Context, l *lab) error {
		s = &story{lab: l, say: a.say}
		return s.tell(ctx)
	})
	if s != nil {
		err = errors.Join(a.print(s.result(), s.table), err)
	}
	return err
}

// demoShow runs until it is stopped and shows what happens.
func (a *app) demoShow(ctx context.Context, dir string) error {
	const life = 2 * time.Minute
	return a.inLab(ctx, dir, life, func(ctx context.Context, l *lab) error {
		if err := l.begin(ctx); err != nil {
			return err
		}
		fmt.Fprintf(a.stdout, demoText, l.station.address, l.authority, formatDuration(life), l.station.dir)
		return l.device.Follow(ctx, 0, func(e newleaf.Event) error {
			a.say("%s  %-16s %s", e.At.Local().Format("15:04:05"), e.Kind, e.Text)
			return nil
		})
	})
}

const demoText = `
  device     https://%s   (ask for its certificate: openssl s_client -connect ...)
  authority  %s

Certificates live for %s. Watch below: before the end of each one the device gets
the next, serves it, sees it served, and deletes the one before.

Try, in another terminal, with --state %s:
  newleaf status          newleaf cert list         newleaf deletion plan --for tls
  newleaf update run      newleaf cert pin web      newleaf events

Stop with Ctrl-C; everything of the demo is then removed.

`

// inLab runs do beside an authority and a device, and ends both after it.
func (a *app) inLab(ctx context.Context, dir string, life time.Duration, do func(context.Context, *lab) error) error {
	l, err := newLab(ctx, dir, life)
	if err != nil {
		return err
	}
	defer l.close()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	group, gctx := errgroup.WithContext(ctx)
	group.Go(func() error { return l.serveAuthority(gctx) })
	group.Go(func() error { return l.station.run(gctx) })
	group.Go(func() error {
		defer cancel()
		select {
		case <-l.ready:
			return do(gctx, l)
		case <-gctx.Done():
			return nil
		}
	})
	if err := group.Wait(); !errors.Is(err, context.Canceled) {
		return err
	}
	return nil
}
