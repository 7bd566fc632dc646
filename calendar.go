package newleaf

import (
	"sort"
	"time"
)

const (
	dateLayout  = "2006-01-02T15:04" // Reservation.At
	clockLayout = "15:04"            // Reservation.Time
	defaultTime = "03:00"

	leapYear = 2000 // has every date that a year can have
)

// parseWall reads s as exactly the layout says; time.Parse alone takes 4:00 for
// 04:00. It refuses dates that the calendar lacks, and so does parseWall.
func parseWall(layout, s string) (time.Time, bool) {
	t, err := time.Parse(layout, s)
	return t, err == nil && t.Format(layout) == s
}

// loadZone finds an IANA zone. "" and "Local" mean whatever the machine is set
// to, so they are none.
func loadZone(name string) (*time.Location, bool) {
	if name == "" || name == "Local" {
		return nil, false
	}
	zone, err := time.LoadLocation(name)
	return zone, err == nil
}

// location is the zone of r's wall times. Settings that name none, or one that
// is gone from the zone data, run in UTC: late is better than never.
func (r Reservation) location() *time.Location {
	if zone, ok := loadZone(r.Zone); ok {
		return zone
	}
	return time.UTC
}

// clock is the time of day of the calendar cycles (TIM-26).
func (r Reservation) clock() string {
	if r.Time == "" {
		return defaultTime
	}
	return r.Time
}

// instant is the first moment at which the clocks of zone show wall (given as
// if it were UTC) or have skipped it: of a repeated wall time the first
// occurrence, of a missing one the end of the gap (TIM-21, TIM-22). time.Date
// promises neither, and ZoneBounds errs on 31 December of a leap year. No zone
// changes its clocks twice within a day and a half.
func instant(wall time.Time, zone *time.Location) time.Time {
	offset := func(t time.Time) time.Duration {
		_, seconds := t.In(zone).Zone()
		return time.Duration(seconds) * time.Second
	}
	start := wall.Add(-day) // earlier than wall in every zone
	before := offset(start)
	at := wall.Add(-before)
	after := offset(at)
	if after == before {
		return at
	}
	change := start.Add(time.Duration(sort.Search(int(at.Sub(start)/time.Second), func(i int) bool {
		return offset(start.Add(time.Duration(i)*time.Second)) != before
	})) * time.Second)
	if at = wall.Add(-after); at.Before(change) {
		return change
	}
	return at
}

// nextDate is the first instant after t at which it is the given day, at clock,
// in the zone: of every month, or of one month where that is not 0. A month
// without that day gives its last (TIM-17..19); nothing drifts, as each date is
// counted from the setting and not from the one before.
func nextDate(t time.Time, month time.Month, dayOf int, clock time.Time, zone *time.Location) time.Time {
	y, m, _ := t.In(zone).Date()
	step := time.Month(1)
	if month != 0 {
		m, step = month, 12
	}
	for ; ; m += step {
		d := min(dayOf, daysIn(y, m))
		wall := time.Date(y, m, d, clock.Hour(), clock.Minute(), 0, 0, time.UTC)
		if at := instant(wall, zone); at.After(t) {
			return at
		}
	}
}

// daysIn is the length of a month; m may run past December into later years.
func daysIn(y int, m time.Month) int { return time.Date(y, m+1, 0, 0, 0, 0, 0, time.UTC).Day() }

// showWall writes an instant for people, with its zone.
func showWall(t time.Time, zone *time.Location) string {
	return t.In(zone).Format("2006-01-02 15:04 MST")
}
