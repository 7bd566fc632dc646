// Package agent is the Device: it carries out renewals, keeps what it knows in
// the store and nowhere else, and ties the decisions of the root package to the
// authority, the targets and the machine.
//
// Read renewal.go first: it is the way of a certificate from wish to deletion.
package agent

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"newleaf"
	"newleaf/internal/deploy"
	"newleaf/internal/enroll"
	"newleaf/internal/keys"
	"newleaf/internal/store"
)

// Options are what the agent is made of. Everything is needed unless it says
// otherwise.
type Options struct {
	Store   *store.Store
	Vault   *keys.Vault
	Kinds   newleaf.Kinds
	Targets map[newleaf.Purpose]deploy.Target // by purpose; none: use is assumed
	Dial    func(newleaf.Connection) (enroll.Client, error)
	Now     func() time.Time
	Clock   func() newleaf.ClockReading // raw reading; the agent adds what it remembers
	Stop    func(point string)          // called at every point of a walk; kills in the lab. May be nil
	Restart func(context.Context) error // restarts the device
	Export  bool                        // private keys made exportable may be exported
	Address func() string               // of the HTTPS listener, for the status
	Version string
	Log     func(string) // what cannot go to the journal
}

// Agent implements newleaf.Device. Its methods may be called concurrently;
// renewals are carried out by Run alone, one at a time.
type Agent struct {
	Options
	device  string        // random name of this store, seed of jitter
	kick    chan struct{} // wakes Run
	clock   clock
	mu      sync.Mutex              // one destruction at a time: the vault has two slots
	current atomic.Pointer[walking] // the walk under way; set and read inside transactions
	targets sync.Mutex              // calls of targets never overlap

	resumed atomic.Bool // Run has looked at everything once since the start
	broken  atomic.Bool // the store does not know what it holds: only a new start can tell

	unretained atomic.Bool // a target still has files that it should have forgotten
}

var _ newleaf.Device = (*Agent)(nil)

// New opens the device and loads, as at the start of a device, the certificate
// of every purpose into its target (PUR-09).
func New(ctx context.Context, o Options) (*Agent, error) {
	if o.Stop == nil {
		o.Stop = func(string) {}
	}
	a := &Agent{Options: o, kick: make(chan struct{}, 1)}
	err := o.Store.Write(ctx, func(tx *store.Tx) error {
		found, err := tx.Document(store.DocDevice, &a.device)
		if err == nil && !found {
			var b [8]byte
			_, _ = rand.Read(b[:]) // never fails
			a.device = hex.EncodeToString(b[:])
			err = tx.PutDocument(store.DocDevice, a.device)
		}
		if err != nil {
			return err
		}
		if err := a.clock.load(tx); err != nil {
			return err
		}
		return a.note(tx, newleaf.Event{Kind: newleaf.EventStarted, Text: "newleaf " + o.Version + " started"})
	})
	if err != nil {
		return nil, err
	}
	a.readClock(ctx)
	if err := a.load(ctx); err != nil {
		return nil, err
	}
	a.retain(ctx)
	return a, nil
}

// walking is the renewal that Run is at. Its row belongs to the walk alone.
type walking struct {
	id   int64
	ctx  context.Context // ends when a person cancels it
	stop context.CancelFunc
}

// Run carries out what is due until ctx ends or the device is to restart. It
// looks at the wall clock at least every 60 s (F19-G1), as no timer notices that
// the clock was set or the machine slept.
func (a *Agent) Run(ctx context.Context) error {
	for {
		next, err := a.tick(ctx)
		if a.broken.Load() {
			return newleaf.Errorf(newleaf.CodeInternal, "the disk did not say whether the last change was stored: %w", errors.Join(err, store.ErrUncertain)).
				WithHint("Start newleaf again; it finds out by itself.")
		}
		if err != nil && ctx.Err() == nil {
			a.Log("looking after the certificates: " + err.Error()) // a full disk passes; the next look goes on
			next = a.Now().Add(10 * time.Second)
		}
		wait := time.NewTimer(min(max(next.Sub(a.Now()), 10*time.Millisecond), time.Minute))
		select {
		case <-ctx.Done():
			wait.Stop()
			a.farewell()
			return nil
		case <-a.kick:
			wait.Stop()
		case <-wait.C:
		}
	}
}

// Wake makes Run look again at once.
func (a *Agent) Wake() {
	select {
	case a.kick <- struct{}{}:
	default:
	}
}

// farewell writes what is worth remembering; failing to is no reason to hang.
func (a *Agent) farewell() {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	_ = a.Store.Write(ctx, func(tx *store.Tx) error {
		if err := a.clock.save(tx, a.Now()); err != nil {
			return err
		}
		return a.note(tx, newleaf.Event{Kind: newleaf.EventStopped, Text: "newleaf stopped"})
	})
}

// note appends an event; who asked comes from the event or is the agent.
func (a *Agent) note(tx *store.Tx, e newleaf.Event) error {
	e.At, e.Text = a.Now(), cut(e.Text, longestText)
	for k, v := range e.Data { // an authority must not be able to flush the journal
		e.Data[k] = cut(v, longestData)
	}
	if e.By == "" {
		e.By = "agent"
	}
	_, err := tx.Append(e)
	return err
}

// Bounds of one event, in bytes.
const (
	longestText = 2 << 10
	longestData = 16 << 10
)

func cut(s string, most int) string {
	if len(s) <= most {
		return s
	}
	return strings.ToValidUTF8(s[:most], "") + " ..."
}
