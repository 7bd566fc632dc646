package newleaf

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// noon is when the fixtures are looked at.
var noon = utc("2027-03-01T12:00:00Z")

// entry is a valid certificate from the default connection, with changes. Its ID
// is that of its name.
func entry(name string, changes ...func(*Certificate)) Certificate {
	c := Certificate{ID: nameID(name), Name: name, KeyID: "key of " + name, Origin: Enrolled,
		Connection: DefaultConnection, Verified: true, Size: 1000, Added: noon.AddDate(0, -3, 0),
		Parsed: Parsed{Subject: "CN=Device001,OU=Dev.A,O=ABC,C=JP", Issuer: "CN=CA01,C=JP", KeyAlgorithm: "RSA", KeyBits: 2048,
			NotBefore: noon.AddDate(-1, 0, 0), NotAfter: noon.AddDate(1, 0, 0)}}
	for _, change := range changes {
		change(&c)
	}
	return c
}

func nameID(name string) ID { return IDOf([]byte(name)) }

func from(o Origin) func(*Certificate) { return func(c *Certificate) { c.Origin = o } }
func state(s State) func(*Certificate) { return func(c *Certificate) { c.State = s } }
func keyOf(name string) func(*Certificate) {
	return func(c *Certificate) { c.KeyID = "key of " + name }
}
func added(t time.Time) func(*Certificate)   { return func(c *Certificate) { c.Added = t } }
func until(t time.Time) func(*Certificate)   { return func(c *Certificate) { c.NotAfter = t } }
func through(conn string) func(*Certificate) { return func(c *Certificate) { c.Connection = conn } }
func size(bytes int64) func(*Certificate)    { return func(c *Certificate) { c.Size = bytes } }

func selfSigned(c *Certificate) { c.SelfVerified = true }
func pinned(c *Certificate)     { c.Pinned = true }
func expired(c *Certificate)    { c.NotAfter = noon.AddDate(0, 0, -10) }
func ecdsaKey(c *Certificate)   { c.KeyAlgorithm, c.KeyBits = "ECDSA", 256 }

// damaged is what is left of a record that cannot be read.
func damaged(c *Certificate) {
	*c = Certificate{ID: c.ID, Name: c.Name, Origin: Unknown, Damaged: true, Size: c.Size}
}

// bound binds each purpose to the certificate, which its user has loaded.
func bound(name string, purposes ...Purpose) (bs Bindings) {
	for _, p := range purposes {
		bs = append(bs, Binding{Purpose: p, Current: nameID(name), Loaded: nameID(name)})
	}
	return bs
}

// stock is a store at noon with a good clock and room for one more.
func stock(bs Bindings, certificates ...Certificate) Snapshot {
	return Snapshot{Now: noon, ClockTrusted: true, Certificates: certificates, Bindings: bs, Capacity: len(certificates) + 1}
}

// fx17A is the store of Fig. 17A; a new certificate for TLS is on its way.
func fx17A() Snapshot {
	row := func(name, serial string, bits int) Certificate {
		return entry(name, func(c *Certificate) { c.Serial, c.KeyBits = serial, bits })
	}
	bs := append(append(bound("Xyz1", TLS), bound("Xyz2", IPsec)...), bound("Xyz3", Dot1X)...)
	s := stock(bs, row("Xyz1", "0102030405", 1024), row("Xyz2", "0102030406", 2048), row("Xyz3", "0102030407", 2048))
	s.For = []Purpose{TLS}
	return s
}

// fxZoo has one of each kind; A is being renewed. I is the oldest, A the youngest.
func fxZoo() Snapshot {
	bs := append(append(bound("A", TLS), bound("B", IPsec)...), bound("C", Dot1X)...)
	s := stock(bs,
		entry("A"), entry("B"), entry("C", from(Generated), selfSigned),
		entry("D"), entry("E", from(Generated), selfSigned), entry("F", from(Factory)),
		entry("G", expired), entry("H", from(Imported)), entry("I", from(Factory), selfSigned, expired))
	for i := range s.Certificates {
		s.Certificates[i].Added = noon.AddDate(0, 0, -i-1)
	}
	s.For = []Purpose{TLS}
	return s
}

// fxMulti has a certificate with two purposes, of which the new one takes TLS.
func fxMulti() Snapshot {
	s := stock(append(bound("M1", TLS, IPsec), bound("M2", Dot1X)...), entry("M1"), entry("M2"))
	s.For = []Purpose{TLS}
	return s
}

// fxFull is a store of capacity n whose certificates are in turn in use and pinned.
func fxFull(n int) Snapshot {
	s := stock(nil)
	for i := range n {
		name := fmt.Sprintf("full%d", i)
		if i%2 == 0 {
			s.Bindings = append(s.Bindings, bound(name, Purpose(fmt.Sprintf("tls:i%d", i)))...)
			s.Certificates = append(s.Certificates, entry(name))
		} else {
			s.Certificates = append(s.Certificates, entry(name, pinned))
		}
	}
	s.Capacity = n
	return s
}

// yes is a policy that is on, with these rules and nothing else.
func yes(rules ...Rule) DeletionPolicy {
	return DeletionPolicy{Auto: true, Rules: rules, Order: OrderAfter}
}

// gone names those a plan deletes: "A D".
func gone(vs []Verdict) string {
	names := []string{}
	for _, v := range Targets(vs) {
		names = append(names, v.Name)
	}
	return strings.Join(names, " ")
}

// brief is what a failed test shows of a plan.
func brief(vs []Verdict) string {
	out := []string{}
	for _, v := range vs {
		out = append(out, fmt.Sprintf("%s %v %s", v.Name, v.Rules, v.Reason))
	}
	return strings.Join(out, "; ")
}

// verdictOn finds the verdict on one certificate.
func verdictOn(t testing.TB, vs []Verdict, name string) Verdict {
	t.Helper()
	for _, v := range vs {
		if v.ID == nameID(name) {
			return v
		}
	}
	t.Fatalf("there is no verdict on %s", name)
	return Verdict{}
}

// mustGo fails unless the plan deletes exactly these.
func mustGo(t testing.TB, vs []Verdict, want string) {
	t.Helper()
	if got := gone(vs); got != want {
		t.Errorf("goes %q, want %q of %s", got, want, brief(vs))
	}
}

// mustStay fails unless the plan keeps the certificate for this reason.
func mustStay(t testing.TB, vs []Verdict, name string, why Reason) {
	t.Helper()
	if v := verdictOn(t, vs, name); v.Delete || v.Reason != why {
		t.Errorf("%s: delete %v, reason %q, want %q", name, v.Delete, v.Reason, why)
	}
}

// checkInvalid fails unless err is nil for "", or CodeInvalid and says the words.
func checkInvalid(t testing.TB, err error, says string) {
	t.Helper()
	switch {
	case says == "" && err != nil:
		t.Errorf("refused: %v", err)
	case says != "" && err == nil:
		t.Errorf("accepted, it should have said %q", says)
	case says != "" && (CodeOf(err) != CodeInvalid || !strings.Contains(err.Error(), says)):
		t.Errorf("%s: %v, want invalid and %q", CodeOf(err), err, says)
	}
}
