package e2e_test

import (
	"fmt"
	"path/filepath"
	"slices"
	"testing"
	"time"
)

// setClock moves the device's clock and waits until the device has noticed.
func (d *device) setClock(now time.Time, trusted bool) {
	d.t.Helper()
	d.lab("now = "+now.UTC().Format(time.RFC3339), fmt.Sprintf("trusted = %t", trusted))
	eventually(d.t, "the device takes the time from the lab file", func() bool {
		s := ask[status](d, "status")
		return s.Now.Sub(now).Abs() < time.Hour && s.Clock.Trusted == trusted
	})
}

// day is a moment of the lab's clock.
func day(text string) time.Time {
	t, err := time.Parse(time.DateOnly, text)
	if err != nil {
		panic(err) // the days stand in the tables
	}
	return t
}

func TestClockInDoubt(t *testing.T) {
	for _, year := range []string{"1970-01-01", "2099-01-01"} {
		t.Run("TIM-31 INV-08 "+year+" untrusted deletes nothing for having expired, and a person can still issue", func(t *testing.T) {
			t.Parallel()
			d, _ := lab17A(t)
			d.do("deletion", "set", "--rules", "expired")
			d.setClock(day(year), false)
			for _, v := range ask[[]verdict](d, "deletion", "plan", "--for", "tls") {
				if v.Delete || year > "2000" && v.Name == "Gone" && v.Reason != "clock" {
					t.Errorf("the plan says %+v", v)
				}
			}
			d.do(d.issuing("Xyz4", "tls")...)
			d.holds("Xyz1", "Xyz2:ipsec", "Xyz3:dot1x", "Old", "Gone", "Bought", "Xyz4:tls")
			if d.happened("clock") == 0 || d.happened("deleted") > 0 {
				t.Error("the journal does not tell of the doubt, or tells of a deletion")
			}
			d.setClock(time.Now(), true)
			d.do(d.issuing("Xyz5", "tls")...)
			d.holds("Xyz1", "Xyz2:ipsec", "Xyz3:dot1x", "Old", "Bought", "Xyz4", "Xyz5:tls")
		})
	}
}

func TestDueInDoubt(t *testing.T) {
	t.Run("TIM-31 INV-08 an update that is due waits until the clock can be believed", func(t *testing.T) {
		t.Parallel()
		d, a := lab17A(t)
		d.do(d.issuing("Web", "tls")...)
		d.setClock(time.Now().AddDate(0, 0, 30), false)
		d.do("reservation", "set", "--every", "20d", "--jitter", "0s")
		if o := d.cli("status", "--check"); o.code != 3 {
			t.Errorf("exit status %d although an update is due", o.code)
		}
		d.restart() // it looks at everything
		if n := len(d.renewals()); n != 1 {
			t.Errorf("%d renewals while the clock is in doubt", n)
		}
		d.setClock(time.Now().AddDate(0, 0, 30), true)
		eventually(t, "the update starts and ends", func() bool { rs := d.renewals(); return len(rs) == 2 && rs[1].Phase == "done" })
		d.settled(a, 2)
	})
}

func TestClockJump(t *testing.T) {
	t.Run("TIM-13 TIM-33 forty days at once: a cycle of thirty fires, once", func(t *testing.T) {
		t.Parallel()
		d, a := lab17A(t)
		d.do(d.issuing("Web", "tls")...)
		d.do("reservation", "set", "--every", "30d", "--jitter", "0s")
		if n := len(d.renewals()); n != 1 {
			t.Fatalf("%d renewals before the jump", n)
		}
		later := time.Now().AddDate(0, 0, 40)
		d.setClock(later, true)
		eventually(t, "the update by reservation is through", func() bool {
			rs := d.renewals()
			return len(rs) == 2 && rs[1].Cause == "reservation" && rs[1].Phase == "done"
		})
		d.setClock(later.AddDate(0, 0, 29), true)
		d.settled(a, 2)
		d.holds("Xyz2:ipsec", "Xyz3:dot1x", "Bought", "Web-2:tls")
	})
	t.Run("TIM-02 TIM-32 a date fires once, also after a restart and a clock set back", func(t *testing.T) {
		t.Parallel()
		d, a := lab17A(t)
		d.do(d.issuing("Web", "tls")...)
		at := time.Now().UTC().AddDate(0, 0, 20)
		d.do("reservation", "set", "--at", at.Format("2006-01-02T15:04"), "--zone", "UTC", "--jitter", "0s", "--safety-net=false")
		d.setClock(at.Add(time.Hour), true)
		eventually(t, "the update by reservation is through", func() bool { rs := d.renewals(); return len(rs) == 2 && !rs[1].open() })
		d.setClock(at.Add(-time.Hour), true)
		d.restart()
		d.setClock(at.Add(2*time.Hour), true)
		d.settled(a, 2)
	})
}

