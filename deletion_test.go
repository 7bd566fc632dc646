package newleaf

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// TestDLSTruthTable judges the zoo under all 32 combinations of rules. What each
// one hits is written down from the requirements' descriptions.
func TestDLSTruthTable(t *testing.T) {
	literal := map[string][]Rule{
		"A": {RuleReplaced},                                      // holds the purpose of the new one
		"B": {},                                                  // in use for another
		"C": {RuleSelf},                                          // made here, in use for another
		"D": {RuleNoPurpose},                                     //
		"E": {RuleNoPurpose, RuleSelf},                           //
		"F": {RuleNoPurpose, RuleFactory},                        //
		"G": {RuleNoPurpose, RuleExpired},                        //
		"H": {RuleNoPurpose},                                     // bought
		"I": {RuleNoPurpose, RuleSelf, RuleFactory, RuleExpired}, // factory and self
	}
	for mask := range 32 {
		ticked := []Rule{}
		for i, r := range AllRules() {
			if mask&(1<<i) != 0 {
				ticked = append(ticked, r)
			}
		}
		for _, protect := range []bool{false, true} {
			want, names := map[string][]Rule{}, []string{}
			for _, name := range strings.Split("A B C D E F G H I", " ") {
				hit := slices.DeleteFunc(slices.Clone(literal[name]), func(r Rule) bool { return !slices.Contains(ticked, r) })
				want[name] = hit
				bought := name == "H" && protect && slices.Contains(ticked, RuleSelf)
				if len(hit) > 0 && name != "C" && !bought {
					names = append(names, name)
				}
			}
			p := yes(ticked...)
			p.ProtectImported = protect
			t.Run(fmt.Sprintf("DLS-03 %v protect %v", ticked, protect), func(t *testing.T) {
				s := fxZoo()
				vs := p.Plan(s)
				mustGo(t, vs, strings.Join(names, " "))
				for _, v := range vs {
					if diff := cmp.Diff(want[v.Name], v.Rules); diff != "" {
						t.Errorf("%s: rules %s", v.Name, diff)
					}
					if first := append(slices.Clone(want[v.Name]), "")[0]; v.Rule != first {
						t.Errorf("%s: rule %q, want the first of %v", v.Name, v.Rule, want[v.Name])
					}
				}
			})
			t.Run(fmt.Sprintf("DLS-04 %v protect %v", ticked, protect), func(t *testing.T) {
				p.Threshold = 9
				mustGo(t, p.Plan(fxZoo()), strings.Join(names, " "))
				p.Threshold = 10
				mustGo(t, p.Plan(fxZoo()), "")
			})
			t.Run(fmt.Sprintf("DLS-02 %v protect %v", ticked, protect), func(t *testing.T) {
				p.Auto = false
				mustGo(t, p.Plan(fxZoo()), "")
			})
			t.Run(fmt.Sprintf("DEL-19 %v protect %v", ticked, protect), func(t *testing.T) {
				p.Auto, p.Threshold = true, 0
				s := fxZoo()
				for i := range s.Certificates {
					s.Certificates[i].Pinned = true
				}
				mustGo(t, p.Plan(s), "")
			})
		}
	}
}

