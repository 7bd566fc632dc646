package newleaf

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestKindsParse(t *testing.T) {
	kinds := append(BuiltinKinds(), Kind{Name: "mqtt", Label: "MQTT", Need: NeedReload})
	for _, c := range []struct {
		name, list string
		want       []Purpose
		says       string // "" is accepted
	}{
		{"ISS-16 two", "tls,ipsec", []Purpose{IPsec, TLS}, ""},
		{"ISS-17 three, in any order and case", " IPSEC, dot1x ,Tls", []Purpose{Dot1X, IPsec, TLS}, ""},
		{"ISS-18 none", "none", []Purpose{}, ""},
		{"ISS-18 nothing", " ", []Purpose{}, ""},
		{"VAR-21 all", "all", []Purpose{Dot1X, IPsec, "mqtt", TLS}, ""},
		{"PUR-12 by configuration", "mqtt", []Purpose{"mqtt"}, ""},
		{"DM-06 a set has no repeats", "tls,ipsec,tls", []Purpose{IPsec, TLS}, ""},
		{"an instance", "tls:portal,tls", []Purpose{TLS, "tls:portal"}, ""},
		{"an instance of 32", "tls:" + strings.Repeat("x", 32), []Purpose{Purpose("tls:" + strings.Repeat("x", 32))}, ""},
		{"an instance of 33", "tls:" + strings.Repeat("x", 33), nil, "1 to 32"},
		{"an empty instance", "tls:", nil, "1 to 32"},
		{"an instance in an instance", "tls:a:b", nil, "1 to 32"},
		{"an instance with a space", "tls:a b", nil, "1 to 32"},
		{"unknown", "tls,fax", nil, `"fax"`},
		{"none is no member", "tls,none", nil, `"none"`},
		{"a comma too many", "tls,", nil, `""`},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := kinds.Parse(c.list)
			checkInvalid(t, err, c.says)
			if diff := cmp.Diff(c.want, got); err == nil && diff != "" {
				t.Error(diff)
			}
		})
	}
	t.Run("the hint names what there is", func(t *testing.T) {
		if err := AsError(kinds.Check([]Purpose{"fax"})); !strings.Contains(err.Hint, "tls, ipsec, dot1x, mqtt") {
			t.Error(err.Hint)
		}
	})
	t.Run("an instance in capitals does not pass unnoticed", func(t *testing.T) {
		checkInvalid(t, kinds.Check([]Purpose{"tls:Portal"}), "1 to 32")
	})
}

func TestKindsLabel(t *testing.T) {
	for p, want := range map[Purpose]string{TLS: "TLS", IPsec: "IPSEC", Dot1X: "IEEE802.1X", "tls:portal": "TLS (portal)", "fax": "fax"} {
		if got := BuiltinKinds().Label(p); got != want {
			t.Errorf("DM-04 %s is shown as %q, want %q", p, got, want)
		}
	}
}

func TestParsedFits(t *testing.T) {
	kinds := BuiltinKinds()
	for _, c := range []struct {
		name string
		eku  []string
		fits []Purpose
	}{
		{"none allows all", nil, []Purpose{TLS, IPsec, Dot1X}},
		{"any allows all", []string{EKUAny}, []Purpose{TLS, IPsec, Dot1X}},
		{"server", []string{EKUServerAuth}, []Purpose{TLS, IPsec}},
		{"client", []string{EKUClientAuth}, []Purpose{IPsec, Dot1X}},
		{"server and client", []string{EKUServerAuth, EKUClientAuth}, []Purpose{TLS, IPsec, Dot1X}},
		{"IKE", []string{EKUIPsecIKE}, []Purpose{IPsec}},
		{"code signing", []string{"1.3.6.1.5.5.7.3.3"}, nil},
	} {
		t.Run("F8-G5 "+c.name, func(t *testing.T) {
			var got []Purpose
			for _, k := range kinds {
				if (Parsed{EKU: c.eku}).Fits(k) {
					got = append(got, k.Name)
				}
			}
			if diff := cmp.Diff(c.fits, got); diff != "" {
				t.Error(diff)
			}
			if !(Parsed{EKU: c.eku}).Fits(Kind{Name: "mqtt"}) {
				t.Error("a kind that asks for nothing is refused")
			}
		})
	}
}

func TestBindings(t *testing.T) {
	bs := Bindings{
		{Purpose: TLS, Current: "old", Trial: "new", Loaded: "new", Previous: "older"},
		{Purpose: Dot1X, Current: "new", Loaded: "old"},
		{Purpose: IPsec, Current: "old", Loaded: "old"},
		{Purpose: "tls:portal"},
	}
	for _, c := range []struct {
		name       string
		id         ID
		held, used []Purpose
	}{
		{"PUR-04 on trial it is the holder", "new", []Purpose{Dot1X, TLS}, []Purpose{Dot1X, TLS}},
		{"AMB-18 loaded or awaiting proof it is in use", "old", []Purpose{IPsec}, []Purpose{Dot1X, IPsec, TLS}},
		{"AMB-18 the previous one too", "older", []Purpose{}, []Purpose{TLS}},
		{"DM-05 absent", "other", []Purpose{}, []Purpose{}},
		{"no certificate has no purpose", "", []Purpose{}, []Purpose{}},
	} {
		t.Run(c.name, func(t *testing.T) {
			if diff := cmp.Diff(c.held, bs.Held(c.id)) + cmp.Diff(c.used, bs.Used(c.id)); diff != "" {
				t.Error(diff)
			}
		})
	}
	t.Run("DM-07 the binding of a purpose", func(t *testing.T) {
		if got := bs.Of(IPsec); got.Current != "old" {
			t.Error(got)
		}
		if got := bs.Of("ipsec:hq"); got != (Binding{Purpose: "ipsec:hq"}) {
			t.Error(got)
		}
	})
	t.Run("PUR-05 one per part is enough", func(t *testing.T) {
		for _, b := range []Binding{{Current: "x"}, {Trial: "x"}, {Previous: "x"}, {Loaded: "x"}} {
			if !b.Uses("x") || b.Uses("y") || b.Uses("") {
				t.Error(b)
			}
		}
	})
}
