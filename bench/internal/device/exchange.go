package device

import (
	"context"
	"crypto/rsa"
	"errors"
	"fmt"
	"time"

	"newleaf"
	"newleaf/internal/keys"
	"newleaf/internal/store"
)

// Exchanger does again and again what the end of a renewal asks of the store.
type Exchanger struct {
	store *store.Store
	pool  []entry
	n     int
}

type entry struct {
	newleaf.Certificate
	key store.Key
}

// Exchange opens the store in dir for this. A certificate is made for each key
// ahead of time.
func Exchange(ctx context.Context, dir string, pool []*rsa.PrivateKey) (*Exchanger, error) {
	st, vault, err := open(ctx, dir)
	if err != nil {
		return nil, err
	}
	x := &Exchanger{store: st}
	for i, key := range pool {
		e, err := newEntry(vault, key, i)
		if err != nil {
			return nil, errors.Join(err, st.Close())
		}
		x.pool = append(x.pool, e)
	}
	return x, st.Write(ctx, func(tx *store.Tx) error { return x.add(tx, x.pool[0]) })
}

func newEntry(vault *keys.Vault, key *rsa.PrivateKey, i int) (e entry, err error) {
	sealed, err := vault.Seal(key, false)
	if err != nil {
		return e, err
	}
	e.key = store.Key(sealed)
	e.key.ID = fmt.Sprintf("%s-%d", sealed.ID, i) // Fill has used some of the keys
	now := time.Now()
	if e.DER, err = former(key, int64(1000+i), now); err != nil {
		return e, err
	}
	q := Issue(fmt.Sprint("web ", i), "").Request
	e.ID, e.Name, e.KeyID, e.Origin, e.State, e.Added, e.Request = newleaf.IDOf(e.DER), q.Name, e.key.ID, newleaf.Enrolled, newleaf.StateHeld, now, &q
	e.Connection, e.Verified = q.Connection, true
	return e, nil
}

func (x *Exchanger) add(tx *store.Tx, e entry) error {
	if err := tx.PutKey(e.key); err != nil {
		return err
	}
	return tx.AddCertificate(e.Certificate)
}

// Do adds the next certificate with its key, gives it the purpose of the one
// before, deletes that with its key, and tells the journal: one transaction,
// durable on return.
func (x *Exchanger) Do(ctx context.Context) error {
	old, fresh := x.pool[x.n%len(x.pool)], x.pool[(x.n+1)%len(x.pool)]
	x.n++
	return x.store.Write(ctx, func(tx *store.Tx) error {
		if err := x.add(tx, fresh); err != nil {
			return err
		}
		if err := tx.PutBinding(newleaf.Binding{Purpose: newleaf.TLS, Current: fresh.ID, Loaded: fresh.ID}); err != nil {
			return err
		}
		if err := tx.DeleteCertificate(old.ID); err != nil {
			return err
		}
		if err := tx.DeleteKey(old.KeyID); err != nil {
			return err
		}
		_, err := tx.Append(newleaf.Event{At: fresh.Added, Kind: newleaf.EventDeleted, Certificate: old.ID, Text: "replaced"})
		return err
	})
}

// Close closes the store.
func (x *Exchanger) Close() error { return x.store.Close() }
