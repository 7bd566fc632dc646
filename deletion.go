package newleaf

import (
	"slices"
	"time"
)

// Rule is a condition under which a certificate is unnecessary (Fig. 18,
// 18051-18055).
type Rule string

const (
	RuleReplaced  Rule = "replaced"   // 18051: held a purpose that the new certificate takes over
	RuleNoPurpose Rule = "no-purpose" // 18052: held no purpose before the update
	RuleSelf      Rule = "self"       // 18053: signed by the device itself
	RuleFactory   Rule = "factory"    // 18054: stored before shipment
	RuleExpired   Rule = "expired"    // 18055: past notAfter and a margin
)

// Reason says why a certificate stays. When several apply, the first of this
// list is named.
type Reason string

const (
	KeepInUse      Reason = "in-use"             // bound, loaded or awaiting the proof of its successor
	KeepPinned     Reason = "pinned"             // a person excluded it (DEL-19)
	KeepPending    Reason = "pending"            // a walk is not through with it
	KeepDamaged    Reason = "damaged"            // its record cannot be read
	KeepNew        Reason = "new"                // it is the one just acquired (DLS-07)
	KeepCredential Reason = "only-credential"    // the only way to enroll again (INV-14)
	KeepImported   Reason = "imported-protected" // brought by a person; nobody else knows what for (AMB-05)
	KeepOther      Reason = "other-purpose"      // replaced for one purpose, still needed for another (DLS-10)
	KeepSharedKey  Reason = "shared-key"         // its key serves a certificate that stays (DLS-32)
	KeepClock      Reason = "clock"              // expired only if the clock is right, and it may not be
	KeepBelow      Reason = "below-threshold"    // neither number nor space is short
	KeepNoRule     Reason = "no-rule"            // no ticked rule hits
	KeepOff        Reason = "off"                // automatic deletion is off
	KeepUnverified Reason = "unverified-issuer"  // the successor's issuer could not be verified (DLS-41)
)

// Order says when deletion takes place in a walk (ORD-*).
type Order string

const (
	OrderAfter      Order = "after"       // after the purpose is set and proven
	OrderOnResponse Order = "on-response" // when the answer holds a good certificate, before it is stored
	OrderBefore     Order = "before"      // before the authority is asked
)

// DeletionPolicy is the certificate automatic deletion settings (1804).
type DeletionPolicy struct {
	Auto            bool           `json:"auto"`      // 18041 yes, 18042 no
	Rules           []Rule         `json:"rules"`     // 1805; several combine by OR (DLS-19)
	Threshold       int            `json:"threshold"` // 18043: only at this number or more; 0 is off
	Free            int64          `json:"free"`      // only at this many free bytes or fewer; 0 is off (DLS-27)
	Order           Order          `json:"order"`
	ProtectImported bool           `json:"protectImported"` // while "self" is ticked, no rule reaches imported ones (AMB-05)
	OnlySelf        bool           `json:"onlySelf"`        // restrict every rule to self-certificates
	AsNeeded        bool           `json:"asNeeded"`        // no more than room demands (DLS-23)
	ExpiredMargin   *time.Duration `json:"expiredMargin"`   // nil: 24 h, or a tenth of a short lifetime (DLS-36)
	ProofLimit      *time.Duration `json:"proofLimit"`      // nil: 24 h, scaled likewise (ORD-08)
	Settle          time.Duration  `json:"settle"`          // how long the replaced one can be put back
}

// DefaultDeletion is a fresh device's: off, nothing ticked (DEL-15).
func DefaultDeletion() DeletionPolicy {
	return DeletionPolicy{Rules: []Rule{}, Order: OrderAfter, ProtectImported: true}
}

// AllRules lists the rules in the order in which they are named and judged.
func AllRules() []Rule {
	return []Rule{RuleReplaced, RuleNoPurpose, RuleSelf, RuleFactory, RuleExpired}
}

