package newleaf

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestReservationDefault(t *testing.T) {
	r := DefaultReservation("Asia/Tokyo")
	t.Run("RSV-15 off, and off asks nobody", func(t *testing.T) {
		if err := r.Validate(utc("2027-01-01T00:00:00Z")); err != nil || r.Method != MethodOff {
			t.Fatal(r.Method, err)
		}
		expired := held("a", "2026-01-01T00:00:00Z", "2026-12-01T00:00:00Z")
		if got := r.Next([]Held{expired}, utc("2027-01-01T00:00:00Z")); len(got) != 0 {
			t.Errorf("a device that is off wants %v", got)
		}
		if got := (Reservation{}).Due(expired); !got.At.IsZero() {
			t.Errorf("no settings at all want %v", got)
		}
	})
	t.Run("RSV-07 proposes 14 days, TIM-26 03:00, TIM-38 30 minutes, TIM-30 the net", func(t *testing.T) {
		if r.Before != 14*day || r.Time != "03:00" || r.Jitter != 30*time.Minute || !r.SafetyNet {
			t.Errorf("%+v", r)
		}
	})
	t.Run("TIM-20 the zone is kept", func(t *testing.T) {
		data, err := json.Marshal(r)
		var back Reservation
		if err == nil {
			err = json.Unmarshal(data, &back)
		}
		if diff := cmp.Diff(r, back); err != nil || diff != "" || back.Zone != "Asia/Tokyo" {
			t.Error(err, diff)
		}
	})
}

func TestReservationValidate(t *testing.T) {
	now := utc("2027-01-15T12:00:00Z")
	for _, c := range []struct {
		name  string
		r     Reservation
		field string // "" is accepted
	}{
		{"RSV-01 unknown method", Reservation{Method: "cron"}, "method"},
		{"RSV-16 1801", Reservation{Method: MethodDate, At: "2027-03-01T04:00", Zone: "UTC"}, ""},
		{"RSV-16 1801 31 February", Reservation{Method: MethodDate, At: "2027-02-31T04:00", Zone: "UTC"}, "at"},
		{"RSV-16 1801 30 February", Reservation{Method: MethodDate, At: "2028-02-30T04:00", Zone: "UTC"}, "at"},
		{"RSV-16 1801 31 April", Reservation{Method: MethodDate, At: "2027-04-31T04:00", Zone: "UTC"}, "at"},
		{"RSV-16 1801 29 February", Reservation{Method: MethodDate, At: "2028-02-29T04:00", Zone: "UTC"}, ""},
		{"RSV-16 1801 29 February of another year", Reservation{Method: MethodDate, At: "2027-02-29T04:00", Zone: "UTC"}, "at"},
		{"RSV-05 1801 hour 24", Reservation{Method: MethodDate, At: "2027-03-01T24:00", Zone: "UTC"}, "at"},
		{"TIM-04 yesterday", Reservation{Method: MethodDate, At: "2027-01-14T12:00", Zone: "UTC"}, "at"},
		{"TIM-04 now", Reservation{Method: MethodDate, At: "2027-01-15T12:00", Zone: "UTC"}, ""},
		{"TIM-04 past in its zone only", Reservation{Method: MethodDate, At: "2027-01-15T20:59", Zone: "Asia/Tokyo"}, "at"},
		{"TIM-04 past on the device, to come in its zone", Reservation{Method: MethodDate, At: "2027-01-15T07:00", Zone: "America/New_York"}, ""},
		{"TIM-04 done, saved again with other settings", Reservation{Method: MethodDate, At: "2027-01-14T12:00", Zone: "UTC", Fired: now}, ""},
		{"RSV-16 1802 0", Reservation{Method: MethodBefore}, ""},
		{"RSV-16 1802 3650", Reservation{Method: MethodBefore, Before: 3650 * day}, ""},
		{"RSV-16 1802 3651", Reservation{Method: MethodBefore, Before: 3651 * day}, "before"},
		{"RSV-16 1802 -1", Reservation{Method: MethodBefore, Before: -day}, "before"},
		{"RSV-16 1802 minutes for a trial", Reservation{Method: MethodBefore, Before: 5 * time.Minute}, ""},
		{"RSV-16 1803a 0", Reservation{Method: MethodEvery}, "every"},
		{"RSV-16 1803a 1", Reservation{Method: MethodEvery, Every: day}, ""},
		{"RSV-16 1803a 3650", Reservation{Method: MethodEvery, Every: 3650 * day}, ""},
		{"RSV-16 1803a 3651", Reservation{Method: MethodEvery, Every: 3651 * day}, "every"},
		{"RSV-16 1803b 0", Reservation{Method: MethodMonthly, Zone: "UTC"}, "monthly"},
		{"RSV-16 1803b 1", Reservation{Method: MethodMonthly, Day: 1, Zone: "UTC"}, ""},
		{"RSV-16 1803b 29", Reservation{Method: MethodMonthly, Day: 29, Zone: "UTC"}, ""},
		{"RSV-16 1803b 31", Reservation{Method: MethodMonthly, Day: 31, Zone: "UTC"}, ""},
		{"RSV-16 1803b 32", Reservation{Method: MethodMonthly, Day: 32, Zone: "UTC"}, "monthly"},
		{"RSV-16 1803c 29 February", Reservation{Method: MethodYearly, Month: 2, Day: 29, Zone: "UTC"}, ""},
		{"RSV-16 1803c 30 February", Reservation{Method: MethodYearly, Month: 2, Day: 30, Zone: "UTC"}, "yearly"},
		{"RSV-16 1803c 31 February", Reservation{Method: MethodYearly, Month: 2, Day: 31, Zone: "UTC"}, "yearly"},
		{"RSV-16 1803c 31 April", Reservation{Method: MethodYearly, Month: 4, Day: 31, Zone: "UTC"}, "yearly"},
		{"RSV-16 1803c month 0", Reservation{Method: MethodYearly, Day: 1, Zone: "UTC"}, "yearly"},
		{"RSV-16 1803c month 13", Reservation{Method: MethodYearly, Month: 13, Day: 1, Zone: "UTC"}, "yearly"},
		{"TIM-20 a wall time needs a zone", Reservation{Method: MethodMonthly, Day: 1}, "zone"},
		{"TIM-20 the machine's zone is none", Reservation{Method: MethodMonthly, Day: 1, Zone: "Local"}, "zone"},
		{"TIM-20 unknown zone", Reservation{Method: MethodBefore, Zone: "Europe/Atlantis"}, "zone"},
		{"TIM-26 time of day", Reservation{Method: MethodMonthly, Day: 1, Zone: "UTC", Time: "24:00"}, "time"},
		{"TIM-26 one digit", Reservation{Method: MethodMonthly, Day: 1, Zone: "UTC", Time: "3:00"}, "time"},
		{"TIM-38 no jitter", Reservation{Method: MethodBefore, Jitter: 0}, ""},
		{"TIM-38 negative jitter", Reservation{Method: MethodBefore, Jitter: -time.Second}, "jitter"},
		{"TIM-38 jitter of more than a day", Reservation{Method: MethodBefore, Jitter: 25 * time.Hour}, "jitter"},
	} {
		t.Run(c.name, func(t *testing.T) {
			err := c.r.Validate(now)
			if (err != nil) != (c.field != "") {
				t.Fatalf("got %v", err)
			}
			if err == nil {
				return
			}
			if e := AsError(err); e.Code != CodeInvalid || !strings.Contains(e.Text, `"`+c.field+`"`) || e.Hint == CodeInvalid.Info().Hint {
				t.Errorf("%s: %s (%s) does not name %q and a way out", e.Code, e.Text, e.Hint, c.field)
			}
		})
	}
}

