package newleaf

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// held is a renewable certificate in use.
func held(id ID, notBefore, notAfter string) Held {
	return Held{ID: id, NotBefore: utc(notBefore), NotAfter: utc(notAfter), InUse: true, Renewable: true}
}

// updated is a year's certificate whose last update was then.
func updated(at string) Held {
	h := held("a", "2026-06-01T00:00:00Z", "2029-06-01T00:00:00Z")
	h.Updated = utc(at)
	return h
}

func with(h Held, change func(*Held)) Held {
	change(&h)
	return h
}

// TestTIMDue holds the instants of the rows; at each one it is due, a second
// before it is not.
func TestTIMDue(t *testing.T) {
	spring := held("a", "2027-01-05T00:00:00Z", "2027-04-05T00:00:00Z")
	ten := held("a", "2027-01-01T00:00:00Z", "2027-01-11T00:00:00Z")
	saved := utc("2027-01-20T12:00:00Z")
	before := Reservation{Method: MethodBefore, Before: 14 * day}
	date := Reservation{Method: MethodDate, At: "2027-03-01T04:00", Zone: "Europe/Berlin"}
	every := Reservation{Method: MethodEvery, Every: 30 * day, Saved: saved}
	monthly := func(d int, clock, zone string) Reservation {
		return Reservation{Method: MethodMonthly, Day: d, Time: clock, Zone: zone, Saved: saved}
	}
	yearly := func(m time.Month, d int) Reservation {
		return Reservation{Method: MethodYearly, Month: m, Day: d, Zone: "UTC", Saved: saved}
	}
	netOf := func(r Reservation) Reservation { r.SafetyNet = true; return r }
	for _, c := range []struct {
		name string
		r    Reservation
		h    Held
		want string // "" is never
	}{
		{"TIM-01 and TIM-44 on the minute", date, spring, "2027-03-01T03:00:00Z"},
		{"TIM-02 done", Reservation{Method: MethodDate, At: "2027-03-01T04:00", Zone: "UTC", Fired: utc("2027-03-01T04:01:00Z")}, spring, ""},
		{"TIM-02 this certificate is done", date, updated("2027-03-01T03:00:00Z"), ""},
		{"TIM-02 an update before the date is none", date, updated("2027-03-01T02:59:59Z"), "2027-03-01T03:00:00Z"},
		{"TIM-03 the date stays due when missed", date, updated("2026-12-01T00:00:00Z"), "2027-03-01T03:00:00Z"},
		{"TIM-05 and TIM-07", before, spring, "2027-03-22T00:00:00Z"},
		{"TIM-07 whatever the zone", Reservation{Method: MethodBefore, Before: 14 * day, Zone: "Europe/Berlin"}, spring, "2027-03-22T00:00:00Z"},
		{"TIM-06 n = 0 is the end itself", Reservation{Method: MethodBefore}, spring, "2027-04-05T00:00:00Z"},
		{"TIM-09 n > lifetime: a third", before, ten, "2027-01-07T16:00:00Z"},
		{"TIM-09 n = lifetime", Reservation{Method: MethodBefore, Before: 10 * day}, ten, "2027-01-07T16:00:00Z"},
		{"TIM-09 n < lifetime is taken at its word", Reservation{Method: MethodBefore, Before: 9 * day}, ten, "2027-01-02T00:00:00Z"},
		{"TIM-09 dated back by a day: not due at birth", Reservation{Method: MethodBefore, Before: 9*day + 12*time.Hour},
			with(ten, func(h *Held) { h.Updated = utc("2027-01-02T00:00:00Z") }), "2027-01-08T00:00:00Z"},
		{"TIM-10 not in use", before, with(spring, func(h *Held) { h.InUse = false }), ""},
		{"TIM-11 and TIM-40 expired", before, held("a", "2025-01-01T00:00:00Z", "2026-01-01T00:00:00Z"), "2025-12-18T00:00:00Z"},
		{"TIM-43 not before notBefore", Reservation{Method: MethodBefore, Before: day},
			held("a", "2027-01-01T00:00:00Z", "2026-01-01T00:00:00Z"), "2027-01-01T00:00:00Z"},
		{"TIM-45 no end", netOf(before), held("a", "2027-01-01T00:00:00Z", "9999-12-31T23:59:59Z"), ""},
		{"TIM-45 a second less", before, held("a", "2027-01-01T00:00:00Z", "9999-12-31T23:59:58Z"), "9999-12-17T23:59:58Z"},
		{"TIM-12 and TIM-13", every, updated("2027-02-01T05:06:07Z"), "2027-03-03T05:06:07Z"},
		{"TIM-13 across the change to summer time", Reservation{Method: MethodEvery, Every: 30 * day, Zone: "Europe/Berlin"}, updated("2027-03-10T03:00:00Z"), "2027-04-09T03:00:00Z"},
		{"TIM-14 no update yet", every, spring, "2027-02-19T12:00:00Z"},
		{"TIM-15 an issuance moves the anchor", every, updated("2027-02-10T00:00:00Z"), "2027-03-12T00:00:00Z"},
		{"TIM-13 an update before the saving is the anchor all the same", every, updated("2027-01-10T00:00:00Z"), "2027-02-09T00:00:00Z"},
		{"TIM-14 never saved", Reservation{Method: MethodEvery, Every: day}, spring, ""},
		{"TIM-17", monthly(31, "03:00", "UTC"), updated("2027-01-31T03:00:00Z"), "2027-02-28T03:00:00Z"},
		{"TIM-18", monthly(31, "03:00", "UTC"), updated("2027-02-28T03:10:00Z"), "2027-03-31T03:00:00Z"},
		{"TIM-19", yearly(2, 29), updated("2027-02-28T03:00:00Z"), "2028-02-29T03:00:00Z"},
		{"TIM-20 wall time of the zone", monthly(10, "03:00", "Asia/Tokyo"), updated("2027-03-01T00:00:00Z"), "2027-03-09T18:00:00Z"},
		{"TIM-21 gap", monthly(28, "02:30", "Europe/Berlin"), updated("2027-03-01T00:00:00Z"), "2027-03-28T01:00:00Z"},
		{"TIM-21 once", monthly(28, "02:30", "Europe/Berlin"), updated("2027-03-28T01:00:00Z"), "2027-04-28T00:30:00Z"},
		{"TIM-21 Santiago, not on 4 September", monthly(5, "00:30", "America/Santiago"), updated("2027-08-10T00:00:00Z"), "2027-09-05T04:00:00Z"},
		{"TIM-22 first of two", monthly(31, "02:30", "Europe/Berlin"), updated("2027-10-01T00:00:00Z"), "2027-10-31T00:30:00Z"},
		{"TIM-22 once", monthly(31, "02:30", "Europe/Berlin"), updated("2027-10-31T00:30:00Z"), "2027-11-30T01:30:00Z"},
		{"TIM-23", Reservation{Method: MethodDate, At: "2027-04-04T01:45", Zone: "Australia/Lord_Howe"}, spring, "2027-04-03T14:45:00Z"},
		{"TIM-26 03:00 unless said otherwise", monthly(10, "", "UTC"), updated("2027-03-01T00:00:00Z"), "2027-03-10T03:00:00Z"},
		{"TIM-27 on the 9th", monthly(10, "03:00", "UTC"), updated("2027-03-09T12:00:00Z"), "2027-04-10T03:00:00Z"},
		{"TIM-27 on the 8th", monthly(10, "03:00", "UTC"), updated("2027-03-08T12:00:00Z"), "2027-03-10T03:00:00Z"},
		{"TIM-27 exactly 24 h", monthly(10, "03:00", "UTC"), updated("2027-03-09T03:00:00Z"), "2027-03-10T03:00:00Z"},
		{"TIM-27 a second less", monthly(10, "03:00", "UTC"), updated("2027-03-09T03:00:01Z"), "2027-04-10T03:00:00Z"},
		{"TIM-27 yearly", yearly(3, 10), updated("2027-03-09T12:00:00Z"), "2028-03-10T03:00:00Z"},
		{"TIM-27 saving is no update", monthly(21, "03:00", "UTC"), spring, "2027-01-21T03:00:00Z"},
		{"TIM-28 missed cycles are one", monthly(1, "03:00", "UTC"), updated("2026-10-15T00:00:00Z"), "2026-11-01T03:00:00Z"},
		{"TIM-29 not chosen", Reservation{Method: MethodBefore, Before: day, Only: []ID{"b"}, SafetyNet: true}, spring, ""},
		{"TIM-29 cannot be renewed", netOf(before), with(spring, func(h *Held) { h.Renewable = false }), ""},
		{"TIM-30 14 days", netOf(yearly(12, 1)), held("a", "2027-01-01T00:00:00Z", "2027-10-01T00:00:00Z"), "2027-09-17T00:00:00Z"},
		{"TIM-30 a fifth", netOf(yearly(12, 1)), ten, "2027-01-09T00:00:00Z"},
		{"TIM-30 a done date", netOf(Reservation{Method: MethodDate, At: "2027-01-02T00:00", Zone: "UTC", Fired: saved}), ten, "2027-01-09T00:00:00Z"},
		{"TIM-30 beside 1802 with less", netOf(Reservation{Method: MethodBefore, Before: day}), spring, "2027-03-22T00:00:00Z"},
		{"TIM-30 dated back: not due at birth", netOf(yearly(12, 1)), with(ten, func(h *Held) { h.Updated = utc("2027-01-10T00:00:00Z") }), "2027-01-10T19:12:00Z"},
		{"TIM-30 switched off", yearly(12, 1), ten, "2027-12-01T03:00:00Z"},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := c.r.Due(c.h)
			if !d.At.Equal(utc(c.want)) || (d.Cause == "") != (c.want == "") {
				t.Fatalf("got %s %s, want %s", d.At, d.Cause, c.want)
			}
			if want := utc(c.want); c.want != "" && (d.Reached(want.Add(-time.Second)) || !d.Reached(want) || !d.Reached(want.Add(10*day))) {
				t.Error("it is not due from that instant on")
			}
			if c.want == "" && d.Reached(utc("9999-12-31T23:59:59Z")) {
				t.Error("never is reached")
			}
		})
	}
}