func TestDLSRules(t *testing.T) {
	for _, c := range []struct {
		name  string
		rules []Rule
		gone  string
	}{
		{"DLS-05 each is judged by itself", AllRules(), "A D E F G H I"},
		{"DLS-08 replaced alone", []Rule{RuleReplaced}, "A"},
		{"DLS-12 no purpose alone", []Rule{RuleNoPurpose}, "D E F G H I"},
		{"DLS-14 self alone", []Rule{RuleSelf}, "E I"},
		{"DLS-16 factory alone", []Rule{RuleFactory}, "F I"},
		{"DLS-18 expired alone", []Rule{RuleExpired}, "G I"},
		{"DLS-19 one of two is enough", []Rule{RuleExpired, RuleFactory}, "F G I"},
	} {
		t.Run(c.name, func(t *testing.T) { mustGo(t, yes(c.rules...).Plan(fxZoo()), c.gone) })
	}
	t.Run("DLS-08 replaced goes, others stay", func(t *testing.T) {
		vs := yes(RuleReplaced).Plan(fx17A())
		mustGo(t, vs, "Xyz1")
		mustStay(t, vs, "Xyz2", KeepInUse)
		mustStay(t, vs, "Xyz3", KeepInUse)
	})
	t.Run("DLS-08 the holder on trial is the one with the purpose", func(t *testing.T) {
		s := stock(Bindings{{Purpose: TLS, Current: nameID("old"), Trial: nameID("trial")}}, entry("old"), entry("trial"))
		s.For = []Purpose{TLS}
		vs := yes(RuleReplaced).Plan(s)
		mustGo(t, vs, "trial")
		mustStay(t, vs, "old", KeepNoRule)
	})
	t.Run("DLS-08 another instance is another purpose", func(t *testing.T) {
		s := fx17A()
		s.For = []Purpose{"tls:portal"}
		mustStay(t, yes(RuleReplaced).Plan(s), "Xyz1", KeepInUse)
	})
	t.Run("DLS-09 judged after the switch it would be missed", func(t *testing.T) {
		s := fx17A()
		s.Bindings = append(bound("Xyz4", TLS), s.Bindings[1:]...)
		s.Certificates = append(s.Certificates, entry("Xyz4"))
		s.New = nameID("Xyz4")
		mustGo(t, yes(RuleReplaced).Plan(s), "")
	})
	t.Run("DLS-10 one purpose is left", func(t *testing.T) {
		vs := yes(RuleReplaced).Plan(fxMulti())
		mustStay(t, vs, "M1", KeepOther)
		if v := verdictOn(t, vs, "M1"); v.Rule != RuleReplaced {
			t.Errorf("the rule is a candidate all the same: %+v", v)
		}
	})
	t.Run("DLS-10 both purposes are taken over", func(t *testing.T) {
		s := fxMulti()
		s.For = []Purpose{IPsec, TLS}
		mustGo(t, yes(RuleReplaced).Plan(s), "M1")
	})
	t.Run("AMB-04 one for all purposes", func(t *testing.T) {
		s := fx17A()
		s.For = []Purpose{Dot1X, IPsec, TLS}
		mustGo(t, yes(RuleReplaced).Plan(s), "Xyz1 Xyz2 Xyz3")
	})
	t.Run("DLS-11 a new one without purpose replaces nothing", func(t *testing.T) {
		s := fxZoo()
		s.For = nil
		mustGo(t, yes(RuleReplaced).Plan(s), "")
	})
	t.Run("DLS-13 no-purpose takes it in the next run", func(t *testing.T) {
		s := fx17A()
		vs := yes(RuleNoPurpose).Plan(s)
		mustStay(t, vs, "Xyz1", KeepNoRule)
		s.Certificates = append(s.Certificates, entry("Xyz4"))
		s.Bindings = append(bound("Xyz4", TLS), s.Bindings[1:]...)
		mustGo(t, yes(RuleNoPurpose).Plan(s), "Xyz1")
	})
	t.Run("DLS-15 self reaches no one else's", func(t *testing.T) {
		s := stock(nil, entry("ca"), entry("bought", from(Imported), selfSigned), entry("lab", selfSigned), entry("made", from(Generated)))
		mustGo(t, yes(RuleSelf).Plan(s), "")
	})
	t.Run("DLS-17 factory reaches no later one", func(t *testing.T) {
		s := fxZoo()
		s.Certificates = slices.DeleteFunc(s.Certificates, func(c Certificate) bool { return c.Origin == Factory })
		mustGo(t, yes(RuleFactory).Plan(s), "")
	})
	for _, rule := range []Rule{RuleSelf, RuleFactory, RuleExpired} {
		for part, b := range map[string]Binding{
			"bound": {Current: nameID("X")}, "on trial": {Trial: nameID("X")}, "loaded": {Current: nameID("Y"), Loaded: nameID("X")},
			"awaiting the proof of its successor": {Trial: nameID("Y"), Current: nameID("X")},
			"settling":                            {Current: nameID("Y"), Previous: nameID("X")},
		} {
			t.Run(fmt.Sprintf("DLS-30 %s, %s", rule, part), func(t *testing.T) {
				b.Purpose = IPsec
				s := stock(Bindings{b}, entry("X", from(Factory), selfSigned, expired))
				s.For = []Purpose{TLS}
				vs := yes(rule).Plan(s)
				mustStay(t, vs, "X", KeepInUse)
				if v := verdictOn(t, vs, "X"); v.Rule != rule {
					t.Errorf("INV-12 the rule hits: %+v", v)
				}
				mustStay(t, yes(RuleNoPurpose).Plan(s), "X", KeepInUse)
			})
		}
	}
	t.Run("INV-05 the last one for a purpose, expired", func(t *testing.T) {
		s := stock(bound("X", IPsec), entry("X", expired))
		mustStay(t, yes(AllRules()...).Plan(s), "X", KeepInUse)
	})
	t.Run("DLS-07 the new one is no target, whatever it is", func(t *testing.T) {
		s := stock(nil, entry("new", from(Generated), selfSigned, expired))
		s.New = nameID("new")
		mustStay(t, yes(AllRules()...).Plan(s), "new", KeepNew)
	})
	t.Run("DEL-17 no rule, nothing goes", func(t *testing.T) {
		vs := yes().Plan(fxZoo())
		mustGo(t, vs, "")
		mustStay(t, vs, "D", KeepNoRule)
	})
	t.Run("DEL-15 a fresh device deletes nothing", func(t *testing.T) {
		mustGo(t, DefaultDeletion().Plan(fxZoo()), "")
	})
	t.Run("INV-11 no rule sees an unreadable record", func(t *testing.T) {
		s := stock(nil, entry("rotten", damaged), entry("foreign", from(Unknown), expired))
		vs := yes(AllRules()...).Plan(s)
		mustStay(t, vs, "rotten", KeepDamaged)
		mustStay(t, vs, "foreign", KeepDamaged)
		if v := verdictOn(t, vs, "rotten"); len(v.Rules) > 0 || v.Rules == nil {
			t.Errorf("rules %v, want none", v.Rules)
		}
	})
	t.Run("AMB-38 a walk that is not through", func(t *testing.T) {
		s := stock(nil, entry("kept", state(StatePending)), entry("failed", state(StateRejected)))
		vs := yes(AllRules()...).Plan(s)
		mustStay(t, vs, "kept", KeepPending)
		mustStay(t, vs, "failed", KeepPending)
	})
}

