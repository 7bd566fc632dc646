package main

import (
	"bytes"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"newleaf"
)

func TestInert(t *testing.T) {
	got := map[string]string{}
	want := map[string]string{
		"CN=Gerät 1":     "CN=Gerät 1",
		"a\x1b[2Jb":      `a\x1b[2Jb`,
		"a\nb\tc":        `a\nb\tc`,
		"\u009b31m":      `\u009b31m`,
		"\u202eevil":     `\u202eevil`,
		"bad\xff\xfe":    `bad\xff\xfe`,
		"\uFFFD is real": "\uFFFD is real",
		"line\u2028":     `line\u2028`,
	}
	for in := range want {
		got[in] = inert(in)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	rapid.Check(t, func(rt *rapid.T) {
		s := string(rapid.SliceOf(rapid.Byte()).Draw(rt, "bytes"))
		if out := inert(s); strings.ContainsFunc(out, unicode.IsControl) {
			rt.Errorf("%q became %q", s, out)
		}
	})
}

func TestTable(t *testing.T) {
	var b bytes.Buffer
	tab := newTable("NAME", "KEY")
	tab.row("ä\x07", "")
	tab.row("long name", "RSA")
	if err := tab.write(&b); err != nil {
		t.Fatal(err)
	}
	want := "NAME       KEY\n" + `ä\a        -` + "\nlong name  RSA\n"
	if diff := cmp.Diff(want, b.String()); diff != "" {
		t.Error(diff)
	}
}

func TestBadges(t *testing.T) {
	all := newleaf.Listed{InUse: true, Expired: true, Pinned: true, Damaged: true, State: newleaf.StateRejected, SelfSigned: true}
	if got := badges(all); got != "in use, expired, pinned, damaged, rejected, self-signed" {
		t.Errorf("badges are %q", got)
	}
	if got := badges(newleaf.Listed{}); got != "" {
		t.Errorf("badges are %q", got)
	}
}

func TestPairs(t *testing.T) {
	if got := pairs("0a1b2"); got != "0A 1B 2" {
		t.Errorf("pairs are %q", got)
	}
}

func TestIdle(t *testing.T) {
	at := func(phase newleaf.Phase, next time.Duration) newleaf.Renewal {
		return newleaf.Renewal{Phase: phase, NextTry: fakeNow.Add(next)}
	}
	for name, c := range map[string]struct {
		r    newleaf.Renewal
		want bool
	}{
		"retry later than the wait":       {at(newleaf.PhaseRetry, time.Hour), true},
		"retry within the wait":           {at(newleaf.PhaseRetry, time.Second), false},
		"retry waits for a person":        {newleaf.Renewal{Phase: newleaf.PhaseRetry}, true},
		"the authority is asked later":    {at(newleaf.PhasePending, time.Hour), true},
		"the authority is asked soon":     {at(newleaf.PhasePending, time.Second), false},
		"running":                         {at(newleaf.PhaseRunning, time.Hour), false},
		"proof is looked for again later": {at(newleaf.PhaseSuspended, time.Hour), false},
	} {
		t.Run(name, func(t *testing.T) {
			if got := idle(c.r, fakeNow, time.Minute); got != c.want {
				t.Errorf("idle is %v, want %v", got, c.want)
			}
		})
	}
}
