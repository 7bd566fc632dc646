package newleaf

import (
	"testing"
	"time"
)

// TestINV14 empties K(c): the certificates able to enroll again through c, and
// reusable secrets. At least the best one stays.
func TestINV14(t *testing.T) {
	scep := Credentials{Connection: DefaultConnection, Protocol: SCEP}
	est := Credentials{Connection: "est", Protocol: EST}
	withSecret := scep
	withSecret.Secret = true
	for _, c := range []struct {
		name  string
		store []Certificate
		conns []Credentials
		with  func(*Snapshot)
		gone  string
		keeps string // stays as the only credential
	}{
		{"INV-14 the factory identity", []Certificate{entry("f", from(Factory))}, []Credentials{scep}, nil, "", "f"},
		{"INV-14 one from this authority", []Certificate{entry("e")}, []Credentials{scep}, nil, "", "e"},
		{"INV-14 one from another authority is none", []Certificate{entry("e", through("other"))}, []Credentials{scep}, nil, "e", ""},
		{"INV-14 an imported one is none", []Certificate{entry("i", from(Imported))}, []Credentials{scep}, nil, "i", ""},
		{"INV-14 a generated one is none", []Certificate{entry("g", from(Generated))}, []Credentials{scep}, nil, "g", ""},
		{"INV-14 a factory self-certificate is none", []Certificate{entry("f", from(Factory), selfSigned)}, []Credentials{scep}, nil, "f", ""},
		{"INV-14 an issued one, whatever its signature", []Certificate{entry("e", selfSigned)}, []Credentials{scep}, nil, "", "e"},
		{"INV-14 an expired one is none", []Certificate{entry("f", from(Factory), expired)}, []Credentials{scep}, nil, "f", ""},
		{"INV-14 it may not be expired: the clock is in doubt", []Certificate{entry("f", from(Factory), expired)}, []Credentials{scep},
			func(s *Snapshot) { s.ClockTrusted = false }, "", "f"},
		{"INV-14 SCEP signs with RSA", []Certificate{entry("f", from(Factory), ecdsaKey)}, []Credentials{scep}, nil, "f", ""},
		{"INV-14 EST with any key", []Certificate{entry("f", from(Factory), ecdsaKey)}, []Credentials{est}, nil, "", "f"},
		{"INV-14 a reusable password is enough", []Certificate{entry("f", from(Factory))}, []Credentials{withSecret}, nil, "f", ""},
		{"no connection, nothing to enroll through", []Certificate{entry("f", from(Factory))}, nil, nil, "f", ""},
		{"one of them stays anyway", []Certificate{entry("f", from(Factory)), entry("p", pinned)}, []Credentials{scep}, nil, "f", ""},
		{"the best of the plan as a whole", []Certificate{entry("a"), entry("b", until(noon.AddDate(2, 0, 0))), entry("c")},
			[]Credentials{scep}, nil, "a c", "b"},
		{"the first of equals", []Certificate{entry("a"), entry("b")}, []Credentials{scep}, nil, "b", "a"},
		{"each connection its own", []Certificate{entry("a"), entry("b", through("est")), entry("c", through("other"))},
			[]Credentials{scep, est}, nil, "c", "a"},
		{"one for two connections", []Certificate{entry("f", from(Factory)), entry("g", from(Generated))}, []Credentials{scep, est}, nil, "g", "f"},
		{"kept for one it serves the other too", []Certificate{entry("a"), entry("f", from(Factory), until(noon.AddDate(9, 0, 0)))},
			[]Credentials{scep, est}, nil, "a", "f"},
		{"the new one counts for its connection", []Certificate{entry("a"), entry("b", through("est"))},
			[]Credentials{scep, est}, func(s *Snapshot) { s.Through, s.NewRSA = DefaultConnection, true }, "a", "b"},
		{"for SCEP only with RSA", []Certificate{entry("a")}, []Credentials{scep},
			func(s *Snapshot) { s.Through, s.NewRSA = DefaultConnection, false }, "", "a"},
		{"for EST with any", []Certificate{entry("a", through("est"))}, []Credentials{est},
			func(s *Snapshot) { s.Through, s.NewRSA = "est", false }, "a", ""},
		{"not while its issuer is unverified", []Certificate{entry("a")}, []Credentials{scep},
			func(s *Snapshot) { s.Through, s.NewRSA, s.Unverified = DefaultConnection, true, true }, "", "a"},
		{"INV-13 not twice when it is stored", []Certificate{entry("a"), entry("new", state(StatePending))}, []Credentials{scep},
			func(s *Snapshot) {
				s.New, s.Through, s.NewRSA, s.Unverified = nameID("new"), DefaultConnection, true, true
			}, "", "a"},
		{"a rejected one may be given up", []Certificate{entry("a"), entry("r", state(StateRejected))}, []Credentials{scep}, nil, "", "a"},
		{"an unreadable one is none", []Certificate{entry("a"), entry("x", from(Factory), func(c *Certificate) { c.Damaged = true })},
			[]Credentials{scep}, nil, "", "a"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := stock(nil, c.store...)
			s.Connections = c.conns
			if c.with != nil {
				c.with(&s)
			}
			vs := yes(RuleNoPurpose, RuleExpired).Plan(s)
			mustGo(t, vs, c.gone)
			if c.keeps != "" {
				mustStay(t, vs, c.keeps, KeepCredential)
			}
		})
	}
	t.Run("INV-14 the one being replaced, before its successor counts", func(t *testing.T) {
		s := fx17A()
		s.Connections = []Credentials{{Connection: DefaultConnection, Protocol: SCEP}}
		s.Bindings = s.Bindings[:1]
		vs := yes(RuleReplaced, RuleNoPurpose).Plan(s)
		mustGo(t, vs, "Xyz2 Xyz3")
		mustStay(t, vs, "Xyz1", KeepCredential)
		s.Through, s.NewRSA = DefaultConnection, true
		mustGo(t, yes(RuleReplaced, RuleNoPurpose).Plan(s), "Xyz1 Xyz2 Xyz3")
	})
}

