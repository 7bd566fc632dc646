package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sync/errgroup"

	"newleaf"
	"newleaf/internal/agent"
	"newleaf/internal/api"
	"newleaf/internal/deploy/self"
	"newleaf/internal/enroll"
	"newleaf/internal/host"
	"newleaf/internal/keys"
	"newleaf/internal/scep"
	"newleaf/internal/store"
	"newleaf/internal/web"
)

// station is one run of the agent with everything around it: the state, the two
// listeners and the clock it goes by.
type station struct {
	dir, listen string
	config      config
	clock       clock
	log         func(string)
	ready       func(s *station, d newleaf.Device) // called once both listeners answer

	address string // of the HTTPS listener, with its port
}

// clock is where the time comes from: the machine, or the lab.
type clock interface {
	now() time.Time
	reading() newleaf.ClockReading
	stop(point string)
	watch(ctx context.Context, wake func()) error // until ctx ends
}

// run serves until ctx ends, or until the device is to restart (host.ErrReexec).
func (s *station) run(ctx context.Context) (err error) {
	st, vault, err := openState(s.dir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, st.Close()) }()
	ln, err := net.Listen("tcp", s.listen)
	if err != nil {
		return newleaf.Errorf(newleaf.CodeInvalid, "the address %s cannot be listened on: %w", s.listen, err).
			WithHint("Choose another with --listen, or stop the program that has it.")
	}
	defer ln.Close()
	s.listen, s.address = ln.Addr().String(), reachable(ln.Addr().String())
	socket, err := web.ListenSocket(filepath.Join(s.dir, "agent.sock"))
	if err != nil {
		return err
	}
	defer socket.Close()
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	live, err := web.NewLive(s.clock.now, names(s.address)...)
	if err != nil {
		return err
	}
	a, err := s.agent(ctx, cancel, st, vault, live)
	if err != nil {
		return err
	}
	handler := api.Handler(a)
	group, gctx := errgroup.WithContext(ctx)
	group.Go(func() error {
		return web.Serve(gctx, tls.NewListener(ln, live.Config()), web.Network(handler, web.Greeting(s.config.Device), a, s.clock.now))
	})
	group.Go(func() error { return web.ServeSocket(gctx, socket, handler) })
	group.Go(func() error { return a.Run(gctx) })
	group.Go(func() error { return s.clock.watch(gctx, a.Wake) })
	s.ready(s, a)
	host.Ready()
	err = group.Wait()
	host.Stopping()
	if errors.Is(context.Cause(ctx), host.ErrReexec) {
		return host.ErrReexec
	}
	return err
}

// agent puts the device together.
func (s *station) agent(ctx context.Context, cancel context.CancelCauseFunc, st *store.Store, vault *keys.Vault, live *web.Live) (*agent.Agent, error) {
	kinds, err := s.config.kinds()
	if err != nil {
		return nil, err
	}
	targets, err := s.config.targets(kinds, s.dir)
	if err != nil {
		return nil, err
	}
	address := func() string { return s.address }
	targets[newleaf.TLS] = &self.Target{Live: live, Address: address, Now: s.clock.now}
	return agent.New(ctx, agent.Options{
		Store: st, Vault: vault, Kinds: kinds, Targets: targets,
		Dial: func(c newleaf.Connection) (enroll.Client, error) {
			return scep.NewClient(c, scep.Options{Now: s.clock.now})
		},
		Now: s.clock.now, Clock: s.clock.reading, Stop: s.clock.stop,
		Restart: func(ctx context.Context) error {
			err := host.Restart(ctx, s.config.Restart)
			if errors.Is(err, host.ErrReexec) {
				cancel(host.ErrReexec)
				return nil
			}
			return err
		},
		Export: s.config.AllowExport, Address: func() string { return "https://" + s.address }, Version: buildInfo().Version, Log: s.log,
	})
}

// openState opens the store and the vault whose generation it names.
func openState(dir string) (*store.Store, *keys.Vault, error) {
	st, err := store.Open(dir)
	if err != nil {
		return nil, nil, err
	}
	ctx := context.Background()
	var generation uint64
	err = st.Read(ctx, func(tx *store.Tx) error {
		_, err := tx.Document(store.DocGeneration, &generation)
		return err
	})
	var vault *keys.Vault
	if err == nil {
		vault, err = keys.OpenVault(filepath.Join(dir, "kek"), generation)
	}
	if err == nil && generation != vault.Generation() {
		err = st.Write(ctx, func(tx *store.Tx) error { return tx.PutDocument(store.DocGeneration, vault.Generation()) })
	}
	if err != nil {
		return nil, nil, errors.Join(stateError(dir, err), st.Close())
	}
	return st, vault, nil
}

func stateError(dir string, err error) error {
	if errors.Is(err, keys.ErrKeyFile) {
		return newleaf.Errorf(newleaf.CodeDamaged, "the private keys in %s cannot be opened: %w", dir, err).
			WithHint("Store and key file belong together: put back both from the same backup.")
	}
	return err
}

// reachable is the address at which the device itself reaches its listener.
func reachable(listen string) string {
	ap, err := netip.ParseAddrPort(listen)
	if err != nil || !ap.Addr().IsUnspecified() {
		return listen
	}
	if ap.Addr().Is6() {
		return fmt.Sprintf("[::1]:%d", ap.Port())
	}
	return fmt.Sprintf("127.0.0.1:%d", ap.Port())
}

// names are what the throw-away certificate is made out for.
func names(address string) []string {
	out := []string{"localhost"}
	if h, err := os.Hostname(); err == nil {
		out = append(out, h)
	}
	if ap, err := netip.ParseAddrPort(address); err == nil {
		out = append(out, ap.Addr().String())
	}
	return out
}
