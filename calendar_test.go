package newleaf

import (
	"testing"
	"time"
	_ "time/tzdata"

	"pgregory.net/rapid"
)

// zones have every oddity of wall time there is: half-hour daylight saving, gaps
// at midnight, negative daylight saving, Ramadan pauses, 45-minute offsets.
var zones = []string{
	"Africa/Cairo", "Africa/Casablanca", "America/Asuncion", "America/Havana", "America/Los_Angeles",
	"America/New_York", "America/Nuuk", "America/Santiago", "America/Scoresbysund", "America/St_Johns",
	"Antarctica/Troll", "Asia/Beirut", "Asia/Gaza", "Asia/Jerusalem", "Asia/Kathmandu", "Asia/Kolkata",
	"Asia/Tokyo", "Atlantic/Azores", "Australia/Adelaide", "Australia/Lord_Howe", "Australia/Sydney",
	"Europe/Berlin", "Europe/Chisinau", "Europe/Dublin", "Europe/London", "Pacific/Apia",
	"Pacific/Auckland", "Pacific/Chatham", "Pacific/Easter", "Pacific/Kiritimati", "Pacific/Norfolk", "UTC",
}

// utc reads an RFC 3339 instant; "" is the zero time.
func utc(s string) time.Time {
	if s == "" {
		return time.Time{}
	}
	t, err := time.Parse(time.RFC3339, s)
	if err != nil {
		panic(err)
	}
	return t.UTC()
}

func zoneOf(t rapid.TB, name string) *time.Location {
	zone, ok := loadZone(name)
	if !ok {
		t.Fatalf("zone %s is missing", name)
	}
	return zone
}

func TestTIMInstant(t *testing.T) {
	for _, c := range []struct{ name, zone, wall, want string }{
		{"TIM-21 Berlin gap", "Europe/Berlin", "2027-03-28T02:30", "2027-03-28T01:00:00Z"},
		{"TIM-21 Santiago gap at midnight", "America/Santiago", "2027-09-05T00:30", "2027-09-05T04:00:00Z"},
		{"TIM-21 New York gap", "America/New_York", "2027-03-14T02:30", "2027-03-14T07:00:00Z"},
		{"TIM-22 Berlin twice", "Europe/Berlin", "2027-10-31T02:30", "2027-10-31T00:30:00Z"},
		{"TIM-22 New York twice", "America/New_York", "2027-11-07T01:30", "2027-11-07T05:30:00Z"},
		{"TIM-22 last second before the fold", "Europe/Berlin", "2027-10-31T03:00", "2027-10-31T02:00:00Z"},
		{"TIM-23 Lord Howe half-hour fold", "Australia/Lord_Howe", "2027-04-04T01:45", "2027-04-03T14:45:00Z"},
		{"TIM-23 Lord Howe half-hour gap", "Australia/Lord_Howe", "2027-10-03T02:15", "2027-10-02T15:30:00Z"},
		{"TIM-23 Tokyo", "Asia/Tokyo", "2027-03-28T02:30", "2027-03-27T17:30:00Z"},
		{"TIM-23 Casablanca beyond the table", "Africa/Casablanca", "2090-01-01T00:00", "2089-12-31T23:00:00Z"},
		{"TIM-23 31 December of a leap year", "Europe/Berlin", "2028-12-31T12:00", "2028-12-31T11:00:00Z"},
		{"TIM-23 and of one beyond the table", "Europe/Berlin", "2040-12-31T12:00", "2040-12-31T11:00:00Z"},
		{"TIM-21 Apia skipped a day", "Pacific/Apia", "2011-12-30T03:00", "2011-12-30T10:00:00Z"},
		{"TIM-23 Kiritimati", "Pacific/Kiritimati", "2027-01-01T00:00", "2026-12-31T10:00:00Z"},
	} {
		t.Run(c.name, func(t *testing.T) {
			wall, ok := parseWall(dateLayout, c.wall)
			if !ok {
				t.Fatal("the wall time is wrong")
			}
			if got := instant(wall, zoneOf(t, c.zone)); !got.Equal(utc(c.want)) {
				t.Errorf("got %s, want %s", got, c.want)
			}
		})
	}
}