// Validate checks the settings against the store's capacity (DEL-14).
func (p DeletionPolicy) Validate(capacity int) error {
	for _, r := range p.Rules {
		if !slices.Contains(AllRules(), r) {
			return Errorf(CodeInvalid, "there is no deletion rule %q", r).
				WithHint("Rules are replaced, no-purpose, self, factory and expired.")
		}
	}
	if p.Threshold < 0 || p.Threshold > capacity {
		return Errorf(CodeInvalid, "the threshold %d is not between 1 and the capacity %d", p.Threshold, capacity)
	}
	if !slices.Contains([]Order{OrderAfter, OrderOnResponse, OrderBefore}, p.Order) {
		return Errorf(CodeInvalid, "there is no order %q", p.Order).WithHint("Use after, on-response or before.")
	}
	if p.Free < 0 || p.Settle < 0 || p.ExpiredMargin != nil && *p.ExpiredMargin < 0 || p.ProofLimit != nil && *p.ProofLimit < 0 {
		return Errorf(CodeInvalid, "free, settle, expired-margin and proof-limit must not be negative")
	}
	return nil
}

// Warnings are sentences to show beside settings that are allowed and useless
// (DEL-17, AMB-10).
func (p DeletionPolicy) Warnings() []string {
	out := []string{}
	if p.Auto && len(p.Rules) == 0 {
		out = append(out, "Automatic deletion is on, but no rule is chosen: nothing will be deleted.")
	}
	if p.Auto && p.OnlySelf && !slices.Contains(p.Rules, RuleSelf) && len(p.Rules) > 0 {
		out = append(out, "All rules are restricted to self-certificates.")
	}
	return out
}

// Snapshot is everything Plan judges: the store as it was when the run started
// and what is known of the certificate to come. It is data; Plan changes none of it.
type Snapshot struct {
	Now          time.Time
	ClockTrusted bool
	Certificates []Certificate
	Bindings     Bindings
	For          []Purpose // purposes of the new certificate
	New          ID        // the new certificate, "" while there is none
	NewSize      int64     // bytes the new one takes, as far as known
	Through      string    // connection the new one comes through; it then counts for that connection
	NewRSA       bool      // the new one has an RSA key (what SCEP can sign with)
	Unverified   bool      // its issuer could not be verified
	Gone         int       // already deleted by this run, still counted (order before, on-response)
	GoneBytes    int64     // and what they took
	Capacity     int
	Quota        int64 // bytes; 0 is unlimited
	Connections  []Credentials
}

// Credentials is what Plan needs to know of a connection to keep the device
// able to enroll again through it.
type Credentials struct {
	Connection string
	Protocol   Protocol
	Secret     bool // a reusable password is held
}

// Verdict is Plan's judgment of one certificate: delete it, by which rules, or
// keep it, for which reason.
type Verdict struct {
	ID     ID     `json:"id"`
	Name   string `json:"name"`
	Delete bool   `json:"delete"`
	Rule   Rule   `json:"rule"`   // the first that hits
	Rules  []Rule `json:"rules"`  // all that hit
	Reason Reason `json:"reason"` // why it stays; "" when it goes
}

// Plan judges every certificate of the snapshot, as if a new certificate with
// the purposes s.For had just been acquired and proven. The preview and the
// real run are this one function (INV-13). The verdicts have the store's order.
func (p DeletionPolicy) Plan(s Snapshot) []Verdict {
	out := make([]Verdict, len(s.Certificates))
	need := p.shortage(s)
	for i := range s.Certificates {
		out[i] = p.judge(&s.Certificates[i], s, !need.none())
	}
	keepCredentials(out, s)
	keepSharedKeys(out, s)
	if p.AsNeeded {
		trim(out, s, need)
		keepSharedKeys(out, s) // with one that trim left
	}
	return out
}

// Targets are the verdicts that delete.
func Targets(vs []Verdict) []Verdict {
	return slices.DeleteFunc(slices.Clone(vs), func(v Verdict) bool { return !v.Delete })
}

// judge is the verdict on one certificate by itself (DLS-05).
func (p DeletionPolicy) judge(c *Certificate, s Snapshot, short bool) Verdict {
	v := Verdict{ID: c.ID, Name: c.Name, Rules: []Rule{}}
	used := s.Bindings.Used(c.ID)
	left := slices.DeleteFunc(slices.Clone(used), func(u Purpose) bool { return slices.Contains(s.For, u) })
	clock := false
	if !c.Damaged {
		v.Rules, clock = p.hits(c, s, used)
	}
	if len(v.Rules) > 0 {
		v.Rule = v.Rules[0]
	}
	switch {
	case len(left) > 0 && len(left) == len(used):
		v.Reason = KeepInUse
	case c.Pinned:
		v.Reason = KeepPinned
	case c.State != StateHeld:
		v.Reason = KeepPending
	case c.Damaged || c.Origin == Unknown:
		v.Reason = KeepDamaged
	case c.ID == s.New:
		v.Reason = KeepNew
	case p.importProtected(c):
		v.Reason = KeepImported
	case len(left) > 0:
		v.Reason = KeepOther
	case len(v.Rules) == 0 && clock:
		v.Reason = KeepClock
	case len(v.Rules) > 0 && p.Auto && !short:
		v.Reason = KeepBelow
	case len(v.Rules) == 0:
		v.Reason = KeepNoRule
	case !p.Auto:
		v.Reason = KeepOff
	case s.Unverified && len(used) > 0:
		v.Reason = KeepUnverified
	default:
		v.Delete = true
	}
	return v
}

