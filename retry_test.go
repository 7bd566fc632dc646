package newleaf

import (
	"fmt"
	"testing"
	"time"

	"pgregory.net/rapid"
)

const year = 365 * day

func TestRetryNextTry(t *testing.T) {
	now := utc("2027-03-01T00:00:00Z")
	far := now.Add(100 * day)
	for _, c := range []struct {
		name     string
		failures int
		retry    Retry
		expires  time.Time
		lifetime time.Duration
		min, max time.Duration
	}{
		{"TIM-35 first", 1, RetrySoon, far, year, 48 * time.Second, 72 * time.Second},
		{"TIM-35 second", 2, RetrySoon, far, year, 4 * time.Minute, 6 * time.Minute},
		{"TIM-35 third", 3, RetrySoon, far, year, 12 * time.Minute, 18 * time.Minute},
		{"TIM-35 fourth", 4, RetrySoon, far, year, 48 * time.Minute, 72 * time.Minute},
		{"TIM-35 fifth", 5, RetrySoon, far, year, 288 * time.Minute, 432 * time.Minute},
		{"TIM-35 hundredth", 100, RetrySoon, far, year, 288 * time.Minute, 432 * time.Minute},
		{"TIM-35 none counts as one", 0, RetrySoon, far, year, 48 * time.Second, 72 * time.Second},
		{"TIM-36 48 h left", 9, RetrySoon, now.Add(48 * time.Hour), year, 40 * time.Minute, time.Hour},
		{"TIM-36 expired", 9, RetrySoon, now.Add(-day), year, 40 * time.Minute, time.Hour},
		{"TIM-36 early failures stay quick", 1, RetrySoon, now.Add(time.Hour), year, 48 * time.Second, 72 * time.Second},
		{"TIM-36 not past the begin of urgency", 9, RetrySoon, now.Add(50 * time.Hour), year, 2 * time.Hour, 2 * time.Hour},
		{"TIM-36 just before it", 9, RetrySoon, now.Add(48*time.Hour + time.Minute), year, 40 * time.Minute, time.Hour},
		{"TIM-37 refused", 1, RetrySlowly, far, year, 3 * time.Hour, 270 * time.Minute},
		{"TIM-37 refused, urgent", 9, RetrySlowly, now.Add(time.Hour), year, 3 * time.Hour, 270 * time.Minute},
		{"constants scaled", 5, RetrySoon, now.Add(8 * time.Minute), 10 * time.Minute, 48 * time.Second, 72 * time.Second},
		{"constants scaled, never a tight loop", 5, RetrySoon, now, time.Second, time.Second, time.Second},
	} {
		t.Run(c.name, func(t *testing.T) {
			seen := map[time.Duration]bool{}
			for i := range 50 {
				got := NextTry(c.failures, c.retry, c.expires, now, c.lifetime, fmt.Sprint("device", i)).Sub(now)
				if got < c.min || got > c.max {
					t.Fatalf("%s is not between %s and %s", got, c.min, c.max)
				}
				seen[got] = true
			}
			if c.min != c.max && len(seen) < 40 {
				t.Errorf("50 devices share %d delays", len(seen))
			}
		})
	}
	t.Run("TIM-37 a person first", func(t *testing.T) {
		if got := NextTry(1, RetryNever, far, now, year, "a"); !got.IsZero() {
			t.Error(got)
		}
	})
	t.Run("TIM-35 an authority down for 24 h sees few requests", func(t *testing.T) {
		count, at := 0, now
		for ; at.Before(now.Add(day)); at = NextTry(count, RetrySoon, far, at, year, "a") {
			count++
		}
		if count < 7 || count > 10 {
			t.Errorf("%d requests", count)
		}
	})
}

