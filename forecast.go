package newleaf

import (
	"cmp"
	"slices"
	"time"
)

// Planned is one row of the plan of updates (contract, "reservation plan").
type Planned struct {
	At           time.Time `json:"at"`
	Cause        Cause     `json:"cause"`
	Certificates []ID      `json:"certificates"`
}

// Forecast lists the next count rows of updates as if it were from now: what is
// overdue comes at from, once (TIM-28). Each update is taken to succeed at its
// instant with the same lifetime, without jitter; certificates due at the same
// instant for the same cause share a row. It ends early where nothing more comes.
func (r Reservation) Forecast(held []Held, from time.Time, count int) []Planned {
	r, held = r.asOf(held, from)
	zone := r.location()
	out := []Planned{}
	for now := from.UTC(); len(out) < count; {
		rows := r.upcoming(held, now, zone)
		if len(rows) == 0 || rows[0].At.Year() > 9999 {
			break
		}
		out, now = append(out, rows...), rows[0].At
		for i, h := range held {
			if !slices.ContainsFunc(rows, func(p Planned) bool { return slices.Contains(p.Certificates, h.ID) }) {
				continue
			}
			held[i] = h.Renewed(now)
			if !r.due(held[i], zone).At.After(now) {
				held[i].InUse = false // never again, or a validity of nothing
			}
		}
	}
	return out[:min(len(out), max(count, 0))]
}

// upcoming are the rows of the next instant at which anything is due: one, or
// one for each cause.
func (r Reservation) upcoming(held []Held, now time.Time, zone *time.Location) []Planned {
	rows := []Planned{}
	for _, h := range held {
		d := r.due(h, zone)
		if d.At.IsZero() {
			continue
		}
		if d.At.Before(now) {
			d.At = now
		}
		if len(rows) > 0 && d.At.After(rows[0].At) {
			continue
		}
		if len(rows) > 0 && d.At.Before(rows[0].At) {
			rows = rows[:0]
		}
		i := slices.IndexFunc(rows, func(p Planned) bool { return p.Cause == d.Cause })
		if i < 0 {
			i, rows = len(rows), append(rows, Planned{At: d.At, Cause: d.Cause})
		}
		rows[i].Certificates = append(rows[i].Certificates, h.ID)
	}
	slices.SortFunc(rows, func(a, b Planned) int { return cmp.Compare(a.Cause, b.Cause) })
	return rows
}
