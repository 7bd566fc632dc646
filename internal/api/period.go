package api

import (
	"encoding/json"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"newleaf"
)

// Period is a length of time in JSON. It is written as text with days of 24
// hours, "14d", "1d12h", "30s"; also read is "2w" and, as Go encodes a
// time.Duration, a whole number of nanoseconds. A number below a second is
// refused: somebody meant seconds.
type Period time.Duration

const (
	day  = 24 * time.Hour
	week = 7 * day
)

// periodPattern is what a text has to look like; [ParsePeriod] is exact.
const periodPattern = `^([0-9]+w)?([0-9]+d)?([0-9.]+(h|m|s|ms|us|µs|ns))*0?$`

// String writes the parts that are not zero.
func (p Period) String() string {
	d := time.Duration(p)
	if d < day {
		return compact(d)
	}
	out := strconv.FormatInt(int64(d/day), 10) + "d"
	if rest := d % day; rest > 0 {
		out += compact(rest)
	}
	return out
}

// compact is d.String without minutes and seconds that are zero at its end.
func compact(d time.Duration) string {
	s := d.String()
	if cut, ok := strings.CutSuffix(s, "m0s"); ok {
		s = cut + "m"
	}
	if cut, ok := strings.CutSuffix(s, "h0m"); ok {
		s = cut + "h"
	}
	return s
}

// ParsePeriod reads what [Period.String] writes, and weeks.
func ParsePeriod(s string) (Period, error) {
	total, rest := time.Duration(0), s
	for _, unit := range []struct {
		letter string
		size   time.Duration
	}{{"w", week}, {"d", day}} {
		count, tail, found := strings.Cut(rest, unit.letter)
		if !found {
			continue
		}
		n, err := strconv.ParseUint(count, 10, 32)
		if err != nil || n > uint64((math.MaxInt64-total)/unit.size) {
			return 0, badPeriod(s)
		}
		total, rest = total+time.Duration(n)*unit.size, tail
	}
	if rest == "" && s != "" {
		return Period(total), nil
	}
	d, err := time.ParseDuration(rest)
	if err != nil || d < 0 && total > 0 || d > math.MaxInt64-total {
		return 0, badPeriod(s)
	}
	return Period(total + d), nil
}

func badPeriod(s string) error {
	return newleaf.Errorf(newleaf.CodeInvalid, "%q is no length of time", s).WithHint("Write it as 30s, 12h, 14d or 1d12h.")
}

// MarshalJSON writes text.
func (p Period) MarshalJSON() ([]byte, error) { return json.Marshal(p.String()) }

// UnmarshalJSON reads text or a number of nanoseconds.
func (p *Period) UnmarshalJSON(raw []byte) error {
	var text string
	if json.Unmarshal(raw, &text) != nil {
		n, err := strconv.ParseInt(string(raw), 10, 64)
		if err != nil || n != 0 && time.Duration(n).Abs() < time.Second {
			return badPeriod(string(raw))
		}
		*p = Period(n)
		return nil
	}
	v, err := ParsePeriod(text)
	*p = v
	return err
}

// Schema is for the OpenAPI document.
func (Period) Schema(huma.Registry) *huma.Schema { return periodSchema(false) }

func periodSchema(nullable bool) *huma.Schema {
	return &huma.Schema{
		Description: "a length of time, written as \"30s\", \"12h\", \"14d\" or \"1d12h\"; a number is nanoseconds",
		AnyOf: []*huma.Schema{
			{Type: huma.TypeString, Nullable: nullable, Pattern: periodPattern, Examples: []any{"14d"}},
			{Type: huma.TypeInteger, Format: "int64"},
		},
	}
}