// TestDLS32 keeps an entry while its key serves one that stays.
func TestDLS32(t *testing.T) {
	for _, c := range []struct {
		name  string
		store []Certificate
		conns []Credentials
		gone  string
		keeps string // stays for its key
	}{
		{"DLS-32 one in use has the key", []Certificate{entry("a", keyOf("used")), entry("used")}, nil, "", "a"},
		{"DLS-32 a pinned one", []Certificate{entry("p", pinned), entry("a", keyOf("p"))}, nil, "", "a"},
		{"DLS-32 one a walk is not through with", []Certificate{entry("n", state(StatePending)), entry("a", keyOf("n"))}, nil, "", "a"},
		{"DLS-32 all that have the key go", []Certificate{entry("a", keyOf("k")), entry("b", keyOf("k"))}, nil, "a b", ""},
		{"DLS-32 three, one stays", []Certificate{entry("a", keyOf("p")), entry("b", keyOf("p")), entry("p", pinned), entry("c")}, nil, "c", "b"},
		{"DLS-32 one that stays as the only credential", []Certificate{entry("a", keyOf("k")), entry("k", until(noon.AddDate(2, 0, 0)))},
			[]Credentials{{Connection: DefaultConnection, Protocol: SCEP}}, "", "a"},
		{"no key is known of unreadable ones", []Certificate{entry("a", func(c *Certificate) { c.KeyID = "" }), entry("x", damaged)}, nil, "a", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := stock(bound("used", TLS), c.store...)
			s.Connections = c.conns
			vs := yes(RuleNoPurpose).Plan(s)
			mustGo(t, vs, c.gone)
			if c.keeps != "" {
				mustStay(t, vs, c.keeps, KeepSharedKey)
				if v := verdictOn(t, vs, c.keeps); v.Rule != RuleNoPurpose {
					t.Errorf("INV-12 the rule hits: %+v", v)
				}
			}
		})
	}
}

func TestDeletable(t *testing.T) {
	at := time.Date(2027, 3, 1, 0, 0, 0, 0, time.UTC)
	one := func(id ID, name string) Certificate {
		return Certificate{ID: id, Name: name, Origin: Enrolled, Connection: "default", KeyID: string(id),
			Parsed: Parsed{NotBefore: at.AddDate(-1, 0, 0), NotAfter: at.AddDate(1, 0, 0), KeyAlgorithm: "RSA"}}
	}
	s := Snapshot{Now: at, ClockTrusted: true, Certificates: []Certificate{one("a", "A"), one("b", "B")},
		Connections: []Credentials{{"default", SCEP, false}}, Through: "default", NewRSA: true}
	both := []Verdict{{ID: "a", Name: "A", Delete: true}, {ID: "b", Name: "B", Delete: true}, {ID: "gone", Delete: true}}
	on := DeletionPolicy{Auto: true}
	t.Run("INV-14 the two last credentials do not both go, though a new one is announced", func(t *testing.T) {
		if n := len(Targets(Deletable(both, s, on))); n != 1 {
			t.Errorf("%d of 2 go", n)
		}
	})
	t.Run("with a password held both go", func(t *testing.T) {
		secret := s
		secret.Connections = []Credentials{{"default", SCEP, true}}
		if n := len(Targets(Deletable(both, secret, on))); n != 2 {
			t.Errorf("%d of 2 go", n)
		}
	})
	t.Run("AMB-53 bound meanwhile", func(t *testing.T) {
		bound := s
		bound.Bindings = Bindings{{Purpose: TLS, Current: "a"}}
		got := Deletable(both, bound, on)
		if len(got) != 2 || got[0].Reason != KeepInUse || !got[1].Delete {
			t.Errorf("got %+v", got)
		}
	})
}
