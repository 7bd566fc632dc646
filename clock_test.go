package newleaf

import (
	"testing"
	"time"
)

func TestClockJudge(t *testing.T) {
	build, newest, seen := utc("2026-11-01T00:00:00Z"), utc("2027-01-01T00:00:00Z"), utc("2027-03-01T00:00:00Z")
	yes, no := true, false
	for _, c := range []struct {
		name   string
		change func(*ClockReading)
		want   string
	}{
		{"TIM-31 believable", func(r *ClockReading) {}, ClockOK},
		{"TIM-31 1970", func(r *ClockReading) { r.Now = utc("1970-01-01T00:00:00Z") }, ClockBeforeBuild},
		{"TIM-31 a second before the build", func(r *ClockReading) { r.Now = build.Add(-time.Second) }, ClockBeforeBuild},
		{"TIM-31 before the newest notBefore", func(r *ClockReading) { r.Now = newest.Add(-time.Second) }, ClockBeforeNewest},
		{"TIM-31 even if synchronized to it", func(r *ClockReading) { r.Now, r.Stepped = newest.Add(-time.Second), true }, ClockBeforeNewest},
		{"TIM-31 at the newest notBefore, set by a time source", func(r *ClockReading) { r.Now, r.Stepped = newest, true }, ClockOK},
		{"TIM-31 2099", func(r *ClockReading) { r.Now = utc("2099-01-01T00:00:00Z") }, ClockJump},
		{"TIM-31 24 h are no jump", func(r *ClockReading) { r.Now = r.Now.Add(day) }, ClockOK},
		{"TIM-31 a second more is", func(r *ClockReading) { r.Now = r.Now.Add(day + time.Second) }, ClockJump},
		{"TIM-31 back likewise", func(r *ClockReading) { r.Now = r.Now.Add(-day - time.Second) }, ClockJump},
		{"TIM-31 counted time is no jump", func(r *ClockReading) { r.Now, r.Elapsed = seen.Add(90*day), 90*day }, ClockOK},
		{"TIM-33 switched off or suspended for 40 days", func(r *ClockReading) { r.Now, r.Away = r.Now.Add(40*day), true }, ClockOK},
		{"TIM-31 that does not explain a step back", func(r *ClockReading) { r.Now, r.Away = r.Now.Add(-2*day), true }, ClockJump},
		{"TIM-33 a time source stepped it", func(r *ClockReading) { r.Now, r.Stepped = r.Now.Add(40*day), true }, ClockOK},
		{"TIM-32 a time source set back a clock that was wrong", func(r *ClockReading) { r.Now, r.Stepped = r.Now.Add(-40*day), true }, ClockOK},
		{"TIM-31 never synchronized", func(r *ClockReading) { r.Synchronized = false }, ClockUnsynchronized},
		{"TIM-31 first look", func(r *ClockReading) { r.LastSeen, r.Elapsed = time.Time{}, 0 }, ClockOK},
		{"lab trusted", func(r *ClockReading) { r.Now, r.Lab = utc("2099-01-01T00:00:00Z"), &yes }, ClockLab},
		{"lab in doubt", func(r *ClockReading) { r.Lab = &no }, ClockLab},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := ClockReading{Now: seen.Add(time.Minute), Build: build, NewestNotBefore: newest, LastSeen: seen, Elapsed: time.Minute, Synchronized: true}
			c.change(&r)
			s := JudgeClock(r)
			if s.Reason != c.want || !s.Floor.Equal(newest) {
				t.Errorf("got %s, floor %s; want %s", s.Reason, s.Floor, c.want)
			}
			if want := c.want == ClockOK || r.Lab == &yes; s.Trusted != want {
				t.Errorf("trusted is %t", s.Trusted)
			}
		})
	}
	t.Run("contract: the floor is the later of both", func(t *testing.T) {
		if s := JudgeClock(ClockReading{Now: seen, Build: newest, NewestNotBefore: build}); !s.Floor.Equal(newest) {
			t.Error(s.Floor)
		}
	})
	t.Run("contract: the last look never raises the floor", func(t *testing.T) {
		r := ClockReading{Now: seen, Build: build, LastSeen: utc("2099-01-01T00:00:00Z"), Synchronized: true, Stepped: true}
		if s := JudgeClock(r); !s.Trusted || !s.Floor.Equal(build) {
			t.Error(s)
		}
	})
}

func TestClockPermits(t *testing.T) {
	h := held("a", "2027-01-01T00:00:00Z", "2027-04-01T00:00:00Z")
	doubt := ClockState{Reason: ClockJump}
	for _, c := range []struct {
		name    string
		s       ClockState
		left    time.Duration
		vouched bool
		want    bool
	}{
		{"TIM-31 trusted", ClockState{Trusted: true}, 60 * day, false, true},
		{"INV-08 doubt holds time triggers back", doubt, 60 * day, false, false},
		{"TIM-31 the authority or an administrator vouches", doubt, 60 * day, true, true},
		{"contract: never within the safety net", doubt, 14 * day, false, true},
		{"contract: the margin is exact", doubt, 14*day + 1, false, false},
		{"contract: nor after the end", doubt, -day, false, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := c.s.Permits(h, h.NotAfter.Add(-c.left), c.vouched); got != c.want {
				t.Errorf("got %t", got)
			}
		})
	}
}

func TestClockConfirms(t *testing.T) {
	now := utc("2027-03-01T00:00:00Z")
	for stated, want := range map[time.Time]bool{
		now: true, now.Add(day): true, now.Add(-day): true, now.Add(day + 1): false, now.Add(-day - 1): false, {}: false,
	} {
		if got := Confirms(stated, now); got != want {
			t.Errorf("TIM-31: %s: got %t", stated, got)
		}
	}
}

func TestClockReanchor(t *testing.T) {
	now := utc("2027-03-01T00:00:00Z")
	for _, c := range []struct {
		name     string
		t, want  time.Time
		reported bool
	}{
		{"TIM-32 an anchor to come", now.Add(365 * day), now, true},
		{"TIM-32 now", now, now, false},
		{"TIM-32 past", now.Add(-day), now.Add(-day), false},
		{"TIM-32 none", time.Time{}, time.Time{}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got, moved := Reanchor(c.t, now); !got.Equal(c.want) || moved != c.reported {
				t.Errorf("got %s, %t", got, moved)
			}
		})
	}
}
