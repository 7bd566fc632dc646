package agent

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"newleaf"
	"newleaf/internal/store"
)

// Documents that only the agent uses.
const (
	docAlarms    = "alarms"
	docAnnounced = "announced"
)

// watchOver compares the state with what was last told of it - alarms, updates
// that will not fit, a date that is done with - and writes what is new.
func (a *Agent) watchOver(ctx context.Context) error {
	change := false
	look := func(tx *store.Tx) (l overview, err error) {
		l, err = a.overview(tx)
		change = l.changed || l.spent
		return l, err
	}
	err := a.Store.Read(ctx, func(tx *store.Tx) error { _, err := look(tx); return err })
	if err != nil || !change {
		return err
	}
	return a.Store.Write(ctx, func(tx *store.Tx) error {
		l, err := look(tx)
		if err != nil {
			return err
		}
		for _, e := range l.events {
			if err := a.note(tx, e); err != nil {
				return err
			}
		}
		if l.spent {
			res, err := reservation(tx)
			if err != nil {
				return err
			}
			res.Fired = a.Now()
			if err := tx.PutDocument(store.DocReservation, res); err != nil {
				return err
			}
		}
		if err := tx.PutDocument(docAlarms, l.alarms); err != nil {
			return err
		}
		return tx.PutDocument(docAnnounced, l.announced)
	})
}

// overview is what watchOver found.
type overview struct {
	alarms    map[newleaf.ID]newleaf.Alarm
	announced []newleaf.Announcement
	spent     bool
	events    []newleaf.Event
	changed   bool // since it was last told
}

func (a *Agent) overview(tx *store.Tx) (o overview, err error) {
	s, err := a.snapshot(tx)
	if err != nil {
		return o, err
	}
	res, err := reservation(tx)
	if err != nil {
		return o, err
	}
	o.spent = res.Spent(held(s), s.Now)
	if o.alarms, err = a.alarms(tx, s, res); err != nil {
		return o, err
	}
	if o.announced, err = a.announce(tx, s, res); err != nil {
		return o, err
	}
	told := map[newleaf.ID]newleaf.Alarm{}
	if _, err := tx.Document(docAlarms, &told); err != nil {
		return o, err
	}
	for _, id := range slices.Sorted(maps.Keys(o.alarms)) {
		if c := find(s.Certificates, id); told[id] != o.alarms[id] {
			o.events = append(o.events, newleaf.Event{Kind: newleaf.EventAlarm, Certificate: id,
				Text: fmt.Sprintf("certificate %q, in use for %s, ends on %s: %s", c.Name, a.labels(s.Bindings.Held(id)),
					c.NotAfter.Format(time.RFC3339), o.alarms[id]), Data: map[string]string{"level": string(o.alarms[id])}})
		}
	}
	var before []newleaf.Announcement
	if _, err := tx.Document(docAnnounced, &before); err != nil {
		return o, err
	}
	for _, n := range o.announced {
		if !slices.ContainsFunc(before, func(b newleaf.Announcement) bool { return b.ID == n.ID }) {
			o.events = append(o.events, newleaf.Event{Kind: newleaf.EventForecast, Certificate: n.ID, Text: n.Text})
		}
	}
	o.changed = !maps.Equal(told, o.alarms) || !slices.EqualFunc(before, o.announced, func(b, n newleaf.Announcement) bool {
		return b.ID == n.ID && b.Text == n.Text && slices.Equal(b.Candidates, n.Candidates)
	})
	return o, nil
}

// alarms are the levels, other than none, of the certificates in use.
func (a *Agent) alarms(tx *store.Tx, s newleaf.Snapshot, res newleaf.Reservation) (map[newleaf.ID]newleaf.Alarm, error) {
	open, err := tx.Renewals(true)
	if err != nil {
		return nil, err
	}
	out := map[newleaf.ID]newleaf.Alarm{}
	for _, h := range held(s) {
		tries := 0
		for _, r := range open {
			if r.Replaces == h.ID {
				tries = r.Tries
			}
		}
		if level := newleaf.AlarmFor(h, res.Due(h), tries, s.Now); level != newleaf.AlarmNone {
			out[h.ID] = level
		}
	}
	return out, nil
}

// announce runs the plan of each coming update and tells which will find no room
// (contract, "Room").
func (a *Agent) announce(tx *store.Tx, s newleaf.Snapshot, res newleaf.Reservation) ([]newleaf.Announcement, error) {
	out := []newleaf.Announcement{}
	policy, err := deletion(tx)
	if err != nil || slices.ContainsFunc(s.Certificates, func(c newleaf.Certificate) bool { return c.State != newleaf.StateHeld }) {
		return out, err // while a walk is not through nobody can tell
	}
	for _, d := range res.Next(held(s), s.Now) {
		c := find(s.Certificates, d.ID)
		coming := s
		coming.Now = d.At
		if d.At.Before(s.Now) {
			coming.Now = s.Now
		}
		coming.For, coming.Through, coming.NewRSA = s.Bindings.Held(c.ID), c.Connection, c.KeyAlgorithm == "RSA"
		plan := policy.Plan(coming)
		full := newleaf.Admit(coming, plan)
		if full == nil {
			continue
		}
		n := newleaf.Announcement{At: d.At, ID: d.ID, Name: c.Name, Candidates: []newleaf.ID{},
			Text: fmt.Sprintf("the update of %q on %s will find no room: %s", c.Name, d.At.Format(time.RFC3339), full)}
		for _, v := range plan {
			if len(s.Bindings.Used(v.ID)) == 0 && v.Reason != newleaf.KeepPinned && v.Reason != newleaf.KeepPending {
				n.Candidates = append(n.Candidates, v.ID)
			}
		}
		out = append(out, n)
	}
	return out, err
}
