package newleaf

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// rows writes a plan as text for comparison.
func rows(plan []Planned) []string {
	out := []string{}
	for _, p := range plan {
		out = append(out, fmt.Sprint(p.At.Format(time.RFC3339), " ", p.Cause, " ", p.Certificates))
	}
	return out
}

func TestForecast(t *testing.T) {
	a := held("a", "2026-12-01T00:00:00Z", "2028-12-01T00:00:00Z")
	b := held("b", "2026-12-01T00:00:00Z", "2027-12-01T00:00:00Z")
	ninety := held("c", "2027-01-01T00:00:00Z", "2027-04-01T00:00:00Z")
	ten := held("d", "2027-01-01T00:00:00Z", "2027-01-11T00:00:00Z")
	saved := utc("2027-01-01T00:00:00Z")
	for _, c := range []struct {
		name  string
		r     Reservation
		held  []Held
		from  string
		count int
		want  []string
	}{
		{"TIM-17 and TIM-18 monthly on the 31st, one row for two", Reservation{Method: MethodMonthly, Day: 31, Zone: "UTC", Saved: saved}, []Held{a, b}, "2027-01-01T00:00:00Z", 4, []string{
			"2027-01-31T03:00:00Z reservation [a b]", "2027-02-28T03:00:00Z reservation [a b]",
			"2027-03-31T03:00:00Z reservation [a b]", "2027-04-30T03:00:00Z reservation [a b]"}},
		{"TIM-19 yearly", Reservation{Method: MethodYearly, Month: 2, Day: 29, Zone: "UTC", Saved: saved}, []Held{a}, "2027-01-01T00:00:00Z", 2, []string{
			"2027-02-28T03:00:00Z reservation [a]", "2028-02-29T03:00:00Z reservation [a]"}},
		{"TIM-02 a date comes once", Reservation{Method: MethodDate, At: "2027-03-01T04:00", Zone: "UTC"}, []Held{a, b}, "2027-01-01T00:00:00Z", 5, []string{
			"2027-03-01T04:00:00Z reservation [a b]"}},
		{"TIM-08 two ends", Reservation{Method: MethodBefore, Before: 14 * day}, []Held{a, b}, "2027-01-01T00:00:00Z", 2, []string{
			"2027-11-17T00:00:00Z reservation [b]", "2028-11-02T00:00:00Z reservation [b]"}},
		{"TIM-13 and TIM-14 from the saving on", Reservation{Method: MethodEvery, Every: 30 * day, Saved: saved}, []Held{a}, "2027-01-01T00:00:00Z", 2, []string{
			"2027-01-31T00:00:00Z reservation [a]", "2027-03-02T00:00:00Z reservation [a]"}},
		{"TIM-28 one catch-up after three months", Reservation{Method: MethodMonthly, Day: 1, Zone: "UTC"}, []Held{a.Renewed(saved)}, "2027-04-15T10:00:00Z", 2, []string{
			"2027-04-15T10:00:00Z reservation [a]", "2027-05-01T03:00:00Z reservation [a]"}},
		{"TIM-09 ten-day certificates, 14 days before: at most 5 in 30 days", Reservation{Method: MethodBefore, Before: 14 * day}, []Held{ten}, "2027-01-01T00:00:00Z", 5, []string{
			"2027-01-07T16:00:00Z reservation [d]", "2027-01-14T08:00:00Z reservation [d]", "2027-01-21T00:00:00Z reservation [d]",
			"2027-01-27T16:00:00Z reservation [d]", "2027-02-03T08:00:00Z reservation [d]"}},
		{"TIM-30 two causes at one instant are two rows", Reservation{Method: MethodDate, At: "2027-03-18T00:00", Zone: "UTC", SafetyNet: true},
			[]Held{ninety, a, held("e", "2027-01-01T00:00:00Z", "2027-03-31T12:00:00Z")}, "2027-03-18T00:00:00Z", 2, []string{
				"2027-03-18T00:00:00Z reservation [c a]", "2027-03-18T00:00:00Z safety-net [e]"}},
		{"TIM-45 no end, no row", Reservation{Method: MethodBefore, Before: day, SafetyNet: true}, []Held{held("f", "2027-01-01T00:00:00Z", "9999-12-31T23:59:59Z")}, "2027-01-01T00:00:00Z", 3, []string{}},
		{"TIM-45 no end, in a cycle", Reservation{Method: MethodEvery, Every: 3650 * day, Saved: saved}, []Held{held("f", "2027-01-01T00:00:00Z", "9999-12-31T23:59:59Z")}, "9980-01-01T00:00:00Z", 9, []string{
			"9980-01-01T00:00:00Z reservation [f]", "9989-12-29T00:00:00Z reservation [f]", "9999-12-27T00:00:00Z reservation [f]"}},
		{"a validity of nothing comes once", Reservation{Method: MethodBefore}, []Held{held("g", "2027-01-01T00:00:00Z", "2026-01-01T00:00:00Z")}, "2027-01-01T00:00:00Z", 3, []string{
			"2027-01-01T00:00:00Z reservation [g]"}},
		{"RSV-15 off", DefaultReservation("UTC"), []Held{a}, "2029-01-01T00:00:00Z", 3, []string{}},
		{"a count of nothing", Reservation{Method: MethodBefore}, []Held{a}, "2027-01-01T00:00:00Z", -1, []string{}},
	} {
		t.Run(c.name, func(t *testing.T) {
			if diff := cmp.Diff(c.want, rows(c.r.Forecast(c.held, utc(c.from), c.count))); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// TestForecastSafetyNet is TIM-30: yearly, with certificates of 90 days, for two years.
func TestForecastSafetyNet(t *testing.T) {
	r := Reservation{Method: MethodYearly, Month: 7, Day: 1, Zone: "Europe/Berlin", SafetyNet: true, Saved: utc("2027-01-01T00:00:00Z")}
	h, causes := held("a", "2027-01-01T00:00:00Z", "2027-04-01T00:00:00Z"), map[Cause]int{}
	for _, p := range r.Forecast([]Held{h}, utc("2027-01-01T00:00:00Z"), 12) {
		if !p.At.Before(h.NotAfter) {
			t.Fatalf("it ended on %s, before the update on %s", h.NotAfter, p.At)
		}
		h = h.Renewed(p.At)
		causes[p.Cause]++
	}
	if h.NotBefore.Before(utc("2029-01-01T00:00:00Z")) || causes[CauseReservation] < 2 || causes[CauseSafetyNet] < 6 {
		t.Errorf("up to %s there were %v", h.NotBefore, causes)
	}
}

// TestForecastIncreases: no certificate twice at one instant, time never goes
// back, and with the safety net none ends before its update.
func TestForecastIncreases(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := anyReservation(t)
		all := map[ID]Held{}
		list := []Held{}
		for _, id := range []ID{"a", "b", "c"}[:rapid.IntRange(1, 3).Draw(t, "certificates")] {
			all[id] = anyHeld(t, id)
			list = append(list, all[id])
		}
		before := append([]Held{}, list...)
		from := utc("2027-01-01T00:00:00Z")
		last := map[ID]time.Time{}
		at := from
		for _, p := range r.Forecast(list, from, 30) {
			if p.At.Before(at) || len(p.Certificates) == 0 {
				t.Fatalf("row %v after %s", p, at)
			}
			at = p.At
			for _, id := range p.Certificates {
				if seen, ok := last[id]; ok && !at.After(seen) {
					t.Fatalf("%s at %s again", id, at)
				}
				if r.SafetyNet && !at.Before(all[id].NotAfter) {
					t.Fatalf("%s ended on %s, before its update on %s", id, all[id].NotAfter, at)
				}
				last[id], all[id] = at, all[id].Renewed(at)
			}
		}
		if diff := cmp.Diff(before, list); diff != "" {
			t.Fatal("the caller's certificates were changed: ", diff)
		}
	})
}

// TestForecastMonthly: over 20 years each calendar month of the zone has exactly
// one run, on its day or its last.
func TestForecastMonthly(t *testing.T) {
	for _, zone := range zones {
		t.Run(zone, func(t *testing.T) {
			for _, d := range []int{1, 29, 31} {
				for _, clock := range []string{"00:15", "02:30", "23:45"} {
					monthly(t, zone, d, clock)
				}
			}
		})
	}
	rapid.Check(t, func(t *rapid.T) {
		clock := fmt.Sprintf("%02d:%02d", rapid.IntRange(0, 23).Draw(t, "hour"), rapid.IntRange(0, 59).Draw(t, "minute"))
		monthly(t, rapid.SampledFrom(zones).Draw(t, "zone"), rapid.IntRange(1, 31).Draw(t, "day"), clock)
	})
}

func monthly(t rapid.TB, zone string, d int, clock string) {
	r := Reservation{Method: MethodMonthly, Day: d, Time: clock, Zone: zone, Saved: utc("2026-12-31T23:59:00Z")}
	plan := r.Forecast([]Held{held("a", "2026-01-01T00:00:00Z", "2056-01-01T00:00:00Z")}, r.Saved, 12*20)
	if len(plan) != 12*20 {
		t.Fatalf("%d rows", len(plan))
	}
	local := zoneOf(t, zone)
	first := plan[0].At.In(local)
	for i, p := range plan {
		got := p.At.In(local)
		month := time.Date(first.Year(), first.Month()+time.Month(i), 1, 0, 0, 0, 0, time.UTC)
		want := min(d, daysIn(month.Year(), month.Month()))
		moved := got.Day() == want+1 && got.Hour() == 0 && got.Minute() == 0 // a gap up to midnight
		if got.Year() != month.Year() || got.Month() != month.Month() || got.Day() != want && !moved {
			t.Fatalf("run %d of day %d at %s on %s, want day %d of %s", i, d, clock, got, want, month.Format("2006-01"))
		}
	}
}