func TestTIMCause(t *testing.T) {
	h := held("a", "2027-01-05T00:00:00Z", "2027-04-05T00:00:00Z")
	for _, c := range []struct {
		before time.Duration
		want   Cause
	}{{15 * day, CauseReservation}, {14 * day, CauseReservation}, {13 * day, CauseSafetyNet}} {
		if d := (Reservation{Method: MethodBefore, Before: c.before, SafetyNet: true}).Due(h); d.Cause != c.want {
			t.Errorf("%s before the end: %s, want %s", c.before, d.Cause, c.want)
		}
	}
}

func TestTIMNext(t *testing.T) {
	now := utc("2027-01-01T00:00:00Z")
	a := held("a", "2026-06-01T00:00:00Z", "2027-06-01T00:00:00Z")
	b := held("b", "2026-06-01T00:00:00Z", "2027-03-01T00:00:00Z")
	c := with(held("c", "2026-06-01T00:00:00Z", "2027-02-01T00:00:00Z"), func(h *Held) { h.InUse = false })
	d := with(held("d", "2026-06-01T00:00:00Z", "2027-02-01T00:00:00Z"), func(h *Held) { h.Renewable = false })
	all := []Held{a, b, c, d}
	t.Run("TIM-08 each for itself", func(t *testing.T) {
		want := []Due{{"b", utc("2027-02-15T00:00:00Z"), CauseReservation}, {"a", utc("2027-05-18T00:00:00Z"), CauseReservation}}
		if diff := cmp.Diff(want, Reservation{Method: MethodBefore, Before: 14 * day}.Next(all, now)); diff != "" {
			t.Error(diff)
		}
	})
	date := Reservation{Method: MethodDate, At: "2027-01-10T00:00", Zone: "UTC"}
	t.Run("TIM-29 and TIM-39 all in use, the one that ends first comes first", func(t *testing.T) {
		at := utc("2027-01-10T00:00:00Z")
		if diff := cmp.Diff([]Due{{"b", at, CauseReservation}, {"a", at, CauseReservation}}, date.Next(all, now)); diff != "" {
			t.Error(diff)
		}
	})
	t.Run("TIM-29 the chosen ones", func(t *testing.T) {
		only := date
		only.Only = []ID{"a", "c"}
		if got := only.Next(all, now); len(got) != 1 || got[0].ID != "a" {
			t.Error(got)
		}
	})
	t.Run("TIM-02 and AMB-15 spent when none is left", func(t *testing.T) {
		at := utc("2027-01-10T00:00:00Z")
		done := []Held{a.Renewed(at), b, c, d}
		if date.Spent(all, at.Add(-1)) || date.Spent(all, at) || date.Spent(done, at.Add(day)) {
			t.Error("it is spent too early")
		}
		if got := date.Next(done, at.Add(day)); len(got) != 1 || got[0].ID != "b" {
			t.Errorf("after one success %v are due", got)
		}
		if got := date.Next(done, at.Add(-365*day)); len(got) != 1 || got[0].ID != "b" {
			t.Errorf("TIM-32: with the clock set back %v are due", got)
		}
		done[1] = b.Renewed(at.Add(day))
		if !date.Spent(done, at.Add(day)) || (Reservation{Method: MethodEvery}).Spent(done, at.Add(day)) {
			t.Error("it is not spent when all are done")
		}
		net := date
		net.SafetyNet = true
		if !net.Spent(done, done[1].NotAfter) {
			t.Error("what the safety net wants keeps the date from being spent")
		}
		date.Fired = at.Add(day)
		if got := date.Next(done, at.Add(-365*day)); len(got) != 0 || date.Spent(done, at.Add(2*day)) {
			t.Error("TIM-32: the clock set back makes it due again", got)
		}
	})
	t.Run("TIM-32 an anchor to come counts as now", func(t *testing.T) {
		future := with(a, func(h *Held) { h.Updated = utc("2027-05-01T00:00:00Z") })
		got := Reservation{Method: MethodEvery, Every: 30 * day}.Next([]Held{future}, now)
		if len(got) != 1 || !got[0].At.Equal(now.Add(30*day)) {
			t.Error(got)
		}
	})
	t.Run("TIM-34 and TIM-46 other settings decide anew", func(t *testing.T) {
		r := Reservation{Method: MethodBefore, Before: 58 * day}
		if !r.Next(all, now.Add(day))[0].Reached(now.Add(day)) {
			t.Error("58 days before the end it is not due")
		}
		r.Before = 14 * day
		if r.Next(all, now.Add(day))[0].Reached(now.Add(day)) {
			t.Error("it is still due under the new settings")
		}
	})
}

