package newleaf

import (
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestRequestValidate(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(*Request)
		says   string // "" is accepted
	}{
		{"Fig. 13A", func(*Request) {}, ""},
		{"ISS-02 1024 bit", func(r *Request) { r.Key = RSA1024 }, ""},
		{"ISS-02 3072 bit", func(r *Request) { r.Key = RSA3072 }, ""},
		{"ISS-02 4096 bit", func(r *Request) { r.Key = RSA4096 }, ""},
		{"ISS-24 P-384", func(r *Request) { r.Key = P384 }, ""},
		{"ISS-02 512 bit", func(r *Request) { r.Key = "rsa-512" }, `"rsa-512"`},
		{"ISS-02 none", func(r *Request) { r.Key = "" }, "key kind"},
		{"DM-03 no name", func(r *Request) { r.Name = "" }, "name"},
		{"ISS-06 three letters", func(r *Request) { r.Subject = "C=JPN,CN=x" }, "C has 3"},
		{"ISS-11 no common name", func(r *Request) { r.Subject = "C=JP,O=ABC" }, "no CN"},
		{"ISS-12 nothing at all", func(r *Request) { r.Subject = "" }, "no CN"},
		{"ISS-23 a SAN names the device too", func(r *Request) { r.Subject, r.SAN = "", []string{"dns:device001"} }, ""},
		{"ISS-23 a bad SAN", func(r *Request) { r.SAN = []string{"dns:a", "dns:"} }, `"dns:"`},
		{"ISS-16 purposes", func(r *Request) { r.Purposes = []Purpose{TLS, "ipsec:hq"} }, ""},
		{"ISS-17 no such purpose", func(r *Request) { r.Purposes = []Purpose{"fax"} }, `"fax"`},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := DefaultRequest()
			r.Name, r.Subject = "Xyz4", "C=JP,O=ABC,OU=DEV01,CN=Device001"
			c.change(&r)
			checkInvalid(t, r.Validate(BuiltinKinds()), c.says)
		})
	}
	t.Run("ISS-03 and ISS-15 the fresh form", func(t *testing.T) {
		if r := DefaultRequest(); r.Key != RSA2048 || !r.Verify || r.Exportable || r.Connection != DefaultConnection {
			t.Errorf("%+v", r)
		}
	})
	t.Run("SCEP carries RSA only", func(t *testing.T) {
		for _, k := range KeySpecs() {
			if k.IsRSA() != strings.Contains(string(k), "rsa") {
				t.Error(k)
			}
		}
	})
}

func TestValidName(t *testing.T) {
	for _, c := range []struct {
		name, value string
		ok          bool
	}{
		{"DM-03 0", "", false},
		{"DM-03 1", "X", true},
		{"DM-03 64", strings.Repeat("x", 64), true},
		{"DM-03 65", strings.Repeat("x", 65), false},
		{"DM-03 64 characters, not bytes", strings.Repeat("証", 64), true},
		{"DM-03 65 characters", strings.Repeat("証", 65), false},
		{"DM-03 shown as text", "<script>alert(1)</script>", true},
		{"DM-01 spaces within", "office printer", true},
		{"DM-03 a space before", " X", false},
		{"DM-03 a space behind", "X ", false},
		{"DM-03 a wide space behind", "X\u3000", false},
		{"DM-03 a line break", "X\nY", false},
		{"DM-03 an escape", "X\x1b[2J", false},
		{"DM-03 NUL", "X\x00", false},
		{"DM-03 another control character", "X\u0085Y", false},
		{"DM-01 no UTF-8", "X\xff", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			if err := ValidName(c.value); (err == nil) != c.ok || err != nil && CodeOf(err) != CodeInvalid {
				t.Error(err)
			}
		})
	}
}

func TestValidSAN(t *testing.T) {
	for san, ok := range map[string]bool{
		"dns:device001": true, "dns:*.example.com": true, "dns:_x.example": true, "dns:" + strings.Repeat("x", 253): true,
		"dns:" + strings.Repeat("x", 254): false, "dns:": false, "dns:a b": false, "dns:bücher.example": false, "dns:a/b": false,
		"ip:192.0.2.1": true, "ip:2001:db8::1": true, "ip:": false, "ip:192.0.2": false, "ip:fe80::1%eth0": false, "ip:192.0.2.0/24": false,
		"email:a@b.example": true, "email:@b": false, "email:a@": false, "email:ab": false, "email:a b@c": false, "email:ä@c": false,
		"uri:http://x": false, "device001": false, "": false, "DNS:a": false,
	} {
		if err := validSAN(san); (err == nil) != ok {
			t.Errorf("ISS-23 %q: %v", san, err)
		}
	}
}

func TestNextName(t *testing.T) {
	for _, c := range []struct {
		name, from string
		taken      []string
		want       string
	}{
		{"AMB-17 the second", "Xyz1", nil, "Xyz1-2"},
		{"AMB-17 the third", "Xyz1-2", nil, "Xyz1-3"},
		{"AMB-17 the tenth", "Xyz1-9", nil, "Xyz1-10"},
		{"AMB-17 one is taken", "Xyz1", []string{"Xyz1-2", "Xyz1-3"}, "Xyz1-4"},
		{"AMB-17 a number that counts nothing", "router-1", nil, "router-1-2"},
		{"AMB-17 a year", "Xyz-20270301", nil, "Xyz-20270301-2"},
		{"AMB-17 only a number", "-2", nil, "-2-2"},
		{"DM-03 64 characters", strings.Repeat("x", 64), nil, strings.Repeat("x", 62) + "-2"},
		{"DM-03 no space before the cut", strings.Repeat("x", 61) + " yz", nil, strings.Repeat("x", 61) + "-2"},
		{"DM-03 the cut is between characters", strings.Repeat("証", 64), nil, strings.Repeat("証", 62) + "-2"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := NextName(c.from, func(n string) bool {
				for _, other := range c.taken {
					if n == other {
						return true
					}
				}
				return false
			})
			if got != c.want {
				t.Errorf("%q, want %q", got, c.want)
			}
		})
	}
	t.Run("AMB-17 and DM-02 for ever: a valid name that is free", func(t *testing.T) {
		rapid.Check(t, func(t *rapid.T) {
			name := rapid.StringN(1, 64, -1).Filter(func(s string) bool { return ValidName(s) == nil }).Draw(t, "name")
			taken := map[string]bool{name: true}
			for range 20 {
				next := NextName(name, func(n string) bool { return taken[n] })
				if err := ValidName(next); err != nil || taken[next] {
					t.Fatalf("%q after %q: taken %v, %v", next, name, taken[next], err)
				}
				taken[next], name = true, next
			}
		})
	})
}
