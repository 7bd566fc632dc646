package agent

import (
	"context"
	"fmt"
	"slices"
	"time"

	"newleaf"
	"newleaf/internal/store"
)

// List returns the entries in the order of adding (DM-20), read anew each time
// (DM-39).
func (a *Agent) List(ctx context.Context) ([]newleaf.Listed, error) {
	out := []newleaf.Listed{}
	return out, a.Store.Read(ctx, func(tx *store.Tx) error {
		all, err := tx.Certificates()
		if err != nil {
			return err
		}
		bindings, err := tx.Bindings()
		for i := range all {
			out = append(out, newleaf.ListedFrom(&all[i], bindings, a.Now()))
		}
		return err
	})
}

// Certificate returns one with all that is known of it.
func (a *Agent) Certificate(ctx context.Context, ref string) (d newleaf.Detail, err error) {
	err = a.Store.Read(ctx, func(tx *store.Tx) error {
		c, err := tx.Certificate(ref)
		if err != nil {
			return err
		}
		s, err := a.snapshot(tx)
		if err != nil {
			return err
		}
		policy, err := deletion(tx)
		if err != nil {
			return err
		}
		d = newleaf.Detail{Listed: newleaf.ListedFrom(&c, s.Bindings, s.Now), SAN: c.SAN, EKU: c.EKU, Chain: []string{},
			PEM: pemOf(append([][]byte{c.DER}, c.Chain...)...), Used: s.Bindings.Used(c.ID), Connection: c.Connection,
			Predecessor: c.Predecessor, Updated: c.Updated, Exportable: c.Exportable, Request: c.Request, Renewal: s.Outlook(&c)}
		for _, der := range c.Chain {
			if p, err := newleaf.Parse(der); err == nil {
				d.Chain = append(d.Chain, p.Subject)
			}
		}
		s.For = s.Bindings.Held(c.ID) // in use: its own update; else any other
		for _, v := range policy.Plan(s) {
			if v.ID == c.ID {
				d.Forecast = v
			}
		}
		return nil
	})
	return d, err
}

// Delete removes a certificate by hand (VAR-14, DLS-37).
func (a *Agent) Delete(ctx context.Context, ref string, force bool) error {
	check := func(tx *store.Tx, c newleaf.Certificate) ([]newleaf.Purpose, error) {
		bindings, err := tx.Bindings()
		used := bindings.Used(c.ID)
		switch {
		case err != nil:
			return nil, err
		case c.State != newleaf.StateHeld:
			return nil, newleaf.Errorf(newleaf.CodeConflict, "certificate %q belongs to a renewal that is not through", c.Name)
		case c.Pinned && !force:
			return nil, newleaf.Errorf(newleaf.CodePinned, "certificate %q is pinned", c.Name)
		case len(used) > 0 && !force:
			return nil, newleaf.Errorf(newleaf.CodeInUse, "certificate %q is in use for %s", c.Name, a.labels(used))
		}
		return used, nil
	}
	refused := a.Store.Read(ctx, func(tx *store.Tx) error { // before a destruction is begun
		c, err := tx.Certificate(ref)
		if err == nil {
			_, err = check(tx, c)
		}
		return err
	})
	if refused != nil {
		return refused
	}
	return a.changeUse(ctx, ref, a.destroy, func(tx *store.Tx, c newleaf.Certificate) error {
		used, err := check(tx, c)
		if err != nil {
			return err
		}
		bindings, err := tx.Bindings()
		if err != nil {
			return err
		}
		for _, p := range used {
			if err := tx.PutBinding(without(bindings.Of(p), c.ID)); err != nil {
				return err
			}
		}
		return a.removeCertificate(tx, c, newleaf.Event{By: newleaf.ActorOf(ctx).Name,
			Text: fmt.Sprintf("certificate %q was deleted by hand", c.Name), Data: map[string]string{"used": a.labels(used)}})
	})
}

// without is b with id in no part. A previous certificate that can still be put
// back takes the place of the current one.
func without(b newleaf.Binding, id newleaf.ID) newleaf.Binding {
	for _, part := range []*newleaf.ID{&b.Current, &b.Trial, &b.Previous, &b.Loaded} {
		if *part == id {
			*part = ""
		}
	}
	if b.Current == "" {
		b.Current, b.Previous = b.Previous, ""
	}
	if b.Previous == "" {
		b.Until = time.Time{}
	}
	return b
}

// change finds the certificate and changes it in one transaction made by write.
func (a *Agent) change(ctx context.Context, ref string, write writer, f func(*store.Tx, newleaf.Certificate) error) error {
	defer a.Wake()
	return write(ctx, func(tx *store.Tx) error {
		c, err := tx.Certificate(ref)
		if err != nil {
			return err
		}
		return f(tx, c)
	})
}

// changeUse is a change of what serves a purpose; the targets follow it.
func (a *Agent) changeUse(ctx context.Context, ref string, write writer, f func(*store.Tx, newleaf.Certificate) error) error {
	if err := a.change(ctx, ref, write, f); err != nil {
		return err
	}
	return a.apply(ctx)
}

