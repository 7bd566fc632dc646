package newleaf

import (
	"cmp"
	"slices"
)

// Admit decides whether a new certificate will find room: held + 1 - planned
// deletions must not exceed the capacity, nor its bytes the quota. The one being
// acquired waits in a staging slot outside the capacity, so that at a full store
// it can be kept, bound and proven before the old one goes (DLS-24, F8-G4).
func Admit(s Snapshot, plan []Verdict) error {
	held, bytes := 0, s.NewSize
	for i := range s.Certificates {
		c := &s.Certificates[i]
		if c.ID == s.New || c.State != StateHeld || plan[i].Delete {
			continue
		}
		held++
		bytes += c.Size
	}
	switch {
	case held+1 > s.Capacity:
		return Errorf(CodeStoreFull, "the store holds %d certificates that must stay and has room for %d", held, s.Capacity)
	case s.Quota > 0 && bytes > s.Quota:
		return Errorf(CodeStoreFull, "the certificates that must stay and the new one take %d bytes, the store has %d", bytes, s.Quota)
	}
	return nil
}

// demand is what has to go before a new certificate comes: a number of
// certificates, and a number of bytes.
type demand struct {
	number int
	bytes  int64
}

func (d demand) none() bool { return d.number <= 0 && d.bytes <= 0 }

// shortage says what room demands to delete: nothing while a threshold or
// free-space limit is set and not reached. Without either, every hit may go, and
// "as needed" counts against capacity and quota. Number and space are those
// before the acquisition (DLS-21, DLS-28); either one suffices (DLS-29).
func (p DeletionPolicy) shortage(s Snapshot) (d demand) {
	number, free := s.Gone, s.Quota-s.GoneBytes
	for i := range s.Certificates {
		if c := &s.Certificates[i]; c.ID != s.New && c.State == StateHeld {
			number++
			free -= c.Size
		}
	}
	switch {
	case p.Threshold > 0 || p.Free > 0:
		if p.Threshold > 0 && number >= p.Threshold {
			d.number = number + 1 - p.Threshold
		}
		if p.Free > 0 && s.Quota > 0 && free <= p.Free {
			d.bytes = p.Free + 1 - (free - s.NewSize)
		}
	case p.AsNeeded:
		d.number = number + 1 - s.Capacity
		if s.Quota > 0 {
			d.bytes = s.NewSize - free
		}
	default:
		d.number = len(s.Certificates)
	}
	return d
}

// trim keeps, of those that would go, all that room does not demand. What this
// run deleted already counts as done.
func trim(vs []Verdict, s Snapshot, need demand) {
	need.number, need.bytes = need.number-s.Gone, need.bytes-s.GoneBytes
	for _, i := range sacrifice(vs, s) {
		if need.none() {
			keep(vs, vs[i].ID, KeepBelow)
		}
		need.number, need.bytes = need.number-1, need.bytes-s.Certificates[i].Size
	}
}

// sacrifice lists the indices of those that would go, in the order "as needed"
// takes them (DLS-23): expired, no purpose, replaced, self, factory; oldest first.
func sacrifice(vs []Verdict, s Snapshot) []int {
	order := []Rule{RuleExpired, RuleNoPurpose, RuleReplaced, RuleSelf, RuleFactory}
	rank := func(i int) int {
		return slices.IndexFunc(order, func(r Rule) bool { return slices.Contains(vs[i].Rules, r) })
	}
	var out []int
	for i, v := range vs {
		if v.Delete {
			out = append(out, i)
		}
	}
	slices.SortStableFunc(out, func(a, b int) int {
		return cmp.Or(rank(a)-rank(b), s.Certificates[a].Added.Compare(s.Certificates[b].Added))
	})
	return out
}
