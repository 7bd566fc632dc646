package api

import (
	"encoding/json"
	"regexp"
	"testing"
	"time"

	"pgregory.net/rapid"

	"newleaf"
)

func TestPeriodText(t *testing.T) {
	for _, c := range []struct {
		d    time.Duration
		text string
	}{
		{0, "0s"}, {30 * time.Second, "30s"}, {90 * time.Second, "1m30s"}, {30 * time.Minute, "30m"},
		{12 * time.Hour, "12h"}, {24 * time.Hour, "1d"}, {36 * time.Hour, "1d12h"}, {14 * 24 * time.Hour, "14d"},
		{14*24*time.Hour + time.Second, "14d1s"}, {10 * time.Hour, "10h"}, {1500 * time.Millisecond, "1.5s"},
	} {
		if got := Period(c.d).String(); got != c.text {
			t.Errorf("%v is written %q, want %q", c.d, got, c.text)
		}
	}
	for text, want := range map[string]time.Duration{
		`"2w"`: 14 * day, `"1w1d"`: 8 * day, `"24h"`: day, `30000000000`: 30 * time.Second, `0`: 0, `"0"`: 0, `"1h30m"`: 90 * time.Minute,
	} {
		var p Period
		if err := json.Unmarshal([]byte(text), &p); err != nil || time.Duration(p) != want {
			t.Errorf("%s is read as %v, %v", text, time.Duration(p), err)
		}
	}
	for _, text := range []string{`""`, `"d"`, `"1x"`, `"-1d"`, `"1d-1h"`, `30`, `86400`, `1.5`, `true`, `{}`, `"99999999999999d"`, `"106751d24h"`, `"4294967295w"`} {
		var p Period
		if err := json.Unmarshal([]byte(text), &p); newleaf.CodeOf(err) != newleaf.CodeInvalid {
			t.Errorf("%s is read as %v, %v", text, p, err)
		}
	}
}

func TestPeriodRoundTrip(t *testing.T) {
	pattern := regexp.MustCompile(periodPattern)
	rapid.Check(t, func(t *rapid.T) {
		d := Period(rapid.Int64Min(0).Draw(t, "d"))
		back, err := ParsePeriod(d.String())
		if err != nil || back != d || !pattern.MatchString(d.String()) {
			t.Errorf("%d is written %q and read as %d, %v", d, d.String(), back, err)
		}
	})
}
