package enroll

import "time"

// The bounds of what one need may burn at an authority: requests whose outcome
// is unknown or whose certificate could not be used.
const (
	BudgetRequests = 3
	BudgetSpan     = 24 * time.Hour
)

// Spent reports that the budget of burned requests is used up, and when the
// oldest of them falls out of the span again.
func Spent(burned []time.Time, now time.Time, span time.Duration) (bool, time.Time) {
	var recent []time.Time
	for _, t := range burned {
		if age := now.Sub(t); 0 <= age && age < span { // one in the future was written by a wrong clock
			recent = append(recent, t)
		}
	}
	if len(recent) < BudgetRequests {
		return false, time.Time{}
	}
	return true, recent[len(recent)-BudgetRequests].Add(span)
}
