package newleaf

import (
	"testing"
	"time"
)

func TestRestartAt(t *testing.T) {
	at := func(s string) time.Time {
		v, err := time.Parse(time.RFC3339, s)
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	const year = 365 * day
	for _, c := range []struct {
		name, window, zone, now, expires, want string
		life                                   time.Duration
	}{
		{"no window: at once", "", "UTC", "2027-03-01T12:00:00Z", "2027-04-01T00:00:00Z", "2027-03-01T12:00:00Z", year},
		{"inside", "02:00-05:00", "UTC", "2027-03-01T02:00:00Z", "2027-04-01T00:00:00Z", "2027-03-01T02:00:00Z", year},
		{"its end is outside", "02:00-05:00", "UTC", "2027-03-01T05:00:00Z", "2027-04-01T00:00:00Z", "2027-03-02T02:00:00Z", year},
		{"before it opens", "02:00-05:00", "UTC", "2027-03-01T01:59:00Z", "2027-04-01T00:00:00Z", "2027-03-01T02:00:00Z", year},
		{"over midnight, inside", "22:00-04:00", "UTC", "2027-03-01T03:00:00Z", "2027-04-01T00:00:00Z", "2027-03-01T03:00:00Z", year},
		{"over midnight, outside", "22:00-04:00", "UTC", "2027-03-01T12:00:00Z", "2027-04-01T00:00:00Z", "2027-03-01T22:00:00Z", year},
		{"the device's zone counts", "02:00-05:00", "Asia/Tokyo", "2027-03-01T12:00:00Z", "2027-04-01T00:00:00Z", "2027-03-01T17:00:00Z", year},
		{"24 h before the end it waits no longer", "02:00-05:00", "UTC", "2027-03-01T06:00:00Z", "2027-03-02T12:00:00Z", "2027-03-01T12:00:00Z", year},
		{"later than that: at once", "02:00-05:00", "UTC", "2027-03-01T18:00:00Z", "2027-03-02T12:00:00Z", "2027-03-01T18:00:00Z", year},
		{"short certificates: a tenth of the lifetime", "02:00-05:00", "UTC", "2027-03-01T06:00:00Z", "2027-03-01T10:00:00Z", "2027-03-01T09:00:00Z", 10 * time.Hour},
		{"a missing hour: the end of the gap", "02:30-05:00", "Europe/Berlin", "2027-03-27T23:30:00Z", "2027-05-01T00:00:00Z", "2027-03-28T01:00:00Z", year},
		{"no predecessor: the window alone", "02:00-05:00", "UTC", "2027-03-01T06:00:00Z", "", "2027-03-02T02:00:00Z", 0},
	} {
		t.Run("AMB-20 "+c.name, func(t *testing.T) {
			var expires time.Time
			if c.expires != "" {
				expires = at(c.expires)
			}
			if got := RestartAt(c.window, c.zone, at(c.now), expires, c.life); !got.Equal(at(c.want)) {
				t.Errorf("got %s, want %s", got.UTC().Format(time.RFC3339), c.want)
			}
		})
	}
	for _, bad := range []string{"2-5", "02:00", "02:00-25:00", "02:00-02:00", "a-b"} {
		if _, _, ok := parseWindow(bad); ok {
			t.Errorf("the window %q was taken", bad)
		}
	}
}
