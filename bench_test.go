package newleaf

import (
	"fmt"
	"testing"
	"time"
)

// mixed is a store of n certificates of every kind, as it is when one for TLS is
// on its way: up to 16 are in use, some pinned, damaged, expired, imported or
// self-signed, and a good part is unnecessary.
func mixed(n int) Snapshot {
	s := stock(nil)
	kinds := []func(*Certificate){
		func(*Certificate) {}, func(*Certificate) {}, func(*Certificate) {}, expired, pinned, from(Factory),
		func(c *Certificate) { from(Imported)(c); selfSigned(c) }, func(c *Certificate) { from(Generated)(c); selfSigned(c) }, ecdsaKey, damaged,
	}
	for i := range n {
		name := fmt.Sprint("c", i)
		s.Certificates = append(s.Certificates, entry(name, kinds[i%len(kinds)], added(noon.Add(-time.Duration(i)*time.Hour))))
		if i%10 == 0 && len(s.Bindings) < 16 {
			purpose := TLS
			if i > 0 {
				purpose = Purpose(fmt.Sprint("tls:i", i))
			}
			s.Bindings = append(s.Bindings, bound(name, purpose)...)
		}
	}
	s.For, s.Capacity, s.Through, s.NewRSA = []Purpose{TLS}, n+1, DefaultConnection, true
	s.Connections = []Credentials{{Connection: DefaultConnection, Protocol: SCEP}}
	return s
}

// everything is the policy that makes Plan work hardest.
func everything() DeletionPolicy {
	p := yes(AllRules()...)
	p.ProtectImported, p.AsNeeded, p.Threshold = true, true, 1
	return p
}

func benchmarkPlan(b *testing.B, n int) {
	s, p := mixed(n), everything()
	if len(Targets(p.Plan(s))) == 0 {
		b.Fatal("the plan deletes nothing")
	}
	b.ReportAllocs()
	for b.Loop() {
		p.Plan(s)
	}
}

// The plan of a full device: at most 0.1 ms.
func BenchmarkPlan8(b *testing.B) { benchmarkPlan(b, 8) }

// The plan of a large store: at most 1 ms.
func BenchmarkPlan1000(b *testing.B) { benchmarkPlan(b, 1000) }

// A plan takes work in proportion to the store. Allocations are counted, as they
// are the same on every machine: so many for each certificate, whatever their
// number.
func TestPlanGrowsWithTheStore(t *testing.T) {
	p := everything()
	each := func(n int) float64 {
		s := mixed(n)
		return testing.AllocsPerRun(10, func() { p.Plan(s) }) / float64(n)
	}
	const most = 3
	for _, n := range []int{8, 100, 1000} {
		if got := each(n); got > most {
			t.Errorf("a plan of %d certificates makes %.1f allocations for each, at most %d", n, got, most)
		}
	}
}