func TestAMB05Imported(t *testing.T) {
	bought := stock(nil, entry("bought", from(Imported), expired), entry("made", from(Generated), selfSigned), entry("issued"))
	for _, c := range []struct {
		name    string
		protect bool
		only    bool
		rules   []Rule
		gone    string
		why     Reason // of the bought one
	}{
		{"AMB-05 self ticked: no rule reaches imported ones", true, false, AllRules(), "made issued", KeepImported},
		{"AMB-05 switched off", false, false, AllRules(), "bought made issued", ""},
		{"AMB-05 self not ticked", true, false, []Rule{RuleExpired}, "bought", ""},
		{"AMB-05 only self: literally nothing else", false, true, AllRules(), "made", KeepNoRule},
		{"AMB-05 only self, protected", true, true, AllRules(), "made", KeepImported},
		{"AMB-05 only self restricts the other rules too", false, true, []Rule{RuleNoPurpose}, "made", KeepNoRule},
		{"DLS-15 self alone", false, false, []Rule{RuleSelf}, "made", KeepNoRule},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := yes(c.rules...)
			p.ProtectImported, p.OnlySelf = c.protect, c.only
			vs := p.Plan(bought)
			mustGo(t, vs, c.gone)
			if got := verdictOn(t, vs, "bought").Reason; got != c.why {
				t.Errorf("the bought one stays for %q, want %q", got, c.why)
			}
		})
	}
}