// TestRetryInvariants: at most eight requests a day after a refusal, and never
// more than an hour between two tries from 48 h before the end on.
func TestRetryInvariants(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		seed, begin := rapid.String().Draw(t, "seed"), utc("2027-03-01T00:00:00Z")
		expires := begin.Add(time.Duration(rapid.IntRange(-100, 200).Draw(t, "hours")) * time.Hour)
		tries := []time.Time{begin}
		for n := 1; n < 30; n++ {
			tries = append(tries, NextTry(n, RetrySlowly, expires, tries[n-1].Add(time.Second), year, seed))
			if n >= 8 && tries[n].Sub(tries[n-8]) < day {
				t.Fatalf("nine requests within %s", tries[n].Sub(tries[n-8]))
			}
		}
		for n, at := 1, begin; n < 60; n++ {
			next := NextTry(n, RetrySoon, expires, at, year, seed)
			if !next.After(at) {
				t.Fatal("no delay at all")
			}
			since := at
			if urgent := expires.Add(-48 * time.Hour); since.Before(urgent) {
				since = urgent
			}
			if next.Sub(since) > time.Hour {
				t.Fatalf("%s without a try while %s are left", next.Sub(since), expires.Sub(next))
			}
			at = next
		}
	})
}

func TestRetryAlarm(t *testing.T) {
	h := held("a", "2027-01-01T00:00:00Z", "2027-04-01T00:00:00Z") // 90 days
	soon := Due{"a", h.NotAfter.Add(-14 * day), CauseReservation}
	net := Due{"a", h.NotAfter.Add(-14 * day), CauseSafetyNet}
	after := Due{"a", h.NotAfter.Add(day), CauseReservation}
	never := Due{ID: "a"}
	short := held("a", "2027-01-01T00:00:00Z", "2027-01-01T01:00:00Z")
	unending := held("a", "2027-01-01T00:00:00Z", "9999-12-31T23:59:59Z")
	for _, c := range []struct {
		name     string
		h        Held
		d        Due
		failures int
		left     time.Duration
		want     Alarm
	}{
		{"TIM-36 in time", h, soon, 0, 60 * day, AlarmNone},
		{"TIM-36 being updated", h, soon, 0, 14 * day, AlarmNone},
		{"TIM-36 an update failed", h, soon, 1, 14 * day, AlarmNotice},
		{"TIM-36 half of the margin gone", h, soon, 3, 7 * day, AlarmWarning},
		{"TIM-30 the net has to help", h, net, 0, 30 * day, AlarmNotice},
		{"TIM-30 the net helps", h, net, 0, 14 * day, AlarmWarning},
		{"TIM-30 comes after the end", h, after, 0, 30 * day, AlarmNotice},
		{"AMB-16 none comes", h, never, 0, 30 * day, AlarmNotice},
		{"AMB-16 none comes, long before", h, never, 0, 31 * day, AlarmNone},
		{"AMB-16 none comes, near", h, never, 0, 14 * day, AlarmWarning},
		{"TIM-36 49 h", h, soon, 1, 49 * time.Hour, AlarmWarning},
		{"TIM-36 48 h", h, soon, 0, 48 * time.Hour, AlarmCritical},
		{"TIM-42 at notAfter not expired", h, soon, 0, 0, AlarmCritical},
		{"TIM-42 a second later", h, soon, 0, -time.Second, AlarmExpired},
		{"TIM-36 minutes", short, never, 0, 21 * time.Minute, AlarmNone},
		{"TIM-36 a third of an hour", short, never, 0, 20 * time.Minute, AlarmNotice},
		{"TIM-36 a tenth of an hour", short, never, 0, 6 * time.Minute, AlarmCritical},
		{"TIM-45 no end", unending, never, 0, time.Hour, AlarmNone},
		{"TIM-45 no end, but failing", unending, never, 1, 1000 * day, AlarmNotice},
		{"TIM-10 not in use", with(h, func(h *Held) { h.InUse = false }), never, 9, -day, AlarmNone},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := AlarmFor(c.h, c.d, c.failures, c.h.NotAfter.Add(-c.left)); got != c.want {
				t.Errorf("got %s, want %s", got, c.want)
			}
		})
	}
}
