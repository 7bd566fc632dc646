package newleaf

import (
	"fmt"
	"slices"
	"time"
)

// day is 86,400 s, never a calendar day (TIM-07).
const day = 24 * time.Hour

// longest is the upper limit of the periods of 1802 and 1803a (RSV-16).
const longest = 3650 * day

// Method is the one way of timing that a reservation has selected (RSV-01).
type Method string

const (
	MethodOff     Method = "off"     // nothing happens by itself; a fresh device (RSV-15)
	MethodDate    Method = "date"    // 1801: once, on a date
	MethodBefore  Method = "before"  // 1802: a period before the end of validity
	MethodEvery   Method = "every"   // 1803a: a period after the last update
	MethodMonthly Method = "monthly" // 1803b: on a day of every month
	MethodYearly  Method = "yearly"  // 1803c: on a date of every year
)

// Reservation says when certificates are updated without a person (Fig. 18).
// Only the fields of the selected method count; the others keep their values.
type Reservation struct {
	Method Method        `json:"method"`
	At     string        `json:"at"`     // date: wall time "2027-03-01T04:00" in Zone
	Before time.Duration `json:"before"` // before: whole days as a rule, minutes for a trial
	Every  time.Duration `json:"every"`  // every: exactly this long after an update (TIM-13)
	Day    int           `json:"day"`    // monthly, yearly: where the month is shorter, its last (TIM-17)
	Month  time.Month    `json:"month"`  // yearly
	Time   string        `json:"time"`   // monthly, yearly: wall time in Zone; "" is 03:00 (TIM-26)
	Zone   string        `json:"zone"`   // IANA name, kept when the device's changes (TIM-20, TIM-25)

	Jitter    time.Duration `json:"jitter"`    // window over which a fleet spreads; 0 is none (TIM-38)
	SafetyNet bool          `json:"safetyNet"` // update before the end, whatever the method (TIM-30)
	Only      []ID          `json:"only"`      // the certificates to update; none: all in use (TIM-29)

	Saved time.Time `json:"saved,omitzero"` // when the timing was set: first anchor of a cycle (TIM-14)
	Fired time.Time `json:"fired,omitzero"` // date: when it was done with; zero: not yet (TIM-02)
}

// DefaultReservation is a fresh device's: off, with the values that the form
// proposes (RSV-07, RSV-15, TIM-26, TIM-38).
func DefaultReservation(zone string) Reservation {
	return Reservation{Method: MethodOff, Before: 14 * day, Time: defaultTime, Zone: zone,
		Jitter: 30 * time.Minute, SafetyNet: true, Only: []ID{}}
}

// SavedOver returns r as it is to be stored in place of old. Anchor and done
// mark stay where the timing does, so that another jitter neither restarts a
// cycle nor repeats a date.
func (r Reservation) SavedOver(old Reservation, now time.Time) Reservation {
	r.Saved, r.Fired = now, time.Time{}
	if r.timing() == old.timing() && !old.Saved.IsZero() {
		r.Saved, r.Fired = old.Saved, old.Fired
	}
	return r
}

// timing is the selected method with its values, for comparison.
func (r Reservation) timing() string {
	switch r.Method {
	case MethodDate:
		return fmt.Sprintln(r.Method, r.At, r.Zone)
	case MethodBefore:
		return fmt.Sprintln(r.Method, r.Before)
	case MethodEvery:
		return fmt.Sprintln(r.Method, r.Every)
	case MethodMonthly:
		return fmt.Sprintln(r.Method, r.Day, r.clock(), r.Zone)
	case MethodYearly:
		return fmt.Sprintln(r.Method, r.Month, r.Day, r.clock(), r.Zone)
	}
	return string(MethodOff)
}

