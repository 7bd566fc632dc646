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
	"sync"
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

// Device is an agent that runs.
type Device struct {
	*agent.Agent
	Address string // of its HTTPS listener, "" if it has none

	store   *store.Store
	stop    context.CancelFunc
	running sync.WaitGroup
}

// Options say what is watched, and what the device is without.
type Options struct {
	Meter *Meter
	Dial  func(newleaf.Connection) (enroll.Client, error) // nil: SCEP over the network
	Deaf  bool                                            // no listener: that its certificate is in use is assumed
}

// Start starts the agent on the state in dir.
func Start(ctx context.Context, dir string, o Options) (*Device, error) {
	if o.Dial == nil {
		o.Dial = func(c newleaf.Connection) (enroll.Client, error) {
			return scep.NewClient(c, scep.Options{Now: time.Now})
		}
	}
	st, vault, err := open(ctx, dir)
	if err != nil {
		return nil, err
	}
	d := &Device{store: st}
	began := time.Now()
	options := agent.Options{
		Store: st, Vault: vault, Kinds: newleaf.BuiltinKinds(), Dial: o.Dial, Now: o.Meter.Now, Stop: o.Meter.point,
		Clock: func() newleaf.ClockReading {
			return newleaf.ClockReading{Now: time.Now(), Build: began.AddDate(0, -1, 0), Elapsed: time.Since(began), Synchronized: true}
		},
		Restart: func(context.Context) error { return errors.New("a device to measure does not restart") },
		Address: func() string { return d.Address }, Version: "bench", Log: func(string) {},
	}
	ctx, d.stop = context.WithCancel(ctx)
	if !o.Deaf {
		err = d.listen(ctx, &options)
	}
	if err == nil {
		d.Agent, err = agent.New(ctx, options)
	}
	if err != nil {
		return nil, errors.Join(err, d.Close())
	}
	d.running.Go(func() { _ = d.Run(ctx) }) // it ends with ctx; a walk that fails is told by its renewal
	return d, nil
}

// listen makes the listener the user of the certificate for TLS.
func (d *Device) listen(ctx context.Context, o *agent.Options) error {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	live, err := web.NewLive(time.Now, "localhost")
	if err != nil {
		return errors.Join(err, ln.Close())
	}
	d.Address = ln.Addr().String()
	o.Targets = map[newleaf.Purpose]deploy.Target{newleaf.TLS: &self.Target{Live: live, Address: o.Address, Now: time.Now}}
	d.running.Go(func() { _ = web.Serve(ctx, tls.NewListener(ln, live.Config()), http.NotFoundHandler()) }) // it ends with ctx
	return nil
}

// Close stops the device.
func (d *Device) Close() error {
	d.stop()
	d.running.Wait()
	return d.store.Close()
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
