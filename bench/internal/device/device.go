// Package device is a device to measure: its state as after years of use, and
// the agent on it in this process, put together as "newleaf serve" does it.
package device

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"path/filepath"
	"time"

	"newleaf"
	"newleaf/internal/agent"
	"newleaf/internal/deploy"
	"newleaf/internal/deploy/self"
	"newleaf/internal/enroll"
	"newleaf/internal/keys"
	"newleaf/internal/scep"
	"newleaf/internal/store"
	"newleaf/internal/web"
)

// Device is an agent that runs, with its HTTPS listener.
type Device struct {
	*agent.Agent
	Address string // of the listener

	store *store.Store
	stop  context.CancelFunc
	ended chan error // of the agent, then of the listener
}

// Options say what is watched. Dial may be nil.
type Options struct {
	Meter *Meter
	Dial  func(newleaf.Connection) (enroll.Client, error)
}

// Start starts the agent on the state in dir.
func Start(ctx context.Context, dir string, o Options) (*Device, error) {
	st, vault, err := open(ctx, dir)
	if err != nil {
		return nil, err
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, errors.Join(err, st.Close())
	}
	live, err := web.NewLive(time.Now, "localhost")
	if err != nil {
		return nil, errors.Join(err, st.Close())
	}
	d := &Device{Address: ln.Addr().String(), store: st, ended: make(chan error, 2)}
	if o.Dial == nil {
		o.Dial = func(c newleaf.Connection) (enroll.Client, error) {
			return scep.NewClient(c, scep.Options{Now: time.Now})
		}
	}
	address := func() string { return d.Address }
	began := time.Now()
	d.Agent, err = agent.New(ctx, agent.Options{
		Store: st, Vault: vault, Kinds: newleaf.BuiltinKinds(), Dial: o.Dial, Now: o.Meter.Now, Stop: o.Meter.point,
		Targets: map[newleaf.Purpose]deploy.Target{newleaf.TLS: &self.Target{Live: live, Address: address, Now: time.Now}},
		Clock: func() newleaf.ClockReading {
			return newleaf.ClockReading{Now: time.Now(), Build: began.AddDate(0, -1, 0), Elapsed: time.Since(began), Synchronized: true}
		},
		Restart: func(context.Context) error { return errors.New("a device to measure does not restart") },
		Address: address, Version: "bench", Log: func(string) {},
	})
	if err != nil {
		return nil, errors.Join(err, st.Close())
	}
	ctx, d.stop = context.WithCancel(ctx)
	go func() { d.ended <- d.Run(ctx) }()
	go func() {
		d.ended <- web.Serve(ctx, tls.NewListener(ln, live.Config()), http.NotFoundHandler())
	}()
	return d, nil
}

// Close stops the device.
func (d *Device) Close() error {
	d.stop()
	return errors.Join(<-d.ended, <-d.ended, d.store.Close())
}

// open opens the store and the vault whose generation it names.
func open(ctx context.Context, dir string) (*store.Store, *keys.Vault, error) {
	st, err := store.Open(dir)
	if err != nil {
		return nil, nil, err
	}
	var vault *keys.Vault
	err = st.Write(ctx, func(tx *store.Tx) error {
		var generation uint64
		if _, err := tx.Document(store.DocGeneration, &generation); err != nil {
			return err
		}
		var err error
		if vault, err = keys.OpenVault(filepath.Join(dir, "kek"), generation); err != nil {
			return err
		}
		return tx.PutDocument(store.DocGeneration, vault.Generation())
	})
	if err != nil {
		return nil, nil, errors.Join(err, st.Close())
	}
	return st, vault, nil
}