func TestReservationSavedOver(t *testing.T) {
	first, later := utc("2027-01-01T00:00:00Z"), utc("2027-02-01T00:00:00Z")
	date := Reservation{Method: MethodDate, At: "2027-01-10T00:00", Zone: "UTC", Saved: first, Fired: utc("2027-01-10T00:05:00Z")}
	every := Reservation{Method: MethodEvery, Every: 30 * day, Saved: first}
	monthly := Reservation{Method: MethodMonthly, Day: 1, Zone: "UTC", Saved: first}
	for _, c := range []struct {
		name         string
		old          Reservation
		change       func(*Reservation)
		saved, fired time.Time
	}{
		{"TIM-14 first save", Reservation{}, func(r *Reservation) { *r = Reservation{Method: MethodEvery, Every: day} }, later, time.Time{}},
		{"TIM-14 the same timing that was never saved", Reservation{Method: MethodEvery, Every: day}, func(*Reservation) {}, later, time.Time{}},
		{"TIM-14 another period starts anew", every, func(r *Reservation) { r.Every = 31 * day }, later, time.Time{}},
		{"TIM-14 another jitter does not", every, func(r *Reservation) { r.Jitter, r.SafetyNet, r.Only = 0, false, []ID{"a"} }, first, time.Time{}},
		{"TIM-14 nor does a value of a method not selected", every, func(r *Reservation) { r.Before, r.Time = day, "04:00" }, first, time.Time{}},
		{"TIM-14 another day of the month starts anew", monthly, func(r *Reservation) { r.Day = 2 }, later, time.Time{}},
		{"TIM-14 the default time of day spelled out does not", monthly, func(r *Reservation) { r.Time, r.Month = "03:00", 5 }, first, time.Time{}},
		{"TIM-14 another method starts anew", monthly, func(r *Reservation) { r.Method, r.Month = MethodYearly, 1 }, later, time.Time{}},
		{"TIM-14 1802", Reservation{Method: MethodBefore, Before: day, Saved: first}, func(r *Reservation) { r.Before = 2 * day }, later, time.Time{}},
		{"TIM-14 off", Reservation{Method: MethodOff, Saved: first}, func(r *Reservation) { r.Before = 2 * day }, first, time.Time{}},
		{"TIM-02 a date that is done stays done", date, func(r *Reservation) { r.Jitter = time.Hour }, first, date.Fired},
		{"TIM-02 another date is not done", date, func(r *Reservation) { r.At = "2027-03-10T00:00" }, later, time.Time{}},
		{"TIM-25 another zone is another date", date, func(r *Reservation) { r.Zone = "Asia/Tokyo" }, later, time.Time{}},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := c.old
			c.change(&r)
			r = r.SavedOver(c.old, later)
			if !r.Saved.Equal(c.saved) || !r.Fired.Equal(c.fired) {
				t.Errorf("saved %s, fired %s", r.Saved, r.Fired)
			}
		})
	}
}