// Validate checks the settings as they are about to be saved (RSV-16, TIM-04).
// A date that has passed is refused unless it is done with already.
func (r Reservation) Validate(now time.Time) error {
	if err := r.validateCommon(); err != nil {
		return err
	}
	switch r.Method {
	case MethodOff:
	case MethodDate:
		wall, ok := parseWall(dateLayout, r.At)
		if !ok {
			return r.wrong("at", "Write it as 2027-03-01T04:00, with a day that the month has.", "%q is no date and time of the calendar", r.At)
		}
		if r.Fired.IsZero() && instant(wall, r.location()).Before(now) {
			return r.wrong("at", "Choose a later date; \"newleaf update run\" updates now.", "%s has passed", r.At)
		}
	case MethodBefore:
		if r.Before < 0 || r.Before > longest {
			return r.wrong("before", "Give a period such as 14d.", "%s is not between 0 and 3650 days", period(r.Before))
		}
	case MethodEvery:
		if r.Every < time.Minute || r.Every > longest {
			return r.wrong("every", "Give a period such as 30d.", "%s is not between 1 minute and 3650 days", period(r.Every))
		}
	case MethodMonthly:
		if r.Day < 1 || r.Day > 31 {
			return r.wrong("monthly", "Give 1 to 31; where a month is shorter, its last day counts.", "%d is no day of a month", r.Day)
		}
	case MethodYearly:
		if r.Month < 1 || r.Month > 12 || r.Day < 1 || r.Day > daysIn(leapYear, r.Month) {
			return r.wrong("yearly", "Give month and day; for 02-29 other years take 28 February.", "%02d-%02d is no date of a year", int(r.Month), r.Day)
		}
	default:
		return r.wrong("method", "Use off, date, before, every, monthly or yearly.", "there is no method %q", r.Method)
	}
	return nil
}

// validateCommon checks the fields that several methods share.
func (r Reservation) validateCommon() error {
	if _, ok := parseWall(clockLayout, r.clock()); !ok {
		return r.wrong("time", "Write it as 03:00, from 00:00 to 23:59.", "%q is no time of day", r.Time)
	}
	walls := []Method{MethodDate, MethodMonthly, MethodYearly}
	if _, ok := loadZone(r.Zone); !ok && (r.Zone != "" || slices.Contains(walls, r.Method)) {
		return r.wrong("zone", "Use an IANA name such as Europe/Berlin or UTC.", "there is no time zone %q", r.Zone)
	}
	if r.Jitter < 0 || r.Jitter > day {
		return r.wrong("jitter", "Give a window such as 30m; 0 is none.", "%s is not between 0 and 24 hours", r.Jitter)
	}
	return nil
}

// wrong is the refusal of one field, named as its flag is.
func (r Reservation) wrong(field, hint, format string, args ...any) error {
	return Errorf(CodeInvalid, "the value of %q is not acceptable: %s", field, fmt.Sprintf(format, args...)).WithHint("%s", hint)
}

// Warnings are sentences to show beside a reservation that is allowed and will
// not do what it seems to: a certificate in use ends before its date or within
// its cycle, is shorter than the period before its end, or is not chosen
// (RSV-20). Saved must be set, see [Reservation.SavedOver].
func (r Reservation) Warnings(held []Held) []string {
	out := []string{}
	zone := r.location()
	for _, h := range held {
		switch {
		case r.off() || !h.InUse || h.unending():
		case !r.selects(h.ID):
			out = append(out, fmt.Sprintf("Certificate %s is in use but not chosen: nothing updates it before it ends on %s.", h.label(), showWall(h.NotAfter, zone)))
		case r.Method == MethodBefore && r.Before >= h.Lifetime():
			out = append(out, fmt.Sprintf("Certificate %s is valid for %s only, not longer than the %s before its end: it is updated in the last third.", h.label(), period(h.Lifetime()), period(r.Before)))
		default:
			if at, end := r.tooLate(h, zone); !at.IsZero() {
				out = append(out, fmt.Sprintf("The update of certificate %s on %s comes after its end on %s: %s", h.label(), showWall(at, zone), showWall(end, zone), r.rescue(h)))
			}
		}
	}
	return out
}

// tooLate looks a year of monthly runs ahead for one that comes after the end of
// the certificate then held; at is zero when there is none.
func (r Reservation) tooLate(h Held, zone *time.Location) (at, end time.Time) {
	for range 12 {
		at = r.reserved(h, zone)
		if at.IsZero() || at.After(h.NotAfter) {
			return at, h.NotAfter
		}
		h = h.Renewed(at)
	}
	return time.Time{}, time.Time{}
}

// rescue says what happens to a certificate whose update comes too late.
func (r Reservation) rescue(h Held) string {
	switch {
	case !h.Renewable:
		return "it has no issuance request, so a person has to replace it."
	case r.SafetyNet:
		return "the safety net updates it before."
	}
	return "it will expire, as the safety net is off."
}

// off reports that the device does nothing by itself.
func (r Reservation) off() bool { return r.Method == MethodOff || r.Method == "" }

// selects reports whether the certificate is among those to update (TIM-29).
func (r Reservation) selects(id ID) bool {
	return len(r.Only) == 0 || slices.Contains(r.Only, id)
}

// period writes whole days as days.
func period(d time.Duration) string {
	switch {
	case d == day:
		return "1 day"
	case d%day == 0:
		return fmt.Sprintf("%d days", d/day)
	}
	return d.String()
}
