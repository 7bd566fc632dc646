package newleaf

import (
	"slices"
	"strings"
	"time"
)

// Purpose is a communication function that uses a certificate (PUR-01): a kind,
// optionally with an instance, "tls" or "tls:portal". The kind gives label, key
// usage and defaults, the instance a binding of its own.
type Purpose string

// The kinds of the described system ([0042], [0075]).
const (
	TLS   Purpose = "tls"
	IPsec Purpose = "ipsec"
	Dot1X Purpose = "dot1x"
)

// Need says how a user of certificates takes up a new one (RST-01).
type Need string

const (
	NeedLive    Need = "live"    // switched while running
	NeedReload  Need = "reload"  // a reload command is enough
	NeedRestart Need = "restart" // read at the start of the device only
)

// Extended key usages as dotted object identifiers (RFC 5280, 4.2.1.12).
const (
	EKUServerAuth = "1.3.6.1.5.5.7.3.1"
	EKUClientAuth = "1.3.6.1.5.5.7.3.2"
	EKUIPsecIKE   = "1.3.6.1.5.5.7.3.17"
	EKUAny        = "2.5.29.37.0"
)

// Kind is one row of the table of purposes.
type Kind struct {
	Name  Purpose
	Label string   // as the figures spell it (DM-04)
	EKU   []string // any one of them fits; none given means any certificate fits
	Need  Need     // default, overridden by settings and by the target (RST-02..04)
}

// Kinds is the table of purposes. It is open-ended (PUR-12): a configuration
// appends rows.
type Kinds []Kind

// BuiltinKinds are the three purposes of the described system.
func BuiltinKinds() Kinds {
	return Kinds{
		{TLS, "TLS", []string{EKUServerAuth}, NeedLive},
		{IPsec, "IPSEC", []string{EKUIPsecIKE, EKUServerAuth, EKUClientAuth}, NeedRestart},
		{Dot1X, "IEEE802.1X", []string{EKUClientAuth}, NeedRestart},
	}
}

// Kind is the part of p before the instance.
func (p Purpose) Kind() Purpose {
	kind, _, _ := strings.Cut(string(p), ":")
	return Purpose(kind)
}

// Find returns the row of p's kind.
func (k Kinds) Find(p Purpose) (Kind, bool) {
	i := slices.IndexFunc(k, func(row Kind) bool { return row.Name == p.Kind() })
	if i < 0 {
		return Kind{}, false
	}
	return k[i], true
}

// Label is how p is shown: "TLS", "TLS (portal)"; p itself where unknown.
func (k Kinds) Label(p Purpose) string {
	row, ok := k.Find(p)
	if !ok {
		return string(p)
	}
	if _, instance, ok := strings.Cut(string(p), ":"); ok {
		return row.Label + " (" + instance + ")"
	}
	return row.Label
}

// Parse reads a list of purposes as commands take it: "tls,ipsec:hq", "none",
// or "all" for every kind (VAR-21). The result is sorted and without repeats.
func (k Kinds) Parse(list string) ([]Purpose, error) {
	switch strings.TrimSpace(list) {
	case "", "none":
		return []Purpose{}, nil
	case "all":
		var all []Purpose
		for _, row := range k {
			all = append(all, row.Name)
		}
		slices.Sort(all)
		return all, nil
	}
	out := []Purpose{}
	for word := range strings.SplitSeq(list, ",") {
		out = append(out, Purpose(strings.ToLower(strings.TrimSpace(word))))
	}
	slices.Sort(out)
	out = slices.Compact(out)
	return out, k.Check(out)
}

// Check reports the first purpose that is unknown or misspelled.
func (k Kinds) Check(list []Purpose) error {
	for _, p := range list {
		if _, ok := k.Find(p); !ok {
			return Errorf(CodeInvalid, "there is no purpose %q", p).
				WithHint("Known purposes are %s; an instance follows a colon, as in tls:portal.", k.names())
		}
		if _, instance, ok := strings.Cut(string(p), ":"); ok && !validInstance(instance) {
			return Errorf(CodeInvalid, "the instance of purpose %q is not 1 to 32 letters, digits, dots or dashes", p)
		}
	}
	return nil
}

func (k Kinds) names() string {
	var n []string
	for _, row := range k {
		n = append(n, string(row.Name))
	}
	return strings.Join(n, ", ")
}

func validInstance(s string) bool {
	return len(s) > 0 && len(s) <= 32 && !strings.ContainsFunc(s, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < '0' || r > '9') && r != '-' && r != '.'
	})
}

// Binding says, for one purpose, which certificate plays which part. "In use"
// is derived from bindings and never stored (AMB-18).
type Binding struct {
	Purpose  Purpose   `json:"purpose"`
	Current  ID        `json:"current"`        // proven or accepted holder
	Trial    ID        `json:"trial"`          // put into effect, waiting for its proof
	Previous ID        `json:"previous"`       // held it before; kept until its owed deletion or put back
	Loaded   ID        `json:"loaded"`         // what the user of the certificate has read since its start
	Until    time.Time `json:"until,omitzero"` // when Previous is let go (settle time); zero: with the walk that replaced it
	Since    time.Time `json:"since,omitzero"` // when the holder got the purpose (DM-31)
}

// Holder is the certificate the purpose belongs to in the sense of Fig. 17:
// the one on trial from the moment of the switch, else the current one.
func (b Binding) Holder() ID {
	if b.Trial != "" {
		return b.Trial
	}
	return b.Current
}

// Uses reports whether the binding keeps id in use: bound, on trial, loaded, or
// waiting as the previous one.
func (b Binding) Uses(id ID) bool {
	return id != "" && (b.Current == id || b.Trial == id || b.Loaded == id || b.Previous == id)
}

// Bindings are all bindings of a device, at most one per purpose (DM-07).
type Bindings []Binding

// Of returns the binding of p, an empty one when there is none.
func (bs Bindings) Of(p Purpose) Binding {
	for _, b := range bs {
		if b.Purpose == p {
			return b
		}
	}
	return Binding{Purpose: p}
}

// Held lists the purposes that id holds (PUR-04), sorted.
func (bs Bindings) Held(id ID) []Purpose {
	out := []Purpose{}
	for _, b := range bs {
		if id != "" && b.Holder() == id {
			out = append(out, b.Purpose)
		}
	}
	slices.Sort(out)
	return out
}

// Used lists the purposes for which id is in use in any part, sorted.
func (bs Bindings) Used(id ID) []Purpose {
	out := []Purpose{}
	for _, b := range bs {
		if b.Uses(id) {
			out = append(out, b.Purpose)
		}
	}
	slices.Sort(out)
	return out
}