// hits lists the ticked rules that hit c, by its state in the snapshot (AMB-01).
// clock reports that "expired" would hit if the clock could be believed.
func (p DeletionPolicy) hits(c *Certificate, s Snapshot, used []Purpose) (rules []Rule, clock bool) {
	rules = []Rule{}
	for _, r := range AllRules() {
		if !slices.Contains(p.Rules, r) || p.OnlySelf && !c.SelfSigned() {
			continue
		}
		hit := false
		switch r {
		case RuleReplaced:
			hit = slices.ContainsFunc(s.Bindings.Held(c.ID), func(h Purpose) bool { return slices.Contains(s.For, h) })
		case RuleNoPurpose:
			hit = len(used) == 0
		case RuleSelf:
			hit = c.SelfSigned()
		case RuleFactory:
			hit = c.Origin == Factory
		case RuleExpired:
			hit = s.Now.After(c.NotAfter.Add(p.margin(c)))
			hit, clock = hit && s.ClockTrusted, hit && !s.ClockTrusted
		}
		if hit {
			rules = append(rules, r)
		}
	}
	return rules, clock
}

func (p DeletionPolicy) importProtected(c *Certificate) bool {
	return p.ProtectImported && c.Origin == Imported && slices.Contains(p.Rules, RuleSelf)
}

// margin is how long past notAfter a certificate counts as expired.
func (p DeletionPolicy) margin(c *Certificate) time.Duration {
	if p.ExpiredMargin != nil {
		return *p.ExpiredMargin
	}
	return min(24*time.Hour, max(0, c.Lifetime()/10))
}

// StillUnused asks, at the moment of deletion, what may have changed since the
// plan: it returns why id must stay now, "" when it may go (AMB-53, DLS-38).
func StillUnused(id ID, now Snapshot, policy DeletionPolicy) Reason {
	i := slices.IndexFunc(now.Certificates, func(c Certificate) bool { return c.ID == id })
	if i < 0 {
		return ""
	}
	c := &now.Certificates[i]
	switch {
	case len(now.Bindings.Used(id)) > 0:
		return KeepInUse
	case c.Pinned:
		return KeepPinned
	case c.State != StateHeld:
		return KeepPending
	case c.Damaged || c.Origin == Unknown:
		return KeepDamaged
	case !policy.Auto:
		return KeepOff
	}
	return ""
}

// Deletable repeats the guards for the targets at the moment of deletion, each by
// itself and all together: as a whole they must not empty K(c) now, whatever the
// plan counted on. Targets that are gone are left out.
func Deletable(targets []Verdict, now Snapshot, policy DeletionPolicy) []Verdict {
	now.Through, now.New = "", ""
	all := make([]Verdict, len(now.Certificates))
	for i := range now.Certificates {
		all[i].ID = now.Certificates[i].ID
		if j := slices.IndexFunc(targets, func(t Verdict) bool { return t.ID == all[i].ID }); j >= 0 {
			all[i] = targets[j]
			all[i].Reason = StillUnused(all[i].ID, now, policy)
			all[i].Delete = all[i].Reason == ""
		}
	}
	keepCredentials(all, now)
	keepSharedKeys(all, now)
	return slices.DeleteFunc(all, func(v Verdict) bool {
		return !slices.ContainsFunc(targets, func(t Verdict) bool { return t.ID == v.ID })
	})
}

// Agreed are the targets of both plans: when settings changed during a run, a
// certificate goes only if the old and the new ones delete it (INV-10).
func Agreed(before, after []Verdict) []Verdict {
	return slices.DeleteFunc(Targets(after), func(v Verdict) bool {
		return !slices.ContainsFunc(before, func(o Verdict) bool { return o.ID == v.ID && o.Delete })
	})
}
