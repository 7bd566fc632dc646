package enroll_test

import (
	"slices"
	"testing"
	"time"

	"newleaf/internal/enroll"
)

// TestLadder: which methods there are to try, best first (contract, "Renewal ladder").
func TestLadder(t *testing.T) {
	const renewal, signature, challenge = enroll.ByRenewal, enroll.BySignature, enroll.ByChallenge
	for _, tt := range []struct {
		name              string
		renews            bool
		present, password bool
		want              []enroll.Method
	}{
		{"a first issuance with a password", true, false, true, []enroll.Method{challenge}},
		{"a first issuance without one", true, false, false, []enroll.Method{challenge}},
		{"an update", true, true, false, []enroll.Method{renewal, signature}},
		{"an update with a password that is kept", true, true, true, []enroll.Method{renewal, signature, challenge}},
		{"an authority that knows no renewal", false, true, true, []enroll.Method{signature, challenge}},
		{"the same without a password", false, true, false, []enroll.Method{signature}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			have := enroll.Ladder(enroll.Capabilities{Renewal: tt.renews}, tt.present, tt.password)
			if !slices.Equal(have, tt.want) {
				t.Fatalf("the rungs are %q, want %q", have, tt.want)
			}
			for i, m := range have { // Next climbs them one by one
				next := enroll.Method("")
				if i+1 < len(have) {
					next = have[i+1]
				}
				if got := enroll.Next(have, m); got != next {
					t.Errorf("after %q comes %q, want %q", m, got, next)
				}
			}
			if got := enroll.Next(have, "est"); got != "" {
				t.Errorf("after a method that is not on the ladder comes %q", got)
			}
		})
	}
}

// TestSpent: three requests without a usable certificate in a span, and when the
// next may go out.
func TestSpent(t *testing.T) {
	ago := func(hours ...int) (out []time.Time) {
		for _, h := range hours {
			out = append(out, today.Add(-time.Duration(h)*time.Hour))
		}
		return out
	}
	for _, tt := range []struct {
		name   string
		burned []time.Time
		span   time.Duration
		want   bool
	}{
		{"none", nil, enroll.BudgetSpan, false},
		{"two", ago(2, 1), enroll.BudgetSpan, false},
		{"three", ago(3, 2, 1), enroll.BudgetSpan, true},
		{"three, the first just within the span", ago(23, 2, 1), enroll.BudgetSpan, true},
		{"three, the first out of the span", ago(24, 2, 1), enroll.BudgetSpan, false},
		{"five", ago(9, 8, 3, 2, 1), enroll.BudgetSpan, true},
		{"a short span, of a short lifetime", ago(3, 2, 1), 2 * time.Hour, false},
		{"written by a clock that was ahead", ago(-100, -99, -98, 2), enroll.BudgetSpan, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := enroll.Spent(tt.burned, today, tt.span); got != tt.want {
				t.Errorf("spent %t, want %t", got, tt.want)
			}
		})
	}
}
