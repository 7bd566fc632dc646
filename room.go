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

// shortage says how many certificates room demands to delete: none while a
// threshold or free-space limit is set and not reached. Without either, every
// hit may go, and "as needed" counts against the capacity. Number and space are
// those before the acquisition (DLS-21, DLS-28).
func (p DeletionPolicy) shortage(s Snapshot) int {
	number, used := s.Gone, s.GoneBytes
	for i := range s.Certificates {
		if c := &s.Certificates[i]; c.ID != s.New && c.State == StateHeld {
			number++
			used += c.Size
		}
	}
	switch {
	case p.Threshold > 0 && number >= p.Threshold:
		return number + 1 - p.Threshold
	case p.Free > 0 && s.Quota > 0 && s.Quota-used <= p.Free:
		return p.shortageOfBytes(s, used)
	case p.Threshold > 0 || p.Free > 0:
		return 0
	case p.AsNeeded:
		return max(0, number+1-s.Capacity)
	}
	return len(s.Certificates)
}

// shortageOfBytes counts certificates, in the order of trim, until what is free
// after the new one is stored is above the limit again.
func (p DeletionPolicy) shortageOfBytes(s Snapshot, used int64) int {
	n, free := 0, s.Quota-used-s.NewSize
	for _, c := range p.sacrifice(s) {
		if n > 0 && free > p.Free {
			break
		}
		n, free = n+1, free+c.Size
	}
	return max(n, 1)
}

// sacrifice lists those that would go, in the order "as needed" takes them
// (DLS-23): expired, no purpose, replaced, self, factory; oldest first.
func (p DeletionPolicy) sacrifice(s Snapshot) []*Certificate {
	rank := map[Rule]int{RuleExpired: 0, RuleNoPurpose: 1, RuleReplaced: 2, RuleSelf: 3, RuleFactory: 4}
	type one struct {
		c    *Certificate
		rank int
	}
	var all []one
	for i := range s.Certificates {
		c := &s.Certificates[i]
		if v := p.judge(c, s, true); v.Delete {
			best := 5
			for _, r := range v.Rules {
				best = min(best, rank[r])
			}
			all = append(all, one{c, best})
		}
	}
	slices.SortStableFunc(all, func(a, b one) int {
		return cmp.Or(a.rank-b.rank, a.c.Added.Compare(b.c.Added))
	})
	out := make([]*Certificate, len(all))
	for i, o := range all {
		out[i] = o.c
	}
	return out
}

// trim keeps all but the first short of those that would go.
func (p DeletionPolicy) trim(vs []Verdict, s Snapshot, short int) {
	for i, c := range p.sacrifice(s) {
		if i >= short {
			keep(vs, c.ID, KeepBelow)
		}
	}
}
