package agent

import (
	"context"
	"crypto"
	"fmt"
	"time"

	"newleaf"
	"newleaf/internal/keys"
	"newleaf/internal/store"
)

// Provision is what a device is shipped with.
type Provision struct {
	Lab          bool
	Settings     newleaf.Settings
	Connections  []newleaf.Connection
	Reservation  newleaf.Reservation
	Deletion     newleaf.DeletionPolicy
	Anchors      []newleaf.Anchor
	Certificates []Provisioned
	Now          time.Time
	Kinds        newleaf.Kinds
}

// Provisioned is a certificate of the factory, or in the lab of any origin.
// Expired and not yet valid ones are accepted.
type Provisioned struct {
	newleaf.Certificate
	Key      crypto.Signer
	Purposes []newleaf.Purpose
}

// Fill fills an empty store, all of it or nothing.
func (p Provision) Fill(ctx context.Context, st *store.Store, vault *keys.Vault) error {
	if err := p.validate(); err != nil {
		return err
	}
	return st.Write(ctx, func(tx *store.Tx) error {
		if err := empty(tx); err != nil {
			return err
		}
		for key, doc := range map[string]any{store.DocLab: p.Lab, store.DocSettings: p.Settings, store.DocReservation: p.Reservation, store.DocDeletion: p.Deletion} {
			if err := tx.PutDocument(key, doc); err != nil {
				return err
			}
		}
		for _, c := range p.Connections {
			if err := tx.PutConnection(c); err != nil {
				return err
			}
		}
		for _, n := range p.Anchors {
			if err := tx.PutAnchor(n); err != nil {
				return err
			}
		}
		for _, c := range p.Certificates {
			if err := p.put(tx, vault, c); err != nil {
				return err
			}
		}
		if err := p.note(tx, newleaf.Event{Kind: newleaf.EventProvisioned, Text: fmt.Sprintf("the store was provisioned with %d certificates", len(p.Certificates))}); err != nil {
			return err
		}
		if p.Lab {
			return p.note(tx, newleaf.Event{Kind: newleaf.EventLab, Text: "this store is provisioned for the lab: clock and stop points may be set from outside"})
		}
		return nil
	})
}

// empty refuses a store that has been used (DM-30: the factory mark cannot be set
// later).
func empty(tx *store.Tx) error {
	n, _, err := tx.Usage()
	if err != nil {
		return err
	}
	_, events, _, _, err := tx.JournalHead()
	if err != nil {
		return err
	}
	if n > 0 || events > 0 {
		return newleaf.Errorf(newleaf.CodeConflict, "the store is not empty").WithHint("Only a store that no agent has used yet can be provisioned.")
	}
	return nil
}

func (p Provision) validate() error {
	if err := p.Settings.Validate(len(p.Certificates), p.Kinds); err != nil {
		return err
	}
	if err := p.Deletion.Validate(p.Settings.Capacity); err != nil {
		return err
	}
	now := p.Now
	if p.Lab {
		now = time.Time{} // whatever the lab's clock will show
	}
	if err := p.Reservation.Validate(now); err != nil {
		return err
	}
	for _, c := range p.Connections {
		if err := c.Validate(); err != nil {
			return err
		}
	}
	for _, c := range p.Certificates {
		if c.Origin != newleaf.Factory && !p.Lab {
			return newleaf.Errorf(newleaf.CodeLabOnly, "certificate %q has origin %s, a shipped device only knows factory", c.Name, c.Origin)
		}
		if err := newleaf.ValidName(c.Name); err != nil {
			return err
		}
		if err := p.Kinds.Check(c.Purposes); err != nil {
			return err
		}
	}
	return nil
}

func (p Provision) put(tx *store.Tx, vault *keys.Vault, c Provisioned) error {
	sealed, err := vault.Seal(c.Key, c.Exportable)
	if err != nil {
		return fmt.Errorf("sealing the key of %q: %w", c.Name, err)
	}
	c.ID, c.KeyID, c.Verified = newleaf.IDOf(c.DER), sealed.ID, true
	if c.Added.IsZero() {
		c.Added = p.Now
	}
	if err := tx.PutKey(store.Key(sealed)); err != nil {
		return err
	}
	if err := tx.AddCertificate(c.Certificate); err != nil {
		return err
	}
	bindings, err := tx.Bindings()
	if err != nil {
		return err
	}
	for _, purpose := range c.Purposes {
		b := bindings.Of(purpose)
		if b.Current != "" {
			return newleaf.Errorf(newleaf.CodeInvalid, "purpose %q is given to two certificates", purpose)
		}
		b.Current, b.Loaded, b.Since = c.ID, c.ID, c.Added.UTC()
		if err := tx.PutBinding(b); err != nil {
			return err
		}
	}
	return p.note(tx, newleaf.Event{Kind: newleaf.EventProvisioned, Certificate: c.ID, Text: fmt.Sprintf("certificate %q was provisioned (%s)", c.Name, c.Origin)})
}

func (p Provision) note(tx *store.Tx, e newleaf.Event) error {
	e.At, e.By = p.Now, "provision"
	_, err := tx.Append(e)
	return err
}
