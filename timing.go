package newleaf

import (
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"slices"
	"time"
)

// Held is what the timing needs to know of a certificate in the store.
type Held struct {
	ID                  ID
	Name                string // for sentences; the ID's first digits stand in
	NotBefore, NotAfter time.Time
	Updated             time.Time // when it was issued or updated; zero: never here (TIM-13, TIM-15)
	InUse               bool
	Renewable           bool // it has a request to repeat (DM-36)
}

// Lifetime is notAfter - notBefore.
func (h Held) Lifetime() time.Duration { return h.NotAfter.Sub(h.NotBefore) }

// Renewed is h after a success at the given instant, with the same lifetime.
func (h Held) Renewed(at time.Time) Held {
	if !h.unending() {
		h.NotBefore, h.NotAfter = at, at.Add(h.Lifetime())
	}
	h.Updated = at
	return h
}

// unending reports the notAfter that RFC 5280, 4.1.2.5, gives to certificates
// without an end (TIM-45).
func (h Held) unending() bool {
	return !h.NotAfter.Before(time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC))
}

func (h Held) label() string { return cmp.Or(h.Name, h.ID.Short()) }

// The causes of an update without a person.
const (
	CauseReservation Cause = "reservation" // the selected method
	CauseSafetyNet   Cause = "safety-net"  // the end is near and the method too late
)

// Cause says why a certificate is updated.
type Cause string

// Due says when a certificate is to be updated. A zero At is never.
type Due struct {
	ID    ID
	At    time.Time // UTC; in the past: now, once, however long ago (TIM-03, TIM-28)
	Cause Cause     // "" for never
}

// Reached reports whether the update is due (S1904; TIM-01, TIM-05, TIM-46).
func (d Due) Reached(now time.Time) bool { return !d.At.IsZero() && !now.Before(d.At) }

// Due is the exact instant, without jitter, at which h is to be updated: the
// method's or the safety net's, whichever comes first. It is never for a
// certificate that is not in use, cannot be renewed or is not chosen, and for
// every one while the method is off, which includes the safety net: a device
// that is off does not contact an authority by itself (RSV-15).
func (r Reservation) Due(h Held) Due { return r.due(h, r.location()) }

func (r Reservation) due(h Held, zone *time.Location) Due {
	d := Due{ID: h.ID}
	if r.off() || !h.InUse || !h.Renewable || !r.selects(h.ID) {
		return d
	}
	if at := r.reserved(h, zone); !at.IsZero() {
		d.At, d.Cause = at.UTC(), CauseReservation
	}
	if r.SafetyNet && !h.unending() {
		if at := h.ahead(SafetyMargin(h.Lifetime()), 5); d.At.IsZero() || at.Before(d.At) {
			d.At, d.Cause = at.UTC(), CauseSafetyNet
		}
	}
	return d
}

// reserved is the instant of the selected method alone; zero is never.
func (r Reservation) reserved(h Held, zone *time.Location) time.Time {
	switch r.Method {
	case MethodDate:
		wall, ok := parseWall(dateLayout, r.At)
		if at := instant(wall, zone); ok && r.Fired.IsZero() && h.Updated.Before(at) {
			return at
		}
	case MethodBefore:
		if !h.unending() {
			return h.ahead(r.effective(h), 3)
		}
	case MethodEvery:
		if anchor := r.anchor(h); !anchor.IsZero() && r.Every > 0 {
			return anchor.Add(r.Every)
		}
	case MethodMonthly, MethodYearly:
		clock, ok := parseWall(clockLayout, r.clock())
		month := r.Month
		if r.Method == MethodMonthly {
			month = 0
		}
		if from := r.anchor(h); ok && !from.IsZero() && r.Day > 0 {
			if !h.Updated.IsZero() {
				from = from.Add(day - 1) // a date less than 24 h after an update is skipped (TIM-27)
			}
			return nextDate(from, month, r.Day, clock, zone)
		}
	}
	return time.Time{}
}

// anchor is what a cycle counts from: the last update and, before there is one,
// the moment of saving; notBefore would fire at once (TIM-13, TIM-14).
func (r Reservation) anchor(h Held) time.Time {
	if h.Updated.IsZero() {
		return r.Saved
	}
	return h.Updated
}

