package agent

import (
	"context"
	"errors"
	"fmt"

	"newleaf"
	"newleaf/internal/store"
)

// bindings reads them all, one for each target too that nothing is bound to.
func (a *Agent) bindings(ctx context.Context) (out newleaf.Bindings, err error) {
	err = a.Store.Read(ctx, func(tx *store.Tx) error {
		out, err = tx.Bindings()
		return err
	})
	for p := range a.Targets {
		if out.Of(p) == (newleaf.Binding{Purpose: p}) {
			out = append(out, newleaf.Binding{Purpose: p})
		}
	}
	return out, err
}

// load reads the certificate of every purpose into its target, as the start of a
// device does. One that cannot be read stays out and is reported; the others
// still work.
func (a *Agent) load(ctx context.Context) error {
	a.targets.Lock()
	defer a.targets.Unlock()
	bindings, err := a.bindings(ctx)
	if err != nil {
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
	if !changed && len(failed) == 0 {
		return nil
	}
	return a.Store.Write(ctx, func(tx *store.Tx) error {
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
}

// apply hands to every target that takes it while running what its purpose holds
// now, after a change by hand. What nothing holds any more is taken away from
// every target, restart or not.
func (a *Agent) apply(ctx context.Context) error {
	defer a.retain(ctx)
	a.targets.Lock()
	defer a.targets.Unlock()
	bindings, err := a.bindings(ctx)
	for _, b := range bindings {
		switch {
		case b.Trial != "":
		case b.Holder() == "":
			err = errors.Join(err, a.takeAway(ctx, b))
		case b.Loaded != b.Holder():
			err = errors.Join(err, a.reload(ctx, b.Purpose, b.Holder()))
		}
	}
	return err
}

// takeAway leaves b's target without a certificate. It needs a.targets.
func (a *Agent) takeAway(ctx context.Context, b newleaf.Binding) error {
	if err := a.put(ctx, b.Purpose, ""); err != nil || b.Loaded == "" {
		return err
	}
	return a.Store.Write(ctx, func(tx *store.Tx) error { return a.markLoaded(tx, "", []newleaf.Purpose{b.Purpose}) })
}

// reload gives p's target certificate id, unless only a restart could. It needs
// a.targets.
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

// retain lets targets forget all certificates that are not in use any more. What
// fails is tried again at the next look; it never undoes what was done before.
func (a *Agent) retain(ctx context.Context) {
	a.targets.Lock()
	defer a.targets.Unlock()
	bindings, err := a.bindings(ctx)
	if err == nil {
		for p, t := range a.Targets {
			b := bindings.Of(p)
			err = errors.Join(err, t.Retain(ctx, p, []newleaf.ID{b.Current, b.Trial, b.Previous, b.Loaded}))
		}
	}
	a.unretained.Store(err != nil)
	if err != nil && ctx.Err() == nil {
		a.Log("removing files of certificates that are not in use: " + err.Error())
	}
}