func TestTIMJitter(t *testing.T) {
	at := utc("2027-03-01T04:00:00Z")
	t.Run("TIM-38 100 devices spread over the window", func(t *testing.T) {
		tenths := map[time.Duration]int{}
		for i := range 100 {
			name := fmt.Sprint("device-", i)
			j := JitterFor(name, 30*time.Minute, at)
			if j < 0 || j >= 30*time.Minute || j != JitterFor(name, 30*time.Minute, at.In(time.FixedZone("", 3600))) {
				t.Fatalf("%s of %s", j, name)
			}
			tenths[j/(3*time.Minute)]++
		}
		if len(tenths) != 10 {
			t.Errorf("100 devices leave tenths empty: %v", tenths)
		}
	})
	t.Run("TIM-38 0 is exact", func(t *testing.T) {
		if j := JitterFor("a", 0, at); j != 0 {
			t.Error(j)
		}
	})
	t.Run("TIM-38 never more than a tenth of a short lifetime", func(t *testing.T) {
		h := held("a", "2027-03-01T04:00:00Z", "2027-03-01T05:40:00Z")
		r := Reservation{Method: MethodBefore, Before: 90 * time.Minute, Jitter: 30 * time.Minute}
		for i := range 100 {
			if late := r.Start(r.Due(h), h, fmt.Sprint(i)).Sub(r.Due(h).At); late < 0 || late >= 10*time.Minute {
				t.Fatal(late)
			}
		}
	})
	t.Run("TIM-38 another instant, another delay", func(t *testing.T) {
		if JitterFor("a", time.Hour, at) == JitterFor("a", time.Hour, at.Add(day)) {
			t.Error("the same device always comes at the same minute")
		}
	})
}