// TestTIMInstantOracle compares with the definition: no minute of the day before
// shows the wall time or a later one. Half of the draws lie around a transition.
func TestTIMInstantOracle(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		zone := zoneOf(t, rapid.SampledFrom(zones).Draw(t, "zone"))
		base := utc("2026-01-01T00:00:00Z").Add(time.Duration(rapid.IntRange(0, 35*365*24*60).Draw(t, "minute")) * time.Minute)
		if _, end := base.In(zone).ZoneBounds(); rapid.Bool().Draw(t, "transition") && !end.IsZero() {
			base = end.Add(time.Duration(rapid.IntRange(-180, 180).Draw(t, "off")) * time.Minute)
		}
		wall := shown(base, zone).Add(time.Duration(rapid.IntRange(-90, 90).Draw(t, "shift")) * time.Minute)
		got := instant(wall, zone)
		if shown(got, zone).Before(wall) {
			t.Fatalf("%s shows %s, before %s", got, shown(got, zone), wall)
		}
		for k := time.Duration(1); k <= 26*60; k++ {
			if early := got.Add(-k * time.Minute); !shown(early, zone).Before(wall) {
				t.Fatalf("%s is not the first: %s shows %s already", got, early, shown(early, zone))
			}
		}
	})
}

// shown is what the clocks of zone show at t, as if it were UTC.
func shown(t time.Time, zone *time.Location) time.Time {
	_, offset := t.In(zone).Zone()
	return t.UTC().Add(time.Duration(offset) * time.Second)
}

func TestTIMNextDate(t *testing.T) {
	for _, c := range []struct {
		name, from string
		month      time.Month
		day        int
		want       []string
	}{
		{"TIM-17 short months", "2027-01-01T00:00:00Z", 0, 31, []string{
			"2027-01-31", "2027-02-28", "2027-03-31", "2027-04-30", "2027-05-31", "2027-06-30",
			"2027-07-31", "2027-08-31", "2027-09-30", "2027-10-31", "2027-11-30", "2027-12-31", "2028-01-31", "2028-02-29"}},
		{"TIM-18 no drift after February", "2027-02-27T00:00:00Z", 0, 31, []string{"2027-02-28", "2027-03-31"}},
		{"TIM-17 day 29", "2027-02-01T00:00:00Z", 0, 29, []string{"2027-02-28", "2027-03-29"}},
		{"TIM-19 29 February", "2026-12-31T00:00:00Z", time.February, 29, []string{"2027-02-28", "2028-02-29", "2029-02-28"}},
		{"TIM-19 2100 is no leap year", "2099-12-31T00:00:00Z", time.February, 29, []string{"2100-02-28", "2101-02-28"}},
		{"TIM-19 the date of this year has passed", "2027-07-01T00:00:00Z", time.June, 30, []string{"2028-06-30"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			clock, _ := parseWall(clockLayout, "03:00")
			at := utc(c.from)
			for _, want := range c.want {
				at = nextDate(at, c.month, c.day, clock, time.UTC)
				if got := at.Format("2006-01-02T15:04"); got != want+"T03:00" {
					t.Fatalf("got %s, want %s", got, want)
				}
			}
		})
	}
}

func TestTIMParseWall(t *testing.T) {
	for _, s := range []string{"", "2027-02-31T04:00", "2027-02-29T04:00", "2027-04-31T04:00", "2027-13-01T04:00",
		"2027-3-01T04:00", "2027-03-01T4:00", "2027-03-01T24:00", "2027-03-01T04:60", "2027-03-01", "2027-03-01T04:00Z", "2027-03-01 04:00"} {
		if _, ok := parseWall(dateLayout, s); ok {
			t.Errorf("%q was taken", s)
		}
	}
	if _, ok := parseWall(dateLayout, "2028-02-29T23:59"); !ok {
		t.Error("29 February of a leap year was refused")
	}
}
