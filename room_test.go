package newleaf

import (
	"fmt"
	"strings"
	"testing"
)

func TestAdmit(t *testing.T) {
	keepAll := func(s Snapshot) []Verdict { return DefaultDeletion().Plan(s) }
	for _, c := range []struct {
		name   string
		store  Snapshot
		change func(*Snapshot)
		plan   func(Snapshot) []Verdict
		says   string // "" is admitted
	}{
		{"stored + 1 = capacity", fx17A(), nil, keepAll, ""},
		{"stored + 1 > capacity", fx17A(), func(s *Snapshot) { s.Capacity = 3 }, keepAll, "holds 3"},
		{"F8-G4 the one that goes makes the room", fx17A(), func(s *Snapshot) { s.Capacity = 3 }, yes(RuleReplaced).Plan, ""},
		{"DLS-24 capacity 1, renewed", stock(bound("X", TLS), entry("X")), func(s *Snapshot) {
			s.Capacity, s.For = 1, []Purpose{TLS}
		}, yes(RuleReplaced).Plan, ""},
		{"DLS-24 threshold = capacity", fxZoo(), func(s *Snapshot) { s.Capacity = 9 },
			func(s Snapshot) []Verdict { p := yes(RuleReplaced); p.Threshold = 9; return p.Plan(s) }, ""},
		{"DLS-26 all in use or pinned", fxFull(6), nil, yes(AllRules()...).Plan, "holds 6"},
		{"DLS-26 whatever purpose is new", fxFull(6), func(s *Snapshot) { s.For = []Purpose{Dot1X} }, yes(AllRules()...).Plan, "holds 6"},
		{"the new one waits in its own slot", fx17A(), func(s *Snapshot) {
			s.Certificates = append(s.Certificates, entry("new", state(StatePending)))
			s.New = nameID("new")
		}, keepAll, ""},
		{"a rejected one too", fx17A(), func(s *Snapshot) {
			s.Certificates = append(s.Certificates, entry("failed", state(StateRejected)))
		}, keepAll, ""},
		{"an unreadable one takes its place", fx17A(), func(s *Snapshot) {
			s.Certificates = append(s.Certificates, entry("x", damaged))
		}, keepAll, "holds 4"},
		{"DLS-27 the quota to the byte", fx17A(), func(s *Snapshot) { s.Quota, s.NewSize = 4096, 1096 }, keepAll, ""},
		{"DLS-27 a byte more", fx17A(), func(s *Snapshot) { s.Quota, s.NewSize = 4096, 1097 }, keepAll, "4097 bytes"},
		{"DLS-27 what goes frees its bytes", fx17A(), func(s *Snapshot) { s.Quota, s.NewSize = 4096, 2096 }, yes(RuleReplaced).Plan, ""},
		{"no quota", fx17A(), func(s *Snapshot) { s.NewSize = 1 << 60 }, keepAll, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			if c.change != nil {
				c.change(&c.store)
			}
			err := Admit(c.store, c.plan(c.store))
			if got := fmt.Sprint(err); (c.says == "") != (err == nil) || !strings.Contains(got, c.says) && c.says != "" || err != nil && CodeOf(err) != CodeStoreFull {
				t.Errorf("%v, want %q", err, c.says)
			}
		})
	}
}

