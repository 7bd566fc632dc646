package agent

import (
	"context"
	"fmt"

	"newleaf"
	"newleaf/internal/store"
)

// reload gives p's target the certificate it had, unless only a restart could.
func (a *Agent) reload(ctx context.Context, p newleaf.Purpose, id newleaf.ID) error {
	need, err := a.need(ctx, p)
	if err != nil || need == newleaf.NeedRestart {
		return err
	}
	if err := a.put(ctx, p, id); err != nil {
		return err
	}
	return a.Store.Write(ctx, func(tx *store.Tx) error { return a.markLoaded(tx, id, []newleaf.Purpose{p}) })
}

// apply hands to every target that takes it while running what its purpose holds
// now, after a change by hand.
func (a *Agent) apply(ctx context.Context) error {
	var bindings newleaf.Bindings
	if err := a.Store.Read(ctx, func(tx *store.Tx) (err error) { bindings, err = tx.Bindings(); return err }); err != nil {
		return err
	}
	for _, b := range bindings {
		if b.Loaded != b.Holder() && b.Trial == "" {
			if err := a.reload(ctx, b.Purpose, b.Holder()); err != nil {
				return err
			}
		}
	}
	return a.retain(ctx)
}

// load reads the certificate of every purpose into its target, as the start of a
// device does. One that cannot be read stays out and is reported; the others
// still work.
func (a *Agent) load(ctx context.Context) error {
	var bindings newleaf.Bindings
	if err := a.Store.Read(ctx, func(tx *store.Tx) (err error) { bindings, err = tx.Bindings(); return err }); err != nil {
		return err
	}
	var failed []newleaf.Event
	changed := false
	for i := range bindings {
		b := &bindings[i]
		if err := a.put(ctx, b.Purpose, b.Holder()); err != nil {
			failed = append(failed, newleaf.Event{Kind: newleaf.EventAlarm, Certificate: b.Holder(),
				Text: fmt.Sprintf("%s could not load its certificate: %v", a.Kinds.Label(b.Purpose), err)})
			continue
		}
		changed = changed || b.Loaded != b.Holder()
		b.Loaded = b.Holder()
	}
	if changed || len(failed) > 0 {
		err := a.Store.Write(ctx, func(tx *store.Tx) error {
			for _, b := range bindings {
				if err := tx.PutBinding(b); err != nil {
					return err
				}
			}
			for _, e := range failed {
				if err := a.note(tx, e); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return a.retain(ctx)
}

// retain lets targets forget all certificates that are not in use any more.
func (a *Agent) retain(ctx context.Context) error {
	var bindings newleaf.Bindings
	if err := a.Store.Read(ctx, func(tx *store.Tx) (err error) { bindings, err = tx.Bindings(); return err }); err != nil {
		return err
	}
	for p, t := range a.Targets {
		b := bindings.Of(p)
		if err := t.Retain(ctx, p, []newleaf.ID{b.Current, b.Trial, b.Previous, b.Loaded}); err != nil {
			return err
		}
	}
	return nil
}
