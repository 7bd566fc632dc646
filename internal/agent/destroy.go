package agent

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"newleaf"
	"newleaf/internal/keys"
	"newleaf/internal/store"
)

// destroy makes change and destroys the private keys and secrets that it deletes:
// the survivors are re-wrapped under a new key-encryption key in the same
// transaction, then the old one is overwritten (contract, "Key destruction").
func (a *Agent) destroy(ctx context.Context, change func(*store.Tx) error) (err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	rotation, err := a.Vault.Begin()
	if err != nil {
		return newleaf.Errorf(newleaf.CodeDiskFull, "preparing to destroy a key: %w", err)
	}
	settled := false
	defer func() {
		if !settled { // also when change panics: the next destruction needs the slot
			err = errors.Join(err, rotation.Abort())
		}
	}()
	a.Stop("destroy.begun")
	err = a.Store.Write(ctx, func(tx *store.Tx) error {
		if err := change(tx); err != nil {
			return err
		}
		if err := rewrap(tx, rotation); err != nil {
			return err
		}
		return tx.PutDocument(store.DocGeneration, rotation.Generation())
	})
	if errors.Is(err, store.ErrUncertain) {
		// Whether the keys are wrapped by the old or the new generation shows only
		// when the store is opened again: touch neither, and stop.
		settled = true
		a.broken.Store(true)
		a.Wake()
		return err
	}
	if err != nil {
		return err
	}
	settled = true
	a.Stop("destroy.committed")
	if err := rotation.Commit(); err != nil {
		a.Log("overwriting the old key-encryption key: " + err.Error()) // done: the next destruction or start overwrites it
	}
	a.Stop("destroy.overwritten")
	return nil
}

// seal makes a change that seals a key or secret. No destruction may come between
// the sealing and its commit, or what was sealed could never be opened again.
func (a *Agent) seal(ctx context.Context, change func(*store.Tx) error) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.Store.Write(ctx, change)
}

func rewrap(tx *store.Tx, rotation *keys.Rotation) error {
	sealed, err := tx.Keys()
	if err != nil {
		return err
	}
	for _, k := range sealed {
		fresh, err := rotation.Rewrap(keys.Sealed(k))
		if lost(err) {
			continue
		}
		if err != nil {
			return fmt.Errorf("wrapping key %s anew: %w", k.ID, err)
		}
		if err := tx.PutKey(store.Key(fresh)); err != nil {
			return err
		}
	}
	secrets, err := tx.Secrets()
	if err != nil {
		return err
	}
	for name, k := range secrets {
		fresh, err := rotation.Rewrap(keys.Sealed(k))
		if lost(err) {
			continue
		}
		if err != nil {
			return fmt.Errorf("wrapping secret %s anew: %w", name, err)
		}
		if err := tx.PutSecret(name, store.Key(fresh)); err != nil {
			return err
		}
	}
	return nil
}

// lost reports a row that nobody can open any more; one damaged entry never stops
// the others.
func lost(err error) bool {
	return errors.Is(err, keys.ErrDamaged) || errors.Is(err, keys.ErrDestroyed)
}

// removeCertificate deletes the entry of c within destroy, and its key unless
// another certificate shares it (DLS-32), and tells the journal.
func (a *Agent) removeCertificate(tx *store.Tx, c newleaf.Certificate, e newleaf.Event) error {
	if err := tx.DeleteCertificate(c.ID); err != nil {
		return err
	}
	users, err := tx.KeyUsers(c.KeyID)
	if err != nil {
		return err
	}
	if len(users) == 0 && c.KeyID != "" {
		if err := tx.DeleteKey(c.KeyID); err != nil {
			return err
		}
	}
	if err := errors.Join(tx.DeleteOwed(c.ID), a.unselect(tx, c)); err != nil {
		return err
	}
	e.Kind, e.Certificate = newleaf.EventDeleted, c.ID
	data := a.facts(c.DER)
	for k, v := range e.Data {
		data[k] = v
	}
	data["name"], data["origin"] = c.Name, string(c.Origin)
	e.Data = data
	return a.note(tx, e)
}

// unselect takes c out of the reservation's selection.
func (a *Agent) unselect(tx *store.Tx, c newleaf.Certificate) error {
	res, err := reservation(tx)
	i := slices.Index(res.Only, c.ID)
	if err != nil || i < 0 {
		return err
	}
	if len(res.Only) == 1 { // an empty selection would mean all
		return a.note(tx, newleaf.Event{Kind: newleaf.EventAlarm, Text: fmt.Sprintf("%q was the only certificate that the update reservation names: nothing is updated any more", c.Name)})
	}
	res.Only = slices.Delete(res.Only, i, i+1)
	return tx.PutDocument(store.DocReservation, res)
}