func TestTIMScaled(t *testing.T) {
	for _, c := range []struct{ c, lifetime, want time.Duration }{
		{day, 365 * day, day}, {day, 10 * day, day}, {day, 5 * day, 12 * time.Hour},
		{30 * time.Minute, 10 * time.Minute, time.Minute}, {day, 0, day},
	} {
		if got := Scaled(c.c, c.lifetime); got != c.want {
			t.Errorf("%s of %s: %s, want %s", c.c, c.lifetime, got, c.want)
		}
	}
}

// anyHeld draws certificates of minutes to decades, also dated back and late.
func anyHeld(t *rapid.T, id ID) Held {
	minutes := rapid.OneOf(rapid.IntRange(2, 600), rapid.IntRange(1440, 20*525600)).Draw(t, "lifetime")
	h := Held{ID: id, NotBefore: utc("2027-01-01T00:00:00Z"), InUse: true, Renewable: true}
	h.NotAfter = h.NotBefore.Add(time.Duration(minutes) * time.Minute)
	if rapid.Bool().Draw(t, "updated") {
		h.Updated = h.NotBefore.Add(time.Duration(rapid.IntRange(0, minutes-1).Draw(t, "late")) * time.Minute)
	}
	return h
}

func anyReservation(t *rapid.T) Reservation {
	return Reservation{
		Method: rapid.SampledFrom([]Method{MethodDate, MethodBefore, MethodEvery, MethodMonthly, MethodYearly}).Draw(t, "method"),
		At:     utc("2027-01-01T00:00:00Z").AddDate(0, 0, rapid.IntRange(0, 3000).Draw(t, "at")).Format(dateLayout),
		Before: time.Duration(rapid.IntRange(0, 3650*1440).Draw(t, "before")) * time.Minute,
		Every:  time.Duration(rapid.IntRange(1, 3650*1440).Draw(t, "every")) * time.Minute,
		Day:    rapid.IntRange(1, 31).Draw(t, "day"), Month: time.Month(rapid.IntRange(1, 12).Draw(t, "month")),
		Time: fmt.Sprintf("%02d:%02d", rapid.IntRange(0, 23).Draw(t, "hour"), rapid.IntRange(0, 59).Draw(t, "minute")),
		Zone: rapid.SampledFrom(zones).Draw(t, "zone"), SafetyNet: rapid.Bool().Draw(t, "net"),
		Jitter: time.Duration(rapid.IntRange(0, 1440).Draw(t, "jitter")) * time.Minute,
		Saved:  utc("2026-12-01T00:00:00Z"),
	}
}

// TestTIMInvariants: never due at or before the anchor, and with the safety net
// always due, jitter included, while the certificate is valid.
func TestTIMInvariants(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r, h := anyReservation(t), anyHeld(t, "a")
		d := r.Due(h)
		anchor := h.Updated
		if anchor.IsZero() && r.Method != MethodDate && r.Method != MethodBefore {
			anchor = r.Saved
		}
		if !d.At.IsZero() && !d.At.After(anchor) {
			t.Fatalf("due at %s, not after the anchor %s", d.At, anchor)
		}
		if start := r.Start(d, h, "device"); r.SafetyNet && (d.At.IsZero() || !start.Before(h.NotAfter)) {
			t.Fatalf("due at %s, started at %s, the end is %s", d.At, start, h.NotAfter)
		}
	})
}