// TestDLSThreshold counts before the acquisition, inclusively.
func TestDLSThreshold(t *testing.T) {
	for _, c := range []struct {
		name      string
		threshold int
		change    func(*Snapshot)
		gone      string
	}{
		{"DLS-20 number = N-1", 10, nil, ""},
		{"DLS-20 number = N", 9, nil, "D E F G H I"},
		{"DLS-20 number = N+1", 8, nil, "D E F G H I"},
		{"DLS-21 the new one does not count", 10, func(s *Snapshot) {
			s.Certificates = append(s.Certificates, entry("new"))
			s.New = nameID("new")
		}, ""},
		{"DLS-21 what this run deleted still counts", 10, func(s *Snapshot) { s.Gone = 1 }, "D E F G H I"},
		{"DLS-22 a pending one does not count", 10, func(s *Snapshot) {
			s.Certificates = append(s.Certificates, entry("p", state(StatePending)), entry("r", state(StateRejected)))
		}, ""},
		{"DLS-22 an unreadable one does", 10, func(s *Snapshot) { s.Certificates = append(s.Certificates, entry("x", damaged)) }, "D E F G H I"},
		{"DLS-24 N = capacity", 9, func(s *Snapshot) { s.Capacity = 9 }, "D E F G H I"},
		{"DLS-39 still at the limit: nothing else goes", 3, nil, "D E F G H I"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := fxZoo()
			if c.change != nil {
				c.change(&s)
			}
			p := yes(RuleNoPurpose)
			p.Threshold = c.threshold
			vs := p.Plan(s)
			mustGo(t, vs, c.gone)
			if c.gone == "" {
				mustStay(t, vs, "D", KeepBelow)
			}
		})
	}
	t.Run("DLS-25 the limit without a rule", func(t *testing.T) {
		p := yes()
		p.Threshold = 1
		mustGo(t, p.Plan(fxZoo()), "")
	})
	t.Run("DEL-04 NO ignores the threshold", func(t *testing.T) {
		p := yes(RuleNoPurpose)
		p.Auto, p.Threshold = false, 10
		mustStay(t, p.Plan(fxZoo()), "D", KeepOff)
	})
}

// TestDLSFree: the zoo takes 9000 bytes.
func TestDLSFree(t *testing.T) {
	for _, c := range []struct {
		name      string
		free      int64
		quota     int64
		threshold int
		change    func(*Snapshot)
		gone      string
	}{
		{"DLS-28 a byte more is left", 999, 10000, 0, nil, ""},
		{"DLS-27 as much is left", 1000, 10000, 0, nil, "G I"},
		{"DLS-28 a byte less is left", 1001, 10000, 0, nil, "G I"},
		{"DLS-27 more is taken than there is", 1, 8000, 0, nil, "G I"},
		{"DLS-27 no quota, no shortage", 1000, 0, 0, nil, ""},
		{"DLS-28 the new one's bytes do not count", 999, 10000, 0, func(s *Snapshot) { s.NewSize = 5000 }, ""},
		{"DLS-28 nor when it is there", 999, 10000, 0, func(s *Snapshot) {
			s.Certificates = append(s.Certificates, entry("new"))
			s.New = nameID("new")
		}, ""},
		{"DLS-28 what this run deleted still counts", 999, 10000, 0, func(s *Snapshot) { s.GoneBytes = 1 }, "G I"},
		{"DLS-29 the number alone", 999, 10000, 9, nil, "G I"},
		{"DLS-29 the space alone", 1000, 10000, 10, nil, "G I"},
		{"DLS-29 both", 1000, 10000, 9, nil, "G I"},
		{"DLS-29 neither", 999, 10000, 10, nil, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := fxZoo()
			s.Quota = c.quota
			if c.change != nil {
				c.change(&s)
			}
			p := yes(RuleExpired)
			p.Free, p.Threshold = c.free, c.threshold
			mustGo(t, p.Plan(s), c.gone)
		})
	}
}