func TestDLSExpired(t *testing.T) {
	hour := time.Hour
	zero, week := time.Duration(0), 7*24*time.Hour
	year, tenth := noon.AddDate(1, 0, 0), noon.Add(10*hour)
	for _, c := range []struct {
		name   string
		after  time.Time // it is judged then; it is valid from noon
		end    time.Time
		margin *time.Duration
		gone   string
	}{
		{"TIM-42 at notAfter", year, year, &zero, ""},
		{"TIM-42 past notAfter", year.Add(1), year, &zero, "X"},
		{"DLS-36 24 h past notAfter", year.Add(24 * hour), year, nil, ""},
		{"DLS-36 and a moment", year.Add(24*hour + 1), year, nil, "X"},
		{"DLS-36 a tenth of a short life", tenth.Add(hour), tenth, nil, ""},
		{"DLS-36 and a moment more", tenth.Add(hour + 1), tenth, nil, "X"},
		{"DLS-36 a margin that was set is not scaled", tenth.Add(24 * hour), tenth, &week, ""},
		{"DLS-36 and ends", tenth.Add(week + 1), tenth, &week, "X"},
		{"DLS-36 no life at all", noon.Add(1), noon, nil, "X"},
		{"DLS-36 it ends before it begins", noon, noon.Add(-hour), nil, "X"},
		{"DLS-36 the margin of that is none", noon.Add(-hour), noon.Add(-hour), nil, ""},
		{"TIM-45 for ever", noon.AddDate(500, 0, 0), utc("9999-12-31T23:59:59Z"), nil, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := stock(nil, entry("X", until(c.end), func(x *Certificate) { x.NotBefore = noon }))
			s.Now = c.after
			p := yes(RuleExpired)
			p.ExpiredMargin = c.margin
			mustGo(t, p.Plan(s), c.gone)
			s.ClockTrusted = false
			vs := p.Plan(s)
			mustGo(t, vs, "")
			if want := map[bool]Reason{true: KeepClock, false: KeepNoRule}[c.gone != ""]; vs[0].Reason != want || len(vs[0].Rules) > 0 {
				t.Errorf("INV-08 %+v, want reason %q", vs[0], want)
			}
		})
	}
	t.Run("INV-08 the other rules need no clock", func(t *testing.T) {
		s := fxZoo()
		s.ClockTrusted = false
		vs := yes(AllRules()...).Plan(s)
		mustGo(t, vs, "A D E F G H I")
		if v := verdictOn(t, vs, "G"); v.Rule != RuleNoPurpose || len(v.Rules) != 1 {
			t.Errorf("%+v", v)
		}
	})
}

func TestDLS41Unverified(t *testing.T) {
	s := fxZoo()
	s.Unverified = true
	vs := yes(AllRules()...).Plan(s)
	t.Run("DLS-41 the predecessor in use stays", func(t *testing.T) { mustStay(t, vs, "A", KeepUnverified) })
	t.Run("DLS-41 unused ones go", func(t *testing.T) { mustGo(t, vs, "D E F G H I") })
	t.Run("DLS-41 so does what was only loaded", func(t *testing.T) {
		s := stock(Bindings{{Purpose: TLS, Current: nameID("Y"), Loaded: nameID("X")}}, entry("X", from(Factory)))
		s.For, s.Unverified = []Purpose{TLS}, true
		mustStay(t, yes(RuleFactory).Plan(s), "X", KeepUnverified)
	})
}