// Pin excludes a certificate from automatic deletion, or no longer (DEL-19).
func (a *Agent) Pin(ctx context.Context, ref string, pinned bool) (newleaf.Listed, error) {
	err := a.change(ctx, ref, a.Store.Write, func(tx *store.Tx, c newleaf.Certificate) error {
		if c.Pinned == pinned {
			return nil
		}
		c.Pinned = pinned
		if err := tx.UpdateCertificate(c); err != nil {
			return err
		}
		kind, text := newleaf.EventPinned, "pinned: no rule deletes it"
		if !pinned {
			kind, text = newleaf.EventUnpinned, "no longer pinned"
		}
		return a.note(tx, newleaf.Event{Kind: kind, By: newleaf.ActorOf(ctx).Name, Certificate: c.ID, Text: fmt.Sprintf("certificate %q is %s", c.Name, text)})
	})
	return a.listed(ctx, ref, err)
}

// SetPurposes gives ref exactly these purposes (PUR-08).
func (a *Agent) SetPurposes(ctx context.Context, ref string, purposes []newleaf.Purpose) (newleaf.Listed, error) {
	err := a.changeUse(ctx, ref, a.Store.Write, func(tx *store.Tx, c newleaf.Certificate) error {
		return a.rebind(ctx, tx, c, purposes)
	})
	return a.listed(ctx, ref, err)
}

// SetRequest replaces the template of the next update; the name in it is not
// used, as each update makes its own.
func (a *Agent) SetRequest(ctx context.Context, ref string, r newleaf.Request) (newleaf.Request, error) {
	err := a.change(ctx, ref, a.Store.Write, func(tx *store.Tx, c newleaf.Certificate) error {
		r.Name = c.Name
		if r.Connection == "" {
			r.Connection = newleaf.DefaultConnection
		}
		if err := r.Validate(a.Kinds); err != nil {
			return err
		}
		if err := allowedKey(tx, r.Key); err != nil {
			return err
		}
		r.Edited = c.Request == nil || c.Request.Edited || c.Request.Subject != r.Subject
		c.Request = &r
		if err := tx.UpdateCertificate(c); err != nil {
			return err
		}
		if err := a.unstick(tx); err != nil {
			return err
		}
		return a.note(tx, newleaf.Event{Kind: newleaf.EventSettings, By: newleaf.ActorOf(ctx).Name, Certificate: c.ID,
			Text: fmt.Sprintf("the request for the next update of %q was changed", c.Name)})
	})
	return r, err
}

// rebind gives the purposes to c by hand. What a renewal has on trial is left
// alone.
func (a *Agent) rebind(ctx context.Context, tx *store.Tx, c newleaf.Certificate, purposes []newleaf.Purpose) error {
	if err := a.Kinds.Check(purposes); err != nil {
		return err
	}
	if c.State != newleaf.StateHeld || c.Damaged {
		return newleaf.Errorf(newleaf.CodeConflict, "certificate %q cannot be given a purpose now", c.Name)
	}
	if err := a.fit(c, purposes); err != nil {
		return err
	}
	bindings, err := tx.Bindings()
	if err != nil {
		return err
	}
	touched := slices.Clone(purposes)
	for _, p := range bindings.Held(c.ID) {
		if !slices.Contains(purposes, p) {
			touched = append(touched, p)
		}
	}
	for _, p := range touched {
		b, to := bindings.Of(p), newleaf.ID("")
		if slices.Contains(purposes, p) {
			to = c.ID
		}
		if b.Trial != "" {
			return newleaf.Errorf(newleaf.CodeConflict, "a renewal has a certificate on trial for %s", a.Kinds.Label(p)).
				WithHint("Wait for it to end, then try again.")
		}
		if b.Current == to {
			continue
		}
		b.Current, b.Previous, b.Until, b.Since = to, "", time.Time{}, a.Now().UTC()
		if err := tx.PutBinding(b); err != nil {
			return err
		}
		text := fmt.Sprintf("%s goes to %q", a.Kinds.Label(p), c.Name)
		if to == "" {
			text = fmt.Sprintf("%s is taken from %q", a.Kinds.Label(p), c.Name)
		}
		if err := a.note(tx, newleaf.Event{Kind: newleaf.EventBound, By: newleaf.ActorOf(ctx).Name, Certificate: c.ID, Text: text}); err != nil {
			return err
		}
	}
	return nil
}

// fit refuses purposes that the certificate's extended key usage does not allow.
func (a *Agent) fit(c newleaf.Certificate, purposes []newleaf.Purpose) error {
	for _, p := range purposes {
		if kind, ok := a.Kinds.Find(p); ok && !c.Fits(kind) {
			return newleaf.Errorf(newleaf.CodeUnfit, "the extended key usage of %q does not allow %s", c.Name, a.Kinds.Label(p))
		}
	}
	return nil
}

func (a *Agent) listed(ctx context.Context, ref string, err error) (l newleaf.Listed, _ error) {
	if err != nil {
		return l, err
	}
	return l, a.Store.Read(ctx, func(tx *store.Tx) error {
		c, err := tx.Certificate(ref)
		if err != nil {
			return err
		}
		bindings, err := tx.Bindings()
		l = newleaf.ListedFrom(&c, bindings, a.Now())
		return err
	})
}
