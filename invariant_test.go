package newleaf

import (
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// reasonOrder is the contract's list: when several apply, the first is named.
var reasonOrder = []Reason{KeepInUse, KeepPinned, KeepPending, KeepDamaged, KeepNew, KeepCredential, KeepImported,
	KeepOther, KeepSharedKey, KeepClock, KeepBelow, KeepNoRule, KeepOff, KeepUnverified}

var anyPurposes = []Purpose{TLS, "tls:portal", IPsec, Dot1X}

// seldom is true once in n times.
func seldom(t *rapid.T, n int, label string) bool { return rapid.IntRange(1, n).Draw(t, label) == n }

func anyCertificate(t *rapid.T, i int) Certificate {
	c := entry(fmt.Sprintf("c%d", i))
	switch c.Origin = rapid.SampledFrom([]Origin{Enrolled, Generated, Factory, Imported, Enrolled, Factory}).Draw(t, "origin"); {
	case c.Origin != Enrolled:
		c.Connection, c.SelfVerified = "", rapid.Bool().Draw(t, "self")
	case rapid.Bool().Draw(t, "est"):
		c.Connection = "est"
	}
	if seldom(t, 3, "ecdsa") {
		ecdsaKey(&c)
	}
	if seldom(t, 4, "shared") {
		keyOf(rapid.SampledFrom([]string{"c0", "c1", "k"}).Draw(t, "key"))(&c)
	}
	c.NotAfter = noon.Add(time.Duration(rapid.IntRange(-100, 400).Draw(t, "hours")) * time.Hour)
	c.Added = noon.Add(-time.Duration(rapid.IntRange(0, 20).Draw(t, "age")) * time.Hour)
	c.Size = int64(rapid.IntRange(0, 3).Draw(t, "size")) * 500
	switch rapid.IntRange(0, 20).Draw(t, "trouble") {
	case 10:
		pinned(&c)
	case 11:
		damaged(&c)
	case 12:
		c.Origin = Unknown
	case 13:
		c.State = rapid.SampledFrom([]State{StatePending, StateRejected}).Draw(t, "state")
	}
	return c
}

// anySnapshot has a third of its certificates in use, in all parts.
func anySnapshot(t *rapid.T) Snapshot {
	s := stock(nil)
	for i := range rapid.IntRange(0, 16).Draw(t, "stored") {
		s.Certificates = append(s.Certificates, anyCertificate(t, i))
	}
	s.Capacity = max(1, len(s.Certificates)+rapid.IntRange(-4, 3).Draw(t, "room"))
	part := func(n int, label string) ID {
		if len(s.Certificates) == 0 || !seldom(t, n, label) {
			return ""
		}
		return rapid.SampledFrom(s.Certificates).Draw(t, "which").ID
	}
	for _, p := range anyPurposes {
		b := Binding{Purpose: p, Current: part(1, "current"), Trial: part(5, "trial"), Previous: part(5, "previous")}
		if b.Loaded = b.Current; seldom(t, 4, "restart") {
			b.Loaded = part(1, "loaded")
		}
		if !seldom(t, 4, "no such purpose") {
			s.Bindings = append(s.Bindings, b)
		}
	}
	for _, c := range []Credentials{{DefaultConnection, SCEP, false}, {"est", EST, false}} {
		c.Secret = seldom(t, 4, "secret")
		s.Connections = append(s.Connections, c)
	}
	return s
}

// coming changes what is known of the certificate to come, and the clock.
func coming(t *rapid.T, s Snapshot) Snapshot {
	s.For = slices.DeleteFunc(slices.Clone(anyPurposes), func(Purpose) bool { return rapid.Bool().Draw(t, "not for") })
	if s.New = ""; len(s.Certificates) > 0 && seldom(t, 3, "new") {
		s.New = rapid.SampledFrom(s.Certificates).Draw(t, "which").ID
	}
	s.Through = rapid.SampledFrom([]string{"", DefaultConnection, "est"}).Draw(t, "through")
	s.NewRSA, s.Unverified, s.ClockTrusted = rapid.Bool().Draw(t, "rsa"), seldom(t, 3, "unverified"), !seldom(t, 2, "clock")
	s.NewSize = int64(rapid.IntRange(0, 3).Draw(t, "new size")) * 500
	s.Quota = int64(rapid.IntRange(0, 20).Draw(t, "quota")) * 500
	if s.Gone, s.GoneBytes = 0, 0; seldom(t, 4, "early") {
		s.Gone, s.GoneBytes = 1, 500
	}
	return s
}

func anyPolicy(t *rapid.T) DeletionPolicy {
	p := DefaultDeletion()
	p.Auto = !seldom(t, 6, "off")
	p.Rules = slices.DeleteFunc(AllRules(), func(Rule) bool { return rapid.Bool().Draw(t, "not ticked") })
	p.ProtectImported, p.OnlySelf, p.AsNeeded = rapid.Bool().Draw(t, "protect"), seldom(t, 8, "only self"), seldom(t, 4, "as needed")
	if seldom(t, 3, "threshold") {
		p.Threshold = rapid.IntRange(1, 17).Draw(t, "number")
	}
	if seldom(t, 3, "free") {
		p.Free = int64(rapid.IntRange(1, 5000).Draw(t, "bytes"))
	}
	if seldom(t, 3, "margin") {
		margin := time.Duration(rapid.IntRange(0, 48).Draw(t, "hours")) * time.Hour
		p.ExpiredMargin = &margin
	}
	return p
}

// TestPlanInvariants judges random stores under random settings, 10,000 plans in
// all (INV-01), and demands that every rule and every reason occurs at least 100 times.
func TestPlanInvariants(t *testing.T) {
	plans, rules, reasons := 0, map[Rule]int{}, map[Reason]int{}
	rapid.Check(t, func(t *rapid.T) {
		store := anySnapshot(t)
		before := mustJSON(t, store)
		for range 100 {
			s, p := coming(t, store), anyPolicy(t)
			vs := p.Plan(s)
			checkWhole(t, p, s, vs)
			checkGuards(t, p, s, vs)
			checkCredentials(t, s, vs)
			checkAdmit(t, s, vs)
			checkStillUnused(t, p, s, vs)
			if p.AsNeeded {
				checkAsNeeded(t, p, s, vs)
			} else {
				checkOracle(t, p, s, vs)
			}
			plans++
			for _, v := range vs {
				reasons[v.Reason]++
				for _, r := range v.Rules {
					rules[r]++
				}
			}
		}
		if diff := cmp.Diff(before, mustJSON(t, store)); diff != "" {
			t.Fatalf("a plan changed its snapshot: %s", diff)
		}
	})
	if t.Failed() || plans < 10_000 { // fewer were asked for on the command line
		return
	}
	for _, r := range AllRules() {
		if rules[r] < 100 {
			t.Errorf("rule %s occurred %d times only", r, rules[r])
		}
	}
	for _, r := range append([]Reason{""}, reasonOrder...) {
		if reasons[r] < 100 {
			t.Errorf("reason %q occurred %d times only", r, reasons[r])
		}
	}
	t.Log(plans, "plans", rules, reasons)
}

// checkWhole: one verdict for each, in the store's order, that deletes or gives a
// reason; the same for the same snapshot (INV-12, INV-13).
func checkWhole(t *rapid.T, p DeletionPolicy, s Snapshot, vs []Verdict) {
	if again := p.Plan(s); !reflect.DeepEqual(vs, again) {
		t.Fatalf("INV-13 judged twice: %s", cmp.Diff(vs, again))
	}
	if len(vs) != len(s.Certificates) {
		t.Fatalf("%d verdicts on %d certificates", len(vs), len(s.Certificates))
	}
	for i, v := range vs {
		first := Rule("")
		if len(v.Rules) > 0 {
			first = v.Rules[0]
		}
		if v.ID != s.Certificates[i].ID || v.Name != s.Certificates[i].Name || v.Delete == (v.Reason != "") ||
			v.Rule != first || v.Delete && first == "" || v.Rules == nil || v.Reason != "" && !slices.Contains(reasonOrder, v.Reason) {
			t.Fatalf("%+v", v)
		}
	}
}

func mustJSON(t *rapid.T, v any) string {
	raw, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

// checkGuards: no plan touches what is in use, new, or not to be touched.
func checkGuards(t *rapid.T, p DeletionPolicy, s Snapshot, vs []Verdict) {
	for i, v := range vs {
		if !v.Delete {
			continue
		}
		c := s.Certificates[i]
		switch {
		case !p.Auto:
			t.Fatal("DLS-02 off deletes", c.Name)
		case c.ID == s.New:
			t.Fatal("INV-04 the new one goes")
		case c.Pinned, c.Damaged, c.State != StateHeld, c.Origin == Unknown:
			t.Fatal("INV-11", c.Name, c.Pinned, c.Damaged, c.State, c.Origin)
		}
		for _, b := range s.Bindings {
			if b.Uses(c.ID) && !slices.Contains(s.For, b.Purpose) {
				t.Fatal("INV-01, INV-05", c.Name, "goes and serves", b)
			}
			if b.Uses(c.ID) && s.Unverified {
				t.Fatal("DLS-41", c.Name, "goes and served", b)
			}
		}
		for j, other := range s.Certificates {
			if !vs[j].Delete && other.KeyID == c.KeyID && c.KeyID != "" {
				t.Fatal("DLS-32", c.Name, "goes with the key of", other.Name)
			}
		}
	}
}

// checkCredentials: a plan as a whole never empties K(c) (INV-14).
func checkCredentials(t *rapid.T, s Snapshot, vs []Verdict) {
	for _, conn := range s.Connections {
		before, after := 0, 0
		for i, c := range s.Certificates {
			works := !c.Damaged && c.State == StateHeld && c.ID != s.New
			valid := !s.ClockTrusted || !s.Now.After(c.NotAfter)
			identity := c.Origin == Factory && !c.SelfVerified || c.Origin == Enrolled && c.Connection == conn.Connection
			fits := conn.Protocol != SCEP || c.KeyAlgorithm == "RSA"
			if works && valid && identity && fits {
				before++
				if !vs[i].Delete {
					after++
				}
			}
		}
		fresh := s.Through == conn.Connection && !s.Unverified && (conn.Protocol != SCEP || s.NewRSA)
		if before > 0 && after == 0 && !conn.Secret && !fresh {
			t.Fatalf("INV-14 nothing is left to enroll through %s: %s", conn.Connection, brief(vs))
		}
	}
}

// checkAdmit carries the plan out and counts.
func checkAdmit(t *rapid.T, s Snapshot, vs []Verdict) {
	after := s
	after.Certificates = nil
	for i, c := range s.Certificates {
		if !vs[i].Delete {
			after.Certificates = append(after.Certificates, c)
		}
	}
	number, bytes := stored(after)
	number, bytes = number+1, bytes+s.NewSize
	fits := number <= s.Capacity && (s.Quota == 0 || bytes <= s.Quota)
	if err := Admit(s, vs); (err == nil) != fits {
		t.Fatalf("%d of %d, %d of %d bytes: %v", number, s.Capacity, bytes, s.Quota, err)
	}
}

// checkStillUnused: before the switch nothing in use may go; when the new one
// has all its purposes, every target may.
func checkStillUnused(t *rapid.T, p DeletionPolicy, s Snapshot, vs []Verdict) {
	after := s
	after.Bindings = slices.DeleteFunc(slices.Clone(s.Bindings), func(b Binding) bool { return slices.Contains(s.For, b.Purpose) })
	after.Bindings = append(after.Bindings, bound("the new one", s.For...)...)
	for _, v := range vs {
		if used := len(s.Bindings.Used(v.ID)) > 0; used && StillUnused(v.ID, s, p) != KeepInUse {
			t.Fatalf("INV-01 %s may go while it is in use", v.Name)
		}
		if why := StillUnused(v.ID, after, p); v.Delete && why != "" {
			t.Fatalf("%s goes, and must stay after the switch: %s", v.Name, why)
		}
	}
	if p.Auto = false; len(vs) > 0 && StillUnused(vs[0].ID, s, p) == "" {
		t.Fatal("DLS-38 switched off, and it may go")
	}
}

// checkAsNeeded: only what would go anyway, all of it while room is short, and
// nothing once there is enough (DLS-23).
func checkAsNeeded(t *rapid.T, p DeletionPolicy, s Snapshot, vs []Verdict) {
	p.AsNeeded = false
	all := p.Plan(s)
	for i, v := range vs {
		if v.Delete && !all[i].Delete {
			t.Fatalf("%s goes as needed only", v.Name)
		}
		if !slices.Equal(v.Rules, all[i].Rules) {
			t.Fatalf("%s: other rules hit as needed: %v, %v", v.Name, v.Rules, all[i].Rules)
		}
	}
	number, bytes := stored(s)
	byNumber := p.Threshold > 0 && number+s.Gone >= p.Threshold
	bySpace := p.Free > 0 && s.Quota > 0 && s.Quota-bytes-s.GoneBytes <= p.Free
	enough := func(deleted []Verdict) bool {
		number, free := number+1-len(deleted), s.Quota-bytes-s.NewSize
		for _, d := range deleted {
			free += s.Certificates[slices.IndexFunc(s.Certificates, func(c Certificate) bool { return c.ID == d.ID })].Size
		}
		if p.Threshold == 0 && p.Free == 0 {
			return number <= s.Capacity && (s.Quota == 0 || free >= 0)
		}
		return (!byNumber || number <= p.Threshold) && (!bySpace || free > p.Free)
	}
	shared := slices.ContainsFunc(vs, func(v Verdict) bool { return v.Reason == KeepSharedKey })
	targets := Targets(vs)
	if !enough(targets) && len(targets) < len(Targets(all)) && !shared {
		t.Fatalf("room is short, and %s stays: %s", gone(all), brief(vs))
	}
	spare := func(v Verdict) bool {
		return enough(slices.DeleteFunc(slices.Clone(targets), func(o Verdict) bool { return o.ID == v.ID }))
	}
	if len(targets) > 0 && !slices.ContainsFunc(targets, func(v Verdict) bool { return !spare(v) }) {
		t.Fatalf("one less would have been enough: %s", brief(vs))
	}
}

// stored counts the certificates that take room, and their bytes.
func stored(s Snapshot) (number int, bytes int64) {
	for _, c := range s.Certificates {
		if c.State == StateHeld && c.ID != s.New {
			number, bytes = number+1, bytes+c.Size
		}
	}
	return number, bytes
}

// checkOracle compares each verdict with what the requirements say, one sentence
// for each rule and reason. Those of the plan as a whole are checked elsewhere:
// here they may only keep what would go.
func checkOracle(t *rapid.T, p DeletionPolicy, s Snapshot, vs []Verdict) {
	for i, v := range vs {
		rules, applies := oracle(p, s, s.Certificates[i])
		if !slices.Equal(rules, v.Rules) {
			t.Fatalf("%s: rules %v, want %v", v.Name, v.Rules, rules)
		}
		want := Reason("")
		for _, r := range slices.Backward(reasonOrder) {
			if applies[r] {
				want = r
			}
		}
		whole := want == "" && (v.Reason == KeepCredential || v.Reason == KeepSharedKey)
		if v.Reason != want && !whole {
			t.Fatalf("%s: reason %q, want %q of %v", v.Name, v.Reason, want, applies)
		}
	}
}

// oracle is written from section 4 of the requirements and the contract's words.
func oracle(p DeletionPolicy, s Snapshot, c Certificate) (rules []Rule, applies map[Reason]bool) {
	taken := func(b Binding) bool { return slices.Contains(s.For, b.Purpose) }
	var uses, given, holds, left int
	for _, b := range s.Bindings {
		in := b.Current == c.ID || b.Trial == c.ID || b.Loaded == c.ID || b.Previous == c.ID
		has := b.Trial == c.ID || b.Trial == "" && b.Current == c.ID
		switch {
		case in && taken(b):
			given++
		case in:
			left++
		}
		if in {
			uses++
		}
		if has && taken(b) {
			holds++
		}
	}
	self := c.SelfVerified && (c.Origin == Generated || c.Origin == Factory)
	margin := 24 * time.Hour
	if life := c.NotAfter.Sub(c.NotBefore); life < 10*margin {
		margin = max(life/10, 0)
	}
	if p.ExpiredMargin != nil {
		margin = *p.ExpiredMargin
	}
	past := s.Now.Sub(c.NotAfter) > margin
	may := func(r Rule) bool { return slices.Contains(p.Rules, r) && (!p.OnlySelf || self) && !c.Damaged }
	rules = []Rule{}
	for _, one := range []struct {
		r   Rule
		hit bool
	}{{RuleReplaced, holds > 0}, {RuleNoPurpose, uses == 0}, {RuleSelf, self}, {RuleFactory, c.Origin == Factory}, {RuleExpired, past && s.ClockTrusted}} {
		if one.hit && may(one.r) {
			rules = append(rules, one.r)
		}
	}
	number, bytes := stored(s)
	reached := p.Threshold > 0 && number+s.Gone >= p.Threshold || p.Free > 0 && s.Quota > 0 && s.Quota-bytes-s.GoneBytes <= p.Free
	return rules, map[Reason]bool{
		KeepInUse:      uses > 0 && given == 0,
		KeepPinned:     c.Pinned,
		KeepPending:    c.State != StateHeld,
		KeepDamaged:    c.Damaged || c.Origin == Unknown,
		KeepNew:        c.ID == s.New,
		KeepImported:   c.Origin == Imported && p.ProtectImported && slices.Contains(p.Rules, RuleSelf),
		KeepOther:      given > 0 && left > 0,
		KeepClock:      len(rules) == 0 && may(RuleExpired) && past && !s.ClockTrusted,
		KeepBelow:      len(rules) > 0 && p.Auto && (p.Threshold > 0 || p.Free > 0) && !reached,
		KeepNoRule:     len(rules) == 0,
		KeepOff:        !p.Auto,
		KeepUnverified: s.Unverified && uses > 0,
	}
}

// TestPlanMonotone ticks one rule more: it never keeps what went before, but for
// the protection of imported ones that comes with "self" (AMB-05), and where
// more goes, another one may become the last credential and its key's siblings stay.
func TestPlanMonotone(t *testing.T) {
	spared := 0
	rapid.Check(t, func(t *rapid.T) {
		store := anySnapshot(t)
		for range 10 {
			s, p := coming(t, store), anyPolicy(t)
			p.AsNeeded = false
			before := p.Plan(s)
			p.Rules = append(slices.Clone(p.Rules), rapid.SampledFrom(AllRules()).Draw(t, "ticked"))
			for i, v := range p.Plan(s) {
				if !before[i].Delete || v.Delete {
					continue
				}
				spared++
				bought := v.Reason == KeepImported && s.Certificates[i].Origin == Imported
				if !bought && v.Reason != KeepCredential && v.Reason != KeepSharedKey {
					t.Fatalf("%s went by %v and stays by %v: %s", v.Name, before[i].Rules, v.Rules, v.Reason)
				}
			}
		}
	})
	t.Log(spared, "were spared by a rule more")
}

// TestAgreedInvariants: what both settings delete, and no more (INV-10, DLS-38).
func TestAgreedInvariants(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := coming(t, anySnapshot(t))
		before, after := anyPolicy(t).Plan(s), anyPolicy(t).Plan(s)
		n := 0
		for i := range before {
			if before[i].Delete && after[i].Delete {
				n++
			}
		}
		agreed := Agreed(before, after)
		if len(agreed) != n {
			t.Fatalf("%d agreed, %d in both", len(agreed), n)
		}
		for _, v := range agreed {
			if i := slices.IndexFunc(before, func(o Verdict) bool { return o.ID == v.ID }); !before[i].Delete || !after[i].Delete {
				t.Fatalf("%s is not in both", v.Name)
			}
		}
	})
}