// TestReasonOrder lets two reasons apply at once: the first of the list is named.
// Only-credential, shared-key and below-threshold apply to what would go else.
func TestReasonOrder(t *testing.T) {
	type setup func(x *Certificate, s *Snapshot, p *DeletionPolicy)
	reasons := []struct {
		why   Reason
		apply setup
	}{
		{KeepInUse, func(_ *Certificate, s *Snapshot, _ *DeletionPolicy) { s.Bindings = bound("X", IPsec) }},
		{KeepPinned, func(x *Certificate, _ *Snapshot, _ *DeletionPolicy) { x.Pinned = true }},
		{KeepPending, func(x *Certificate, _ *Snapshot, _ *DeletionPolicy) { x.State = StateRejected }},
		{KeepDamaged, func(x *Certificate, _ *Snapshot, _ *DeletionPolicy) { x.Damaged = true }},
		{KeepNew, func(_ *Certificate, s *Snapshot, _ *DeletionPolicy) { s.New = nameID("X") }},
		{KeepImported, func(x *Certificate, _ *Snapshot, p *DeletionPolicy) {
			x.Origin, p.ProtectImported, p.Rules = Imported, true, append(p.Rules, RuleSelf)
		}},
		{KeepOther, func(_ *Certificate, s *Snapshot, _ *DeletionPolicy) { s.Bindings = bound("X", TLS, IPsec) }},
		{KeepClock, func(x *Certificate, s *Snapshot, p *DeletionPolicy) {
			expired(x)
			s.ClockTrusted, p.Rules = false, append(slices.DeleteFunc(p.Rules, func(r Rule) bool { return r == RuleReplaced }), RuleExpired)
		}},
		{KeepBelow, func(_ *Certificate, _ *Snapshot, p *DeletionPolicy) { p.Threshold = 100 }},
		{KeepNoRule, func(_ *Certificate, _ *Snapshot, p *DeletionPolicy) {
			p.Rules = slices.DeleteFunc(p.Rules, func(r Rule) bool { return r == RuleReplaced })
		}},
		{KeepOff, func(_ *Certificate, _ *Snapshot, p *DeletionPolicy) { p.Auto = false }},
		{KeepUnverified, func(_ *Certificate, s *Snapshot, _ *DeletionPolicy) { s.Unverified = true }},
	}
	apart := map[[2]Reason]bool{ // cannot both be
		{KeepInUse, KeepOther}:  true,
		{KeepBelow, KeepNoRule}: true, // nothing would go
		{KeepBelow, KeepOff}:    true, // DEL-04: NO ignores the threshold
		{KeepClock, KeepNoRule}: true, // no rule hits in both; the clock says more
	}
	for i, first := range reasons {
		for _, second := range reasons[i:] {
			if apart[[2]Reason{first.why, second.why}] {
				continue
			}
			t.Run(fmt.Sprintf("%s before %s", first.why, second.why), func(t *testing.T) {
				s, p := stock(bound("X", TLS), entry("X")), yes(RuleReplaced)
				s.For = []Purpose{TLS}
				mustGo(t, p.Plan(s), "X")
				second.apply(&s.Certificates[0], &s, &p)
				if first.why != second.why {
					first.apply(&s.Certificates[0], &s, &p)
				}
				mustStay(t, p.Plan(s), "X", first.why)
			})
		}
	}
}

func TestStillUnused(t *testing.T) {
	x := nameID("X")
	for _, c := range []struct {
		name   string
		change func(c *Certificate, s *Snapshot, p *DeletionPolicy)
		want   Reason
	}{
		{"it may go", func(*Certificate, *Snapshot, *DeletionPolicy) {}, ""},
		{"AMB-53 its purpose came back by hand", func(_ *Certificate, s *Snapshot, _ *DeletionPolicy) { s.Bindings = bound("X", TLS) }, KeepInUse},
		{"AMB-18 loaded until the restart", func(_ *Certificate, s *Snapshot, _ *DeletionPolicy) {
			s.Bindings = Bindings{{Purpose: Dot1X, Current: nameID("Y"), Loaded: x}}
		}, KeepInUse},
		{"ORD-08 its successor is not proven", func(_ *Certificate, s *Snapshot, _ *DeletionPolicy) {
			s.Bindings = Bindings{{Purpose: TLS, Current: x, Trial: nameID("Y")}}
		}, KeepInUse},
		{"settling", func(_ *Certificate, s *Snapshot, _ *DeletionPolicy) {
			s.Bindings = Bindings{{Purpose: TLS, Current: nameID("Y"), Previous: x, Until: noon}}
		}, KeepInUse},
		{"pinned meanwhile", func(c *Certificate, _ *Snapshot, _ *DeletionPolicy) { c.Pinned = true }, KeepPinned},
		{"taken by a walk", func(c *Certificate, _ *Snapshot, _ *DeletionPolicy) { c.State = StatePending }, KeepPending},
		{"INV-11 unreadable meanwhile", func(c *Certificate, _ *Snapshot, _ *DeletionPolicy) { damaged(c) }, KeepDamaged},
		{"INV-11 of unknown origin", func(c *Certificate, _ *Snapshot, _ *DeletionPolicy) { c.Origin = Unknown }, KeepDamaged},
		{"DLS-38 switched off meanwhile", func(_ *Certificate, _ *Snapshot, p *DeletionPolicy) { p.Auto = false }, KeepOff},
		{"deleted by hand already", func(_ *Certificate, s *Snapshot, _ *DeletionPolicy) { s.Certificates = nil }, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			s, p := stock(nil, entry("W", pinned), entry("X")), yes(RuleNoPurpose)
			c.change(&s.Certificates[1], &s, &p)
			if got := StillUnused(x, s, p); got != c.want {
				t.Errorf("%q, want %q", got, c.want)
			}
		})
	}
}

