package enroll

import "time"

// The bounds of what one need may burn at an authority: requests whose outcome
// is unknown or whose certificate could not be used.
const (
	BudgetRequests = 3
	BudgetSpan     = 24 * time.Hour
)

// Spent reports that the budget of burned requests is used up. One in the future
// was written by a wrong clock and does not count.
func Spent(burned []time.Time, now time.Time, span time.Duration) bool {
	recent := 0
	for _, t := range burned {
		if age := now.Sub(t); 0 <= age && age < span {
			recent++
		}
	}
	return recent >= BudgetRequests
}
