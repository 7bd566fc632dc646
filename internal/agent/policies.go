package agent

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"time"

	"newleaf"
	"newleaf/internal/store"
)

// Reservation returns the update reservation with its effect.
func (a *Agent) Reservation(ctx context.Context) (i newleaf.ReservationInfo, err error) {
	err = a.Store.Read(ctx, func(tx *store.Tx) error {
		res, err := reservation(tx)
		if err != nil {
			return err
		}
		i, err = a.reservationInfo(tx, res)
		return err
	})
	return i, err
}

func (a *Agent) reservationInfo(tx *store.Tx, res newleaf.Reservation) (newleaf.ReservationInfo, error) {
	i := newleaf.ReservationInfo{Reservation: res, Next: []newleaf.Planned{}}
	if i.Only == nil {
		i.Only = []newleaf.ID{}
	}
	s, err := a.snapshot(tx)
	hs := held(s)
	for _, d := range res.Next(hs, s.Now) {
		i.Next = append(i.Next, newleaf.Planned{At: d.At, Cause: d.Cause, Certificates: []newleaf.ID{d.ID}})
	}
	i.Warnings = res.Warnings(hs)
	return i, err
}

// SetReservation saves it; a bad one changes nothing (RSV-18).
func (a *Agent) SetReservation(ctx context.Context, r newleaf.Reservation) (i newleaf.ReservationInfo, err error) {
	err = a.Store.Write(ctx, func(tx *store.Tx) error {
		old, err := reservation(tx)
		if err != nil {
			return err
		}
		if r.Zone == "" {
			set, err := settings(tx)
			if err != nil {
				return err
			}
			r.Zone = set.Zone
		}
		r = r.SavedOver(old, a.Now().UTC())
		if err := r.Validate(a.Now()); err != nil {
			return err
		}
		if r.Only, err = known(tx, r.Only); err != nil {
			return err
		}
		if err := a.saveDocument(ctx, tx, store.DocReservation, old, r, "the update reservation"); err != nil {
			return err
		}
		i, err = a.reservationInfo(tx, r)
		return err
	})
	a.Wake()
	return i, err
}

// known turns references to certificates into their IDs.
func known(tx *store.Tx, refs []newleaf.ID) ([]newleaf.ID, error) {
	out := []newleaf.ID{}
	for _, ref := range refs {
		c, err := tx.Certificate(string(ref))
		if err != nil {
			return nil, err
		}
		out = append(out, c.ID)
	}
	return out, nil
}

// PlanReservation lists the coming updates (contract, "reservation plan").
func (a *Agent) PlanReservation(ctx context.Context, q newleaf.ForecastQuery) (out []newleaf.Planned, err error) {
	if q.Count < 1 || q.Count > 10000 {
		return nil, newleaf.Errorf(newleaf.CodeInvalid, "the count %d is not between 1 and 10000", q.Count)
	}
	err = a.Store.Read(ctx, func(tx *store.Tx) error {
		res, err := reservation(tx)
		if err != nil {
			return err
		}
		from := q.From
		if from.IsZero() {
			from = a.Now()
		}
		if q.Unsaved != nil {
			res = q.Unsaved.SavedOver(res, from.UTC())
			if err := res.Validate(time.Time{}); err != nil { // a date that has passed would fire at once
				return err
			}
		}
		s, err := a.snapshot(tx)
		if err != nil {
			return err
		}
		hs := held(s)
		if !q.AfterSuccess.IsZero() {
			if q.AfterSuccess.After(from) {
				from = q.AfterSuccess
			}
			for i := range hs {
				hs[i] = hs[i].Renewed(q.AfterSuccess)
			}
		}
		out = res.Forecast(hs, from, q.Count)
		return nil
	})
	return out, err
}

// Deletion returns the deletion policy with its effect.
func (a *Agent) Deletion(ctx context.Context) (i newleaf.DeletionInfo, err error) {
	err = a.Store.Read(ctx, func(tx *store.Tx) error {
		p, err := deletion(tx)
		if err != nil {
			return err
		}
		i, err = a.deletionInfo(tx, p)
		return err
	})
	return i, err
}

