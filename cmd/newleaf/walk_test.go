package main

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"newleaf"
)

// What the fake device does over time: walks, policies, journal and tokens.

func (f *fakeDevice) Issue(_ context.Context, i newleaf.Issue) (newleaf.Renewal, error) {
	if err := i.Request.Validate(newleaf.BuiltinKinds()); err != nil {
		return newleaf.Renewal{}, err
	}
	defer f.lock()()
	f.secrets = append(f.secrets, i.Password)
	return f.begin(newleaf.Renewal{Request: i.Request}), nil
}

// begin starts a walk that Watch will bring to the outcome.
func (f *fakeDevice) begin(r newleaf.Renewal) newleaf.Renewal {
	r.ID, r.Cause, r.By, r.Started = int64(len(f.renewals)+1), newleaf.CauseManual, "root", fakeNow
	r.Step, r.Phase = newleaf.StepRoom, newleaf.PhaseRunning
	f.renewals = append(f.renewals, r)
	return r
}

func (f *fakeDevice) Update(_ context.Context, refs []string, dry bool) ([]newleaf.Planned, []newleaf.Renewal, error) {
	defer f.lock()()
	var ids []newleaf.ID
	var started []newleaf.Renewal
	for _, c := range f.certs {
		if c.Request == nil || len(f.bindings.Used(c.ID)) == 0 || len(refs) > 0 && !slices.Contains(refs, c.Name) {
			continue
		}
		ids = append(ids, c.ID)
		if !dry {
			r := *c.Request
			r.Name += "-2"
			started = append(started, f.begin(newleaf.Renewal{Replaces: c.ID, Request: r}))
		}
	}
	planned := []newleaf.Planned{}
	if len(ids) > 0 {
		planned = append(planned, newleaf.Planned{At: fakeNow, Cause: newleaf.CauseManual, Certificates: ids})
	}
	return planned, started, nil
}

func (f *fakeDevice) Renewals(context.Context) ([]newleaf.Renewal, error) {
	defer f.lock()()
	return slices.Clone(f.renewals), nil
}

func (f *fakeDevice) Renewal(_ context.Context, id int64) (newleaf.Renewal, error) {
	defer f.lock()()
	if id < 1 || int(id) > len(f.renewals) {
		return newleaf.Renewal{}, newleaf.Errorf(newleaf.CodeNotFound, "there is no renewal %d", id)
	}
	return f.renewals[id-1], nil
}

func (f *fakeDevice) CancelRenewal(ctx context.Context, id int64) (newleaf.Renewal, error) {
	r, err := f.Renewal(ctx, id)
	if err != nil {
		return r, err
	}
	defer f.lock()()
	f.renewals[id-1].Phase = newleaf.PhaseCancelled
	return f.renewals[id-1], nil
}

func (f *fakeDevice) RetryRenewal(ctx context.Context, id int64) (newleaf.Renewal, error) {
	return f.Renewal(ctx, id)
}

// Watch walks to where the outcome says. A walk that stays open is watched
// until the watcher has enough.
func (f *fakeDevice) Watch(ctx context.Context, id int64, each func(newleaf.Progress)) (newleaf.Renewal, error) {
	f.mu.Lock()
	r, want := &f.renewals[id-1], f.outcome
	r.Phase, r.Error, r.NextTry, r.Step = want.Phase, want.Error, want.NextTry, cmp.Or(want.Step, newleaf.StepDone)
	if want.Phase == newleaf.PhaseDone {
		c := fakeCert(fmt.Sprintf("%x", 5+id), r.Request.Name, r.Request.Subject, newleaf.Enrolled, 2030)
		f.certs, r.Certificate, r.Ended = append(f.certs, c), c.ID, fakeNow
		f.bind(c.ID, r.Request.Purposes)
	}
	now := *r
	f.mu.Unlock()
	for _, s := range newleaf.Steps() {
		ok := s.Number() < now.Step.Number()
		each(newleaf.Progress{Renewal: id, At: fakeNow, Step: s, Number: s.Number(), OK: ok, Text: "text of " + string(s)})
		if !ok {
			break
		}
	}
	if now.Phase.Open() {
		<-ctx.Done()
		return now, ctx.Err()
	}
	return now, nil
}

func (f *fakeDevice) held() []newleaf.Held {
	var out []newleaf.Held
	for _, c := range f.certs {
		out = append(out, newleaf.Held{ID: c.ID, Name: c.Name, NotBefore: c.NotBefore, NotAfter: c.NotAfter, Updated: c.Updated,
			InUse: len(f.bindings.Used(c.ID)) > 0, Renewable: c.Request != nil})
	}
	return out
}