// effective is the period before the end that 1802 works with: one not shorter
// than the lifetime would renew for ever, so it is a third of it (TIM-09).
func (r Reservation) effective(h Held) time.Duration {
	if r.Before >= h.Lifetime() {
		return h.Lifetime() / 3
	}
	return r.Before
}

// ahead is the instant n before the end of h. Where that is not after its
// issuance, as for a validity that was dated back, it is the given part of the
// validity then left, lest each update be due again at once. It is not before
// notBefore (TIM-43).
func (h Held) ahead(n time.Duration, part int64) time.Time {
	at := h.NotAfter.Add(-max(n, 0))
	if left := h.NotAfter.Sub(h.Updated); left > 0 && !at.After(h.Updated) {
		at = h.NotAfter.Add(-left / time.Duration(part))
	}
	if at.Before(h.NotBefore) {
		return h.NotBefore
	}
	return at
}

// Next lists the updates to come of all certificates that have one, earliest
// first; of those due together the one that ends first comes first. Anchors of a
// cycle that lie after now count as now (TIM-32).
func (r Reservation) Next(held []Held, now time.Time) []Due {
	r, held = r.asOf(held, now)
	zone, ends := r.location(), map[ID]time.Time{}
	out := []Due{}
	for _, h := range held {
		if d := r.due(h, zone); !d.At.IsZero() {
			out, ends[h.ID] = append(out, d), h.NotAfter
		}
	}
	slices.SortFunc(out, func(a, b Due) int {
		return cmp.Or(a.At.Compare(b.At), ends[a.ID].Compare(ends[b.ID]), cmp.Compare(a.ID, b.ID))
	})
	return out
}

// asOf is the same with no anchor after now. A date needs none: there, Updated
// is the done mark of one certificate and must stay.
func (r Reservation) asOf(held []Held, now time.Time) (Reservation, []Held) {
	r.Saved, _ = Reanchor(r.Saved, now)
	held = slices.Clone(held)
	for i := range held {
		if r.Method != MethodDate {
			held[i].Updated, _ = Reanchor(held[i].Updated, now)
		}
	}
	return r, held
}

// Spent reports that a date has passed and no certificate is due by it any more.
// The caller then sets Fired, and the date stays done through restarts and clock
// changes (TIM-02, TIM-32). Before that each certificate is done once updated,
// so one that fails is tried again alone (AMB-15).
func (r Reservation) Spent(held []Held, now time.Time) bool {
	wall, ok := parseWall(dateLayout, r.At)
	zone := r.location()
	if r.Method != MethodDate || !ok || !r.Fired.IsZero() || now.Before(instant(wall, zone)) {
		return false
	}
	r.SafetyNet = false
	return !slices.ContainsFunc(held, func(h Held) bool { return r.due(h, zone).Reached(now) })
}

// Scaled is a constant of the specification as it applies to a certificate of
// the given lifetime: a tenth of that at most, so that certificates of minutes
// work. An unknown lifetime (0) leaves it as it is.
func Scaled(c, lifetime time.Duration) time.Duration {
	if lifetime <= 0 {
		return c
	}
	return min(c, lifetime/10)
}

// SafetyMargin is how long before its end the safety net takes a certificate:
// 14 days or a fifth of the lifetime (TIM-30).
func SafetyMargin(lifetime time.Duration) time.Duration {
	return max(0, min(14*day, lifetime/5))
}

// Start is when the device begins with an update: the due instant plus its
// jitter, which never spends more than a tenth of the lifetime or half of the
// validity that is left.
func (r Reservation) Start(d Due, h Held, device string) time.Time {
	window := min(Scaled(r.Jitter, h.Lifetime()), h.NotAfter.Sub(d.At)/2)
	return d.At.Add(JitterFor(device, window, d.At))
}

// JitterFor spreads the devices of a fleet over a window: the same device and
// instant always give the same delay, in [0, window) (TIM-38).
func JitterFor(device string, window time.Duration, at time.Time) time.Duration {
	return pick(device+" "+at.UTC().Format(time.RFC3339), window)
}

// pick is a number in [0, n) that depends on the seed only; 0 for n <= 0.
func pick(seed string, n time.Duration) time.Duration {
	if n <= 0 {
		return 0
	}
	sum := sha256.Sum256([]byte(seed))
	return time.Duration(binary.BigEndian.Uint64(sum[:8]) % uint64(n))
}