func TestReservationWarnings(t *testing.T) {
	saved := utc("2027-01-01T00:00:00Z")
	ninety := held("ninety", "2027-01-01T00:00:00Z", "2027-04-01T00:00:00Z")
	ten := held("ten", "2027-01-01T00:00:00Z", "2027-01-11T00:00:00Z")
	month := held("month", "2027-01-01T00:00:00Z", "2027-01-31T00:00:00Z")
	unused, bare, unending := ten, ten, ten
	unused.InUse, bare.Renewable = false, false
	unending.NotAfter = utc("9999-12-31T23:59:59Z")
	date := Reservation{Method: MethodDate, At: "2027-05-01T00:00", Zone: "UTC", SafetyNet: true, Saved: saved}
	yearly := Reservation{Method: MethodYearly, Month: 2, Day: 1, Zone: "UTC", Saved: saved}
	before := Reservation{Method: MethodBefore, Before: 14 * day, SafetyNet: true, Saved: saved}
	for _, c := range []struct {
		name string
		r    Reservation
		held []Held
		want []string // parts of each sentence
	}{
		{"RSV-20 1801 after the end", date, []Held{ninety}, []string{"the safety net updates it before"}},
		{"RSV-20 1801 after the end of one without a request", date, []Held{bare}, []string{"a person has to replace it"}},
		{"RSV-20 1801 in time", Reservation{Method: MethodDate, At: "2027-03-01T00:00", Zone: "UTC"}, []Held{ninety}, nil},
		{"RSV-20 1803c the second run is too late", yearly, []Held{ninety}, []string{"2028-02-01 03:00 UTC"}},
		{"RSV-20 1803c the net is off", yearly, []Held{ten}, []string{"it will expire"}},
		{"RSV-20 1803b some months are too long", Reservation{Method: MethodMonthly, Day: 31, Zone: "UTC", Saved: saved, Time: "00:00"}, []Held{month}, []string{"2027-03-31"}},
		{"RSV-20 1803a in time", Reservation{Method: MethodEvery, Every: 30 * day, Saved: saved}, []Held{ninety, month}, nil},
		{"RSV-20 1803a too late", Reservation{Method: MethodEvery, Every: 91 * day, Saved: saved}, []Held{ninety, month}, []string{"ninety", "month"}},
		{"RSV-20 1802 n >= lifetime", before, []Held{ten, ninety}, []string{"10 days only"}},
		{"RSV-20 1802 n = lifetime", Reservation{Method: MethodBefore, Before: 10 * day}, []Held{ten}, []string{"ten"}},
		{"RSV-20 one without an end", date, []Held{unending}, nil},
		{"RSV-20 unused ones are no concern", date, []Held{unused}, nil},
		{"TIM-29 one that was left out", Reservation{Method: MethodBefore, Before: day, Only: []ID{"ninety"}}, []Held{ninety, month}, []string{"month is in use but not chosen"}},
		{"TIM-29 one without an end that was left out", Reservation{Method: MethodBefore, Only: []ID{"ninety"}}, []Held{unending}, nil},
		{"RSV-15 off", DefaultReservation("UTC"), []Held{ten}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := c.r.Warnings(c.held)
			if got == nil || len(got) != len(c.want) {
				t.Fatalf("got %q", got)
			}
			for i, part := range c.want {
				if !strings.Contains(got[i], part) {
					t.Errorf("%q does not contain %q", got[i], part)
				}
			}
		})
	}
}
