package main

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"newleaf"
)

// roundTrip checks that what "show" and "export" write is what "set" and
// "apply" read: setting each field to its own text changes nothing.
func roundTrip[T any](t *testing.T, fields []field[T], draw func(*rapid.T) T) {
	t.Helper()
	rapid.Check(t, func(rt *rapid.T) {
		v := draw(rt)
		table := map[string]any{}
		for _, f := range fields {
			if value := f.get(v); value != nil {
				table[f.name] = value
			}
		}
		var got T
		if err := setTable(&got, fields, table, "table"); err != nil {
			rt.Fatalf("setting %v: %v", table, err)
		}
		for _, f := range fields {
			if was, is := plainText(f.get(v)), plainText(f.get(got)); was != is {
				rt.Errorf("%s was %q and is %q", f.name, was, is)
			}
		}
	})
}

func drawSpan(rt *rapid.T, name string) time.Duration {
	return time.Duration(rapid.Int64Range(0, int64(4000*24*time.Hour)).Draw(rt, name))
}

func TestFieldsRoundTrip(t *testing.T) {
	t.Run("deletion", func(t *testing.T) {
		roundTrip(t, deletionFields(), func(rt *rapid.T) newleaf.DeletionPolicy {
			p := newleaf.DefaultDeletion()
			p.Auto, p.OnlySelf = rapid.Bool().Draw(rt, "auto"), rapid.Bool().Draw(rt, "only-self")
			p.Rules = rapid.SliceOfDistinct(rapid.SampledFrom(newleaf.AllRules()), rapid.ID).Draw(rt, "rules")
			p.Threshold, p.Free = rapid.IntRange(0, 100).Draw(rt, "threshold"), rapid.Int64Range(0, 1<<40).Draw(rt, "free")
			p.Settle = drawSpan(rt, "settle")
			if rapid.Bool().Draw(rt, "margin") {
				d := drawSpan(rt, "expired-margin")
				p.ExpiredMargin = &d
			}
			return p
		})
	})
	t.Run("reservation", func(t *testing.T) {
		roundTrip(t, reservationKeys(), func(rt *rapid.T) newleaf.Reservation {
			r := newleaf.DefaultReservation("Europe/Berlin")
			r.Method = rapid.SampledFrom([]newleaf.Method{newleaf.MethodOff, newleaf.MethodDate, newleaf.MethodBefore,
				newleaf.MethodEvery, newleaf.MethodMonthly, newleaf.MethodYearly}).Draw(rt, "method")
			r.At, r.Before, r.Every = "2027-03-01T04:00", drawSpan(rt, "before"), drawSpan(rt, "every")
			r.Day, r.Month = rapid.IntRange(1, 31).Draw(rt, "day"), time.Month(rapid.IntRange(1, 12).Draw(rt, "month"))
			return r
		})
	})
	t.Run("settings", func(t *testing.T) {
		roundTrip(t, settingsFields(), func(rt *rapid.T) newleaf.Settings {
			s := newleaf.DefaultSettings()
			s.Capacity, s.Quota = rapid.IntRange(1, 10000).Draw(rt, "capacity"), rapid.Int64Range(0, 1<<40).Draw(rt, "quota")
			s.Needs = rapid.MapOf(rapid.SampledFrom([]newleaf.Purpose{newleaf.TLS, newleaf.IPsec}),
				rapid.SampledFrom([]newleaf.Need{newleaf.NeedLive, newleaf.NeedRestart})).Draw(rt, "needs")
			return s
		})
	})
	t.Run("connection", func(t *testing.T) {
		roundTrip(t, connectionFields(), func(rt *rapid.T) newleaf.Connection {
			c := newleaf.NewConnection("x")
			c.URL, c.Port, c.Timeout = rapid.String().Draw(rt, "url"), rapid.IntRange(0, 65535).Draw(rt, "port"), drawSpan(rt, "timeout")
			c.Weak = rapid.SliceOfDistinct(rapid.SampledFrom([]newleaf.Weak{newleaf.Weak3DES, newleaf.WeakSHA1}), rapid.ID).Draw(rt, "weak")
			return c
		})
	})
	t.Run("request", func(t *testing.T) {
		roundTrip(t, requestFields(), func(rt *rapid.T) newleaf.Request {
			r := newleaf.DefaultRequest()
			r.Key, r.Verify = rapid.SampledFrom(newleaf.KeySpecs()).Draw(rt, "key"), rapid.Bool().Draw(rt, "verify")
			return r
		})
	})
}

func TestParseDuration(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"45s": 45 * time.Second, "2h": 2 * time.Hour, "14d": 14 * 24 * time.Hour, "2w": 14 * 24 * time.Hour,
		"1d12h": 36 * time.Hour, "1w1d1h1m1s": 8*24*time.Hour + time.Hour + time.Minute + time.Second, "0s": 0, "0": 0,
	} {
		if got, err := parseDuration(text); err != nil || got != want {
			t.Errorf("%s is %v, %v; want %v", text, got, err, want)
		}
	}
	for _, text := range []string{"", "14", "d", "-1h", "-1d", "1h1d", "two days", "1000000w", "1.5d", "106751d24h"} {
		if got, err := parseDuration(text); newleaf.CodeOf(err) != newleaf.CodeInvalid {
			t.Errorf("%q is %v, %v; want CodeInvalid", text, got, err)
		}
	}
	if got := formatDuration(14 * 24 * time.Hour); got != "14d" {
		t.Errorf("14 days are written %s", got)
	}
}

func TestParseSize(t *testing.T) {
	for text, want := range map[string]int64{"0": 0, "65536": 65536, "64K": 65536, "64KiB": 65536, "64kb": 65536, "10M": 10 << 20, "1GiB": 1 << 30, "7B": 7} {
		if got, err := parseSize(text); err != nil || got != want {
			t.Errorf("%s is %d, %v; want %d", text, got, err, want)
		}
	}
	for _, text := range []string{"", "-1", "1.5M", "K", "2X", "9999999999G"} {
		if got, err := parseSize(text); newleaf.CodeOf(err) != newleaf.CodeInvalid {
			t.Errorf("%q is %d, %v; want CodeInvalid", text, got, err)
		}
	}
}

func TestNearest(t *testing.T) {
	known := []string{"list", "show", "delete", "completion"}
	got := map[string]string{}
	for _, word := range []string{"lits", "LIST", "shwo", "del", "comp", "remove", "x", ""} {
		got[word] = newleaf.Nearest(word, known)
	}
	want := map[string]string{"lits": "list", "LIST": "list", "shwo": "show", "del": "delete", "comp": "completion", "remove": "", "x": "", "": ""}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}
