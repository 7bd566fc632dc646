package main

import (
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"newleaf"
	"newleaf/internal/api"
)

// durationVar defines a flag for a length of time written as [parseDuration]
// reads it.
func durationVar(fs *pflag.FlagSet, p *time.Duration, name string, def time.Duration, usage string) {
	*p = def
	fs.Var((*durationValue)(p), name, usage)
}

type durationValue time.Duration

func (d *durationValue) String() string { return formatDuration(time.Duration(*d)) }
func (d *durationValue) Type() string   { return "DURATION" }

func (d *durationValue) Set(s string) error {
	v, err := parseDuration(s)
	if err == nil {
		*d = durationValue(v)
	}
	return err
}

// parseDuration reads a length of time: 45s, 2h, 14d, 2w, or several of these
// with the longest first, as in 1d12h. A day is 24 hours. It is not negative.
func parseDuration(s string) (time.Duration, error) {
	p, err := api.ParsePeriod(s)
	if err == nil && p < 0 {
		err = newleaf.Errorf(newleaf.CodeInvalid, "%q is negative", s)
	}
	return time.Duration(p), err
}

// formatDuration writes d so that parseDuration reads it back: 14d, 1d12h, 45s.
func formatDuration(d time.Duration) string { return api.Period(d).String() }

// sizeUnits are the binary multiples, largest first.
var sizeUnits = [...]struct {
	name string
	size int64
}{{"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10}}

// parseSize reads a number of bytes: 65536, 64K, 64KiB, 10M, 1G.
func parseSize(s string) (int64, error) {
	digits, factor := strings.TrimSuffix(strings.ToUpper(s), "B"), int64(1)
	for _, u := range sizeUnits {
		if cut, found := strings.CutSuffix(strings.TrimSuffix(digits, "I"), u.name[:1]); found {
			digits, factor = cut, u.size
			break
		}
	}
	n, err := strconv.ParseInt(digits, 10, 64)
	if err != nil || n < 0 || n > math.MaxInt64/factor {
		return 0, newleaf.Errorf(newleaf.CodeInvalid, "%q is no number of bytes", s).WithHint("Write it as 65536, 64KiB or 10MiB.")
	}
	return n * factor, nil
}

// formatSize writes n exactly, as parseSize reads it back.
func formatSize(n int64) string {
	for _, u := range sizeUnits {
		if n > 0 && n%u.size == 0 {
			return strconv.FormatInt(n/u.size, 10) + u.name
		}
	}
	return strconv.FormatInt(n, 10)
}

// splitList reads "a,b"; "" and "none" are the empty list.
func splitList(s string) []string {
	out := []string{}
	if strings.TrimSpace(s) == "none" {
		return out
	}
	for word := range strings.SplitSeq(s, ",") {
		if word = strings.TrimSpace(word); word != "" && !slices.Contains(out, word) {
			out = append(out, word)
		}
	}
	return out
}

// parseInstant reads a point in time: RFC 3339, or a date and time of day in UTC.
func parseInstant(s string) (time.Time, error) {
	for _, layout := range []string{time.RFC3339, "2006-01-02T15:04:05", "2006-01-02T15:04", "2006-01-02"} {
		if t, err := time.Parse(layout, s); err == nil {
			return t.UTC(), nil
		}
	}
	return time.Time{}, newleaf.Errorf(newleaf.CodeInvalid, "%q is no point in time", s).
		WithHint("Write it as 2027-03-01T04:00:00Z.")
}