// TestDLS23AsNeeded: I is the oldest of the zoo, A the youngest.
func TestDLS23AsNeeded(t *testing.T) {
	asNeeded := func(rules ...Rule) DeletionPolicy { p := yes(rules...); p.AsNeeded = true; return p }
	for n, want := range []string{"", "I", "G I", "G H I", "F G H I", "E F G H I", "D E F G H I", "A D E F G H I", "A D E F G H I"} {
		t.Run(fmt.Sprintf("DLS-23 %d too many for the threshold", n), func(t *testing.T) {
			p := asNeeded(AllRules()...)
			p.Threshold = 10 - n
			vs := p.Plan(fxZoo())
			mustGo(t, vs, want)
			if n < 7 {
				mustStay(t, vs, "A", KeepBelow)
			}
		})
		t.Run(fmt.Sprintf("DLS-23 %d too many for the capacity", n), func(t *testing.T) {
			s := fxZoo()
			s.Capacity = 10 - n
			vs := asNeeded(AllRules()...).Plan(s)
			mustGo(t, vs, want)
			if err := Admit(s, vs); (err == nil) != (n < 8) {
				t.Error(err)
			}
		})
		t.Run(fmt.Sprintf("DLS-23 the space of %d", n), func(t *testing.T) {
			p, s := asNeeded(AllRules()...), fxZoo()
			s.Quota, p.Free = 9500, max(int64(n)*1000-500, 499)
			mustGo(t, p.Plan(s), want)
			if s.NewSize = 999; n > 0 && n < 7 {
				mustGo(t, p.Plan(s), want)
				s.NewSize++ // as much as one takes: one more has to go
				if got := len(Targets(p.Plan(s))); got != n+1 {
					t.Errorf("%d go, want %d", got, n+1)
				}
			}
		})
	}
	t.Run("DLS-23 replaced before self before factory", func(t *testing.T) {
		s := stock(Bindings{
			{Purpose: TLS, Current: nameID("replaced"), Loaded: nameID("factory")},
			{Purpose: IPsec, Current: nameID("other"), Loaded: nameID("self")}},
			entry("factory", from(Factory)), entry("self", from(Generated), selfSigned), entry("replaced", added(noon)))
		s.For = []Purpose{IPsec, TLS}
		for n, want := range []string{"", "replaced", "self replaced", "factory self replaced"} {
			s.Capacity = 4 - n
			mustGo(t, asNeeded(RuleFactory, RuleSelf, RuleReplaced).Plan(s), want)
		}
	})
	t.Run("room is left, nothing goes", func(t *testing.T) {
		s := fxZoo()
		mustStay(t, asNeeded(AllRules()...).Plan(s), "G", KeepBelow)
	})
	t.Run("without a threshold the quota counts too", func(t *testing.T) {
		s := fxZoo()
		s.Quota, s.NewSize = 10000, 2001
		vs := asNeeded(AllRules()...).Plan(s)
		mustGo(t, vs, "G I")
		if err := Admit(s, vs); err != nil {
			t.Error(err)
		}
		s.NewSize = 1000
		mustGo(t, asNeeded(AllRules()...).Plan(s), "")
	})
	t.Run("number and space: what satisfies both", func(t *testing.T) {
		s, p := fxZoo(), asNeeded(AllRules()...)
		s.Quota, p.Threshold, p.Free = 10000, 9, 2999 // one too many, 2000 bytes short
		mustGo(t, p.Plan(s), "G I")
		p.Threshold, p.Free = 7, 1000 // three too many, one byte short
		mustGo(t, p.Plan(s), "G H I")
	})
	t.Run("DLS-23 a large one is enough", func(t *testing.T) {
		s, p := fxZoo(), asNeeded(AllRules()...)
		size(4000)(&s.Certificates[8]) // I
		s.Quota, p.Free = 13000, 3999
		mustGo(t, p.Plan(s), "I")
	})
	t.Run("one that a guard keeps makes no room: the next goes", func(t *testing.T) {
		s := fxZoo()
		s.Capacity, s.Certificates[8].Pinned = 9, true // I
		mustGo(t, asNeeded(AllRules()...).Plan(s), "G")
		s = stock(nil, entry("only", from(Factory)), entry("free", through("gone")))
		s.Capacity, s.Connections = 2, []Credentials{{Connection: DefaultConnection, Protocol: SCEP}}
		vs := asNeeded(RuleNoPurpose).Plan(s)
		mustGo(t, vs, "free")
		mustStay(t, vs, "only", KeepCredential)
	})
	t.Run("what this run deleted already is done", func(t *testing.T) {
		s, p := fxZoo(), asNeeded(AllRules()...)
		p.Threshold, s.Gone, s.GoneBytes = 9, 1, 1000
		mustGo(t, p.Plan(s), "I") // 10 were stored, 8 may be, one is gone
		s.Gone = 2
		mustGo(t, p.Plan(s), "I")
		p.Threshold = 11
		mustStay(t, p.Plan(s), "I", KeepBelow)
	})
	t.Run("a key shared with one that trim leaves", func(t *testing.T) {
		s := stock(nil, entry("old", keyOf("both"), added(noon.AddDate(-1, 0, 0))), entry("young", keyOf("both")))
		s.Capacity = 2
		vs := asNeeded(RuleNoPurpose).Plan(s)
		mustStay(t, vs, "old", KeepSharedKey)
		mustStay(t, vs, "young", KeepBelow)
	})
}
