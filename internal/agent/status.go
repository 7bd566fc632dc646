package agent

import (
	"context"
	"fmt"
	"slices"

	"newleaf"
	"newleaf/internal/keys"
	"newleaf/internal/store"
)

// Status is the device at a glance.
func (a *Agent) Status(ctx context.Context) (st newleaf.Status, err error) {
	err = a.Store.Read(ctx, func(tx *store.Tx) error {
		st, err = a.status(tx)
		return err
	})
	return st, err
}

func (a *Agent) status(tx *store.Tx) (newleaf.Status, error) {
	st := newleaf.Status{Version: a.Version, Address: a.Address(), Now: a.Now().UTC(), Clock: a.clock.state(),
		Purposes: []newleaf.PurposeStatus{}, RestartNeed: []newleaf.Purpose{}, Announced: []newleaf.Announcement{}, Warnings: []string{}}
	s, err := a.snapshot(tx)
	if err != nil {
		return st, err
	}
	set, err := settings(tx)
	if err != nil {
		return st, err
	}
	if _, err := tx.Document(store.DocLab, &st.Lab); err != nil {
		return st, err
	}
	st.Zone, st.Capacity, st.Quota = set.Zone, set.Capacity, set.Quota
	if st.Stored, st.UsedBytes, err = tx.Usage(); err != nil {
		return st, err
	}
	if st.Running, err = tx.Renewals(true); err != nil {
		return st, err
	}
	all, err := tx.Renewals(false)
	if err != nil {
		return st, err
	}
	for _, r := range slices.Backward(all) {
		if !r.Phase.Open() {
			st.Last = &r
			break
		}
	}
	if _, err := tx.Document(docAnnounced, &st.Announced); err != nil {
		return st, err
	}
	if err := a.purposes(tx, s, &st); err != nil {
		return st, err
	}
	st.Warnings = append(st.Warnings, a.warnings(s, st)...)
	st.JournalHead, st.JournalCount, _, _, err = tx.JournalHead()
	return st, err
}

// purposes fills what serves each purpose, of every kind and every binding.
func (a *Agent) purposes(tx *store.Tx, s newleaf.Snapshot, st *newleaf.Status) error {
	res, err := reservation(tx)
	if err != nil {
		return err
	}
	alarms, err := a.alarms(tx, s, res)
	if err != nil {
		return err
	}
	all := []newleaf.Purpose{}
	for _, k := range a.Kinds {
		all = append(all, k.Name)
	}
	for _, b := range s.Bindings {
		if !slices.Contains(all, b.Purpose) {
			all = append(all, b.Purpose)
		}
	}
	due := res.Next(held(s), s.Now)
	for _, p := range all {
		b := s.Bindings.Of(p)
		row := newleaf.PurposeStatus{Purpose: p, Label: a.Kinds.Label(p), Certificate: b.Holder(), Trial: b.Trial, Previous: b.Previous,
			Loaded: b.Loaded, Since: b.Since, Alarm: newleaf.AlarmNone}
		if row.Need, err = a.needIn(tx, p); err != nil {
			return err
		}
		if c := find(s.Certificates, b.Holder()); c != nil {
			row.Name, row.NotAfter, row.Renewal = c.Name, c.NotAfter, s.Outlook(c)
			if level, ok := alarms[c.ID]; ok {
				row.Alarm = level
			}
			if i := slices.IndexFunc(due, func(d newleaf.Due) bool { return d.ID == c.ID }); i >= 0 {
				row.Next, row.Cause = due[i].At, due[i].Cause
				st.NeedsUpdate = st.NeedsUpdate || due[i].Reached(s.Now)
			}
			st.NeedsUpdate = st.NeedsUpdate || c.Expired(s.Now)
		}
		if row.Need == newleaf.NeedRestart && b.Loaded != b.Holder() {
			st.RestartNeed = append(st.RestartNeed, p)
		}
		st.Purposes = append(st.Purposes, row)
	}
	return nil
}

// warnings are the sentences a person should read first.
func (a *Agent) warnings(s newleaf.Snapshot, st newleaf.Status) []string {
	var out []string
	if st.Lab {
		out = append(out, "LAB: this store is provisioned for the lab; clock and stop points may be set from outside.")
	}
	if !st.Clock.Trusted {
		out = append(out, fmt.Sprintf("The clock is in doubt (%s): nothing is deleted for having expired.", st.Clock.Reason))
	}
	for i := range s.Certificates {
		if c := &s.Certificates[i]; c.Damaged {
			out = append(out, fmt.Sprintf("The entry %q is damaged; it is kept until a person deletes it.", c.Name))
		}
	}
	if st.Stored >= st.Capacity {
		out = append(out, fmt.Sprintf("The store is full: %d of %d.", st.Stored, st.Capacity))
	}
	for _, n := range st.Announced {
		out = append(out, n.Text)
	}
	return out
}

// Doctor looks at everything that could go wrong and changes nothing.
func (a *Agent) Doctor(ctx context.Context) ([]newleaf.Finding, error) {
	out := []newleaf.Finding{}
	st, err := a.Status(ctx)
	if err != nil {
		return nil, err
	}
	good := func(ok bool, topic, yes, no, hint string) {
		f := newleaf.Finding{OK: ok, Topic: topic, Text: yes}
		if !ok {
			f.Text, f.Hint = no, hint
		}
		out = append(out, f)
	}
	good(st.Clock.Trusted, "clock", "the clock is believable", "the clock is in doubt: "+st.Clock.Reason, "Set the clock or start a time service.")
	good(st.Stored < st.Capacity, "room", fmt.Sprintf("%d of %d certificates", st.Stored, st.Capacity), fmt.Sprintf("the store is full, %d of %d", st.Stored, st.Capacity),
		"Delete what is not in use, or switch automatic deletion on.")
	err = a.Store.Read(ctx, func(tx *store.Tx) error {
		bad := tx.VerifyJournal()
		out = append(out, finding("journal", bad, "the journal is whole"))
		sealed, err := tx.Keys()
		for _, k := range sealed {
			if _, err := a.Vault.Open(keys.Sealed(k)); err != nil {
				out = append(out, newleaf.Finding{Topic: "keys", Text: fmt.Sprintf("key %.8s cannot be opened: %v", k.ID, err)})
			}
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	conns, err := a.ConnectionList(ctx)
	if err != nil {
		return nil, err
	}
	good(len(conns) > 0, "connection", fmt.Sprintf("%d connections", len(conns)), "no connection to an authority is set", "Set one with \"newleaf connection set --url ...\".")
	for _, c := range conns {
		test, err := a.TestConnection(ctx, c.Name)
		if err != nil {
			out = append(out, finding("connection "+c.Name, err, ""))
			continue
		}
		for _, f := range test.Findings {
			f.Topic = "connection " + c.Name + ": " + f.Topic
			out = append(out, f)
		}
		good(c.Anchors > 0, "connection "+c.Name+": trust", "its CA certificate is confirmed", "its CA certificate is not confirmed", "Fetch and confirm it.")
	}
	return out, nil
}

// Restart restarts the device for a person (F9-*).
func (a *Agent) Restart(ctx context.Context) error {
	by := newleaf.ActorOf(ctx).Name
	err := a.Store.Write(ctx, func(tx *store.Tx) error {
		return a.note(tx, newleaf.Event{Kind: newleaf.EventRestart, By: by, Text: "a restart was asked for"})
	})
	if err != nil {
		return err
	}
	return a.Options.Restart(ctx)
}