func (a *Agent) deletionInfo(tx *store.Tx, p newleaf.DeletionPolicy) (newleaf.DeletionInfo, error) {
	i := newleaf.DeletionInfo{DeletionPolicy: p, Owed: []newleaf.ID{}, Warnings: p.Warnings()}
	set, err := settings(tx)
	if err != nil {
		return i, err
	}
	i.Capacity = set.Capacity
	if p.Auto && p.Free > 0 && set.Quota == 0 {
		i.Warnings = append(i.Warnings, "A limit of free space is set, but no quota: space is never short, so nothing is deleted for it.")
	}
	if i.Stored, _, err = tx.Usage(); err != nil {
		return i, err
	}
	owed, err := tx.Owed()
	for _, o := range owed {
		i.Owed = append(i.Owed, o.Certificate)
	}
	return i, err
}

// SetDeletion saves the policy. A looser one never reaches into a run under way:
// the stricter of both counts (INV-10).
func (a *Agent) SetDeletion(ctx context.Context, p newleaf.DeletionPolicy) (i newleaf.DeletionInfo, err error) {
	if p.Rules == nil {
		p.Rules = []newleaf.Rule{}
	}
	err = a.Store.Write(ctx, func(tx *store.Tx) error {
		set, err := settings(tx)
		if err != nil {
			return err
		}
		if err := p.Validate(set.Capacity); err != nil {
			return err
		}
		old, err := deletion(tx)
		if err != nil {
			return err
		}
		if err := a.saveDocument(ctx, tx, store.DocDeletion, old, p, "automatic deletion"); err != nil {
			return err
		}
		i, err = a.deletionInfo(tx, p)
		return err
	})
	a.Wake()
	return i, err
}

// PlanDeletion is the preview (DEL-18): the same function as the real run.
func (a *Agent) PlanDeletion(ctx context.Context, purposes []newleaf.Purpose, p *newleaf.DeletionPolicy) (out []newleaf.Verdict, err error) {
	if err := a.Kinds.Check(purposes); err != nil {
		return nil, err
	}
	err = a.Store.Read(ctx, func(tx *store.Tx) error {
		s, err := a.snapshot(tx)
		if err != nil {
			return err
		}
		policy, err := deletion(tx)
		if err != nil {
			return err
		}
		if p != nil {
			set, err := settings(tx)
			if err != nil {
				return err
			}
			if err := p.Validate(set.Capacity); err != nil {
				return err
			}
			policy = *p
		}
		s.For, s.NewRSA = purposes, true
		s.Through = previewConnection(s)
		out = policy.Plan(s)
		return nil
	})
	return out, err
}

// previewConnection is the connection that a new certificate would come through:
// the only one, or the one named default.
func previewConnection(s newleaf.Snapshot) string {
	if len(s.Connections) == 1 {
		return s.Connections[0].Connection
	}
	return newleaf.DefaultConnection
}

// Settings returns the general settings.
func (a *Agent) Settings(ctx context.Context) (s newleaf.Settings, err error) {
	err = a.Store.Read(ctx, func(tx *store.Tx) error {
		s, err = settings(tx)
		return err
	})
	return s, err
}

// SetSettings saves them.
func (a *Agent) SetSettings(ctx context.Context, s newleaf.Settings) (newleaf.Settings, error) {
	if s.Needs == nil {
		s.Needs = map[newleaf.Purpose]newleaf.Need{}
	}
	err := a.Store.Write(ctx, func(tx *store.Tx) error {
		old, err := settings(tx)
		if err != nil {
			return err
		}
		held, _, err := tx.Usage()
		if err != nil {
			return err
		}
		if s.Capacity >= old.Capacity {
			held = 0 // what is too much already forbids no other change
		}
		if err := s.Validate(held, a.Kinds); err != nil {
			return err
		}
		return a.saveDocument(ctx, tx, store.DocSettings, old, s, "the settings")
	})
	a.resumed.Store(false) // a purpose may need no restart any more
	a.Wake()
	return s, err
}

// saveDocument stores a settings document and its event, nothing where nothing
// changed, so that applying a file twice leaves no trace.
func (a *Agent) saveDocument(ctx context.Context, tx *store.Tx, key string, old, new any, what string) error {
	before, err := json.Marshal(old)
	if err != nil {
		return fmt.Errorf("encoding %s: %w", what, err)
	}
	after, err := json.Marshal(new)
	if err != nil || bytes.Equal(before, after) {
		return err
	}
	if err := tx.PutDocument(key, new); err != nil {
		return err
	}
	return a.note(tx, newleaf.Event{Kind: newleaf.EventSettings, By: newleaf.ActorOf(ctx).Name, Text: what + " was changed",
		Data: map[string]string{"before": string(before), "after": string(after)}})
}