// settled checks that nothing is due and that there were so many renewals, each
// with one certificate.
func (d *device) settled(a *authority, renewals int) {
	d.t.Helper()
	d.do("status", "--check")
	if n := len(d.renewals()); n != renewals || len(a.register()) != renewals {
		d.t.Errorf("%d renewals and %d certificates issued, want %d of each", n, len(a.register()), renewals)
	}
}

// TestReservationPlan asks for the plan as people see it, on a device whose
// clock shows the beginning of 2027.
func TestReservationPlan(t *testing.T) {
	d := newDevice(t, filepath.Join(folder(t), "device"))
	d.provision("zone = \"UTC\"", entry{name: "Web", origin: "enrolled", purposes: "tls", request: true, from: day("2026-01-01"), to: day("2027-04-05")})
	d.start()
	d.setClock(day("2027-01-01"), true)
	id := d.named("Web").ID
	type row struct {
		At           time.Time
		Cause        string
		Certificates []string
	}
	plan := func(t *testing.T, from, after string, flags ...string) (out []string) {
		args := append([]string{"reservation", "plan", "--from", from, "--safety-net=false", "-o", "json"}, flags...)
		if after != "" {
			args = append(args, "--after-success", after)
		}
		for _, r := range decode[[]row](t, d.do(args...)) {
			if r.Cause != "reservation" || !slices.Equal(r.Certificates, []string{id}) {
				t.Errorf("row %+v", r)
			}
			out = append(out, r.At.Format(time.RFC3339))
		}
		return out
	}
	for _, zone := range []string{"UTC", "Europe/Berlin", "Asia/Tokyo", "America/New_York"} {
		t.Run("TIM-07 fourteen times 86,400 s before the end in "+zone, func(t *testing.T) {
			got := plan(t, "2027-01-01", "", "--before", "14d", "--count", "1", "--zone", zone)
			if want := []string{"2027-03-22T00:00:00Z"}; !slices.Equal(got, want) {
				t.Errorf("got %s, want %s", got, want)
			}
		})
	}
	for _, tt := range []struct {
		name, from, after string
		flags             []string
		want              []string
	}{
		{"TIM-17 TIM-18 the 31st of every month", "2027-01-01", "2027-01-01", []string{"--monthly", "31", "--count", "6"},
			[]string{"2027-01-31T03:00:00Z", "2027-02-28T03:00:00Z", "2027-03-31T03:00:00Z", "2027-04-30T03:00:00Z", "2027-05-31T03:00:00Z", "2027-06-30T03:00:00Z"}},
		{"TIM-19 29 February", "2027-01-01", "2027-01-01", []string{"--yearly", "02-29", "--count", "2"}, []string{"2027-02-28T03:00:00Z", "2028-02-29T03:00:00Z"}},
		{"TIM-19 29 February of 2100", "2100-01-01", "2100-01-01", []string{"--yearly", "02-29", "--count", "1"}, []string{"2100-02-28T03:00:00Z"}},
		{"TIM-21 an hour that Berlin leaves out", "2027-01-01", "", []string{"--at", "2027-03-28T02:30", "--zone", "Europe/Berlin"}, []string{"2027-03-28T01:00:00Z"}},
		{"TIM-21 a midnight that Santiago leaves out", "2027-01-01", "", []string{"--at", "2027-09-05T00:30", "--zone", "America/Santiago"}, []string{"2027-09-05T04:00:00Z"}},
		{"TIM-22 an hour that Berlin has twice", "2027-01-01", "", []string{"--at", "2027-10-31T02:30", "--zone", "Europe/Berlin"}, []string{"2027-10-31T00:30:00Z"}},
		{"TIM-23 half an hour of Lord Howe", "2027-01-01", "", []string{"--at", "2027-04-04T01:45", "--zone", "Australia/Lord_Howe"}, []string{"2027-04-03T14:45:00Z"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := plan(t, tt.from, tt.after, tt.flags...); !slices.Equal(got, tt.want) {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
		})
	}
}