func (f *fakeDevice) Reservation(context.Context) (newleaf.ReservationInfo, error) {
	defer f.lock()()
	return newleaf.ReservationInfo{Reservation: f.reservation, Next: f.reservation.Forecast(f.held(), fakeNow, 2), Warnings: f.reservation.Warnings(f.held())}, nil
}

func (f *fakeDevice) SetReservation(ctx context.Context, r newleaf.Reservation) (newleaf.ReservationInfo, error) {
	f.mu.Lock()
	f.writes = append(f.writes, "reservation")
	r = r.SavedOver(f.reservation, fakeNow)
	err := r.Validate(fakeNow)
	if err == nil {
		f.reservation = r
	}
	f.mu.Unlock()
	if err != nil {
		return newleaf.ReservationInfo{}, err
	}
	return f.Reservation(ctx)
}

func (f *fakeDevice) PlanReservation(_ context.Context, q newleaf.ForecastQuery) ([]newleaf.Planned, error) {
	defer f.lock()()
	r, held := f.reservation, f.held()
	if q.Unsaved != nil {
		r = q.Unsaved.SavedOver(f.reservation, q.From)
	}
	for i := range held {
		if !q.AfterSuccess.IsZero() {
			held[i] = held[i].Renewed(q.AfterSuccess)
		}
	}
	return r.Forecast(held, q.From, q.Count), r.Validate(q.From)
}

func (f *fakeDevice) Deletion(context.Context) (newleaf.DeletionInfo, error) {
	defer f.lock()()
	return newleaf.DeletionInfo{DeletionPolicy: f.deletion, Stored: len(f.certs), Capacity: f.settings.Capacity, Warnings: f.deletion.Warnings()}, nil
}

func (f *fakeDevice) SetDeletion(ctx context.Context, p newleaf.DeletionPolicy) (newleaf.DeletionInfo, error) {
	f.mu.Lock()
	f.writes = append(f.writes, "deletion")
	err := p.Validate(f.settings.Capacity)
	if err == nil {
		f.deletion = p
	}
	f.mu.Unlock()
	if err != nil {
		return newleaf.DeletionInfo{}, err
	}
	return f.Deletion(ctx)
}

func (f *fakeDevice) PlanDeletion(_ context.Context, purposes []newleaf.Purpose, p *newleaf.DeletionPolicy) ([]newleaf.Verdict, error) {
	defer f.lock()()
	if p == nil {
		p = &f.deletion
	}
	return p.Plan(newleaf.Snapshot{Now: fakeNow, ClockTrusted: true, Certificates: f.certs, Bindings: f.bindings, For: purposes, Capacity: f.settings.Capacity}), nil
}

func (f *fakeDevice) Settings(context.Context) (newleaf.Settings, error) {
	defer f.lock()()
	return f.settings, nil
}

func (f *fakeDevice) SetSettings(_ context.Context, s newleaf.Settings) (newleaf.Settings, error) {
	defer f.lock()()
	f.writes = append(f.writes, "settings")
	if err := s.Validate(len(f.certs), newleaf.BuiltinKinds()); err != nil {
		return s, err
	}
	f.settings = s
	return s, nil
}

func (f *fakeDevice) Events(_ context.Context, since int64, limit int) ([]newleaf.Event, error) {
	defer f.lock()()
	out := slices.DeleteFunc(slices.Clone(f.events), func(e newleaf.Event) bool { return e.ID <= since })
	return out[:min(limit, len(out))], nil
}

func (f *fakeDevice) Follow(ctx context.Context, since int64, each func(newleaf.Event) error) error {
	events, err := f.Events(ctx, since, 100)
	for _, e := range events {
		if err == nil {
			err = each(e)
		}
	}
	if err == nil {
		<-ctx.Done()
		err = ctx.Err()
	}
	return err
}

func (f *fakeDevice) CreateToken(_ context.Context, t newleaf.NewToken) (newleaf.Token, string, error) {
	defer f.lock()()
	k := newleaf.Token{ID: "4c1f", Name: t.Name, Role: t.Role, Created: fakeNow, Expires: fakeNow.AddDate(0, 0, t.Days)}
	f.tokens = append(f.tokens, k)
	return k, "nl_4c1f_secret", nil
}

func (f *fakeDevice) TokenList(context.Context) ([]newleaf.Token, error) {
	defer f.lock()()
	return slices.Clone(f.tokens), nil
}

func (f *fakeDevice) RevokeToken(context.Context, string) error {
	defer f.lock()()
	f.tokens = nil
	return nil
}