func TestINV10Agreed(t *testing.T) {
	loose, strict := yes(AllRules()...), yes(RuleExpired)
	for _, c := range []struct {
		name          string
		before, after DeletionPolicy
		want          string
	}{
		{"INV-10 stricter now", loose, strict, "G I"},
		{"INV-10 looser now", strict, loose, "G I"},
		{"DLS-38 off now", loose, DefaultDeletion(), ""},
		{"INV-10 other rules", yes(RuleSelf), yes(RuleFactory), "I"},
		{"the same", loose, loose, "A D E F G H I"},
	} {
		t.Run(c.name, func(t *testing.T) {
			mustGo(t, Agreed(c.before.Plan(fxZoo()), c.after.Plan(fxZoo())), c.want)
		})
	}
	t.Run("it leaves both plans as they are", func(t *testing.T) {
		before, after := loose.Plan(fxZoo()), strict.Plan(fxZoo())
		Agreed(before, after)
		if diff := cmp.Diff(loose.Plan(fxZoo()), before) + cmp.Diff(strict.Plan(fxZoo()), after); diff != "" {
			t.Error(diff)
		}
	})
}

func TestDeletionPolicyValidate(t *testing.T) {
	neg := -time.Second
	for _, c := range []struct {
		name   string
		change func(*DeletionPolicy)
		says   string // "" is accepted
	}{
		{"DEL-15 the default", func(*DeletionPolicy) {}, ""},
		{"DEL-06 all rules", func(p *DeletionPolicy) { p.Rules = AllRules() }, ""},
		{"DEL-06 no such rule", func(p *DeletionPolicy) { p.Rules = []Rule{RuleSelf, "old"} }, `"old"`},
		{"DEL-14 threshold 1", func(p *DeletionPolicy) { p.Threshold = 1 }, ""},
		{"DLS-24 threshold = capacity", func(p *DeletionPolicy) { p.Threshold = 8 }, ""},
		{"DEL-14 above the capacity", func(p *DeletionPolicy) { p.Threshold = 9 }, "threshold 9"},
		{"DEL-14 negative", func(p *DeletionPolicy) { p.Threshold = -1 }, "threshold -1"},
		{"ORD-02 before", func(p *DeletionPolicy) { p.Order = OrderBefore }, ""},
		{"ORD-03 on-response", func(p *DeletionPolicy) { p.Order = OrderOnResponse }, ""},
		{"ORD-01 no such order", func(p *DeletionPolicy) { p.Order = "" }, "order"},
		{"DLS-27 free", func(p *DeletionPolicy) { p.Free = 1 }, ""},
		{"DLS-27 negative", func(p *DeletionPolicy) { p.Free = -1 }, "free"},
		{"settle negative", func(p *DeletionPolicy) { p.Settle = neg }, "settle"},
		{"DLS-36 negative", func(p *DeletionPolicy) { p.ExpiredMargin = &neg }, "expired-margin"},
		{"ORD-08 negative", func(p *DeletionPolicy) { p.ProofLimit = &neg }, "proof-limit"},
		{"DLS-36 zero", func(p *DeletionPolicy) { p.ExpiredMargin = new(time.Duration) }, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := DefaultDeletion()
			c.change(&p)
			checkInvalid(t, p.Validate(8), c.says)
		})
	}
}

func TestDeletionPolicyWarnings(t *testing.T) {
	onlySelf := yes(RuleExpired)
	onlySelf.OnlySelf = true
	both := yes(RuleSelf)
	both.OnlySelf = true
	full := yes()
	full.Threshold = 3
	for _, c := range []struct {
		name string
		p    DeletionPolicy
		want int
	}{
		{"DEL-17 yes without a rule", yes(), 1},
		{"AMB-10 threshold without a rule", full, 1},
		{"off without a rule", DefaultDeletion(), 0},
		{"useful", yes(RuleReplaced), 0},
		{"AMB-05 only self without self", onlySelf, 1},
		{"AMB-05 only self with self", both, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := c.p.Warnings(); len(got) != c.want || got == nil {
				t.Errorf("warnings %q, want %d", got, c.want)
			}
		})
	}
}
