package newleaf

import (
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"
)

func TestEndpoint(t *testing.T) {
	for _, c := range []struct {
		name, address string
		port          int
		want          string // "" is refused
	}{
		{"CON-01 a host name", "ca.example", 0, "http://ca.example/cgi-bin/pkiclient.exe"},
		{"CON-01 as people type it", " ca.example/ ", 0, "http://ca.example/cgi-bin/pkiclient.exe"},
		{"CON-02 a URL", "http://xyz1.abc.co.jp/xxxxxxx/yyyyy", 0, "http://xyz1.abc.co.jp/xxxxxxx/yyyyy"},
		{"CON-02 https", "https://ca.example/scep", 0, "https://ca.example/scep"},
		{"CON-02 a URL without a path", "https://ca.example", 0, "https://ca.example/cgi-bin/pkiclient.exe"},
		{"CON-02 a URL with the shortest path", "https://ca.example/", 0, "https://ca.example/"},
		{"CON-02 a path behind a host name", "ca.example/scep", 0, "http://ca.example/scep"},
		{"CON-03 a port", "ca.example", 8080, "http://ca.example:8080/cgi-bin/pkiclient.exe"},
		{"CON-03 in the URL", "http://ca.example:8080/scep", 0, "http://ca.example:8080/scep"},
		{"CON-07 the same in both", "http://ca.example:8080/scep", 8080, "http://ca.example:8080/scep"},
		{"CON-07 a conflict", "http://ca.example:8080/scep", 80, ""},
		{"CON-07 a colon and nothing", "http://ca.example:/scep", 80, "http://ca.example:80/scep"},
		{"CON-03 a port behind a host name", "ca.example:8080", 0, "http://ca.example:8080/cgi-bin/pkiclient.exe"},
		{"CON-06 port 1", "ca.example", 1, "http://ca.example:1/cgi-bin/pkiclient.exe"},
		{"CON-06 port 65535", "ca.example", 65535, "http://ca.example:65535/cgi-bin/pkiclient.exe"},
		{"CON-06 port 65536", "ca.example", 65536, ""},
		{"CON-06 port -1", "ca.example", -1, ""},
		{"CON-06 port 0 in the URL", "http://ca.example:0/", 0, ""},
		{"CON-06 port 65536 in the URL", "http://ca.example:65536/", 0, ""},
		{"CON-06 port abc in the URL", "http://ca.example:abc/", 0, ""},
		{"CON-06 a scheme and nothing", "http://", 0, ""},
		{"CON-06 another scheme", "ftp://ca.example/", 0, ""},
		{"CON-06 a space", "ca example", 0, ""},
		{"CON-06 a query of its own", "http://ca.example/scep?x=1", 0, ""},
		{"CON-06 an empty query", "http://ca.example/scep?", 0, ""},
		{"CON-06 a fragment", "http://ca.example/#x", 0, ""},
		{"CON-06 a password", "http://me:secret@ca.example/", 0, ""},
		{"CON-06 a host of 254", strings.Repeat("a", 254), 0, ""},
		{"an IPv4 address", "192.0.2.1", 8080, "http://192.0.2.1:8080/cgi-bin/pkiclient.exe"},
		{"an IPv6 address", "[2001:db8::1]", 8080, "http://[2001:db8::1]:8080/cgi-bin/pkiclient.exe"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := Connection{URL: c.address, Port: c.port}.Endpoint()
			if got != c.want || (err == nil) != (c.want != "") || err != nil && CodeOf(err) != CodeInvalid {
				t.Errorf("%q, %v, want %q", got, err, c.want)
			}
		})
	}
	t.Run("CON-08 empty is no connection", func(t *testing.T) {
		if _, err := NewConnection("x").Endpoint(); CodeOf(err) != CodeNoConnection {
			t.Error(err)
		}
	})
	t.Run("CON-11 requests go to the registration authority", func(t *testing.T) {
		c := Connection{URL: "ca.example", Port: 8080}
		if got, err := c.Enrollment(); err != nil || got != "http://ca.example:8080/cgi-bin/pkiclient.exe" {
			t.Error(got, err)
		}
		c.RAURL = "https://ra.example/scep" // the port number field is the CA's
		if got, err := c.Enrollment(); err != nil || got != c.RAURL {
			t.Error(got, err)
		}
	})
}

func TestConnectionValidate(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(*Connection)
		says   string // "" is accepted
	}{
		{"the defaults", func(*Connection) {}, ""},
		{"DM-03 no name", func(c *Connection) { c.Name = "" }, "name"},
		{"CON-06 abc:def", func(c *Connection) { c.URL = "abc:def" }, "server name"},
		{"CON-06 port 65536", func(c *Connection) { c.Port = 65536 }, "65536"},
		{"CON-09 no such protocol", func(c *Connection) { c.Protocol = "ldap" }, `"ldap"`},
		{"CON-09 not yet", func(c *Connection) { c.Protocol = EST }, `"est"`},
		{"CON-11 a registration authority", func(c *Connection) { c.RAURL = "ra.example" }, ""},
		{"CON-11 not a server", func(c *Connection) { c.RAURL = "ftp://ra.example" }, "server name"},
		{"CON-12 a proxy", func(c *Connection) { c.Proxy = "http://proxy.example:3128" }, ""},
		{"CON-12 a proxy without a scheme", func(c *Connection) { c.Proxy = "proxy.example:3128" }, "proxy"},
		{"CON-12 another proxy", func(c *Connection) { c.Proxy = "socks5://proxy.example" }, "proxy"},
		{"CON-12 a proxy with a password", func(c *Connection) { c.Proxy = "http://me:secret@proxy.example:3128" }, "without name and password"},
		{"CON-12 a proxy with a name", func(c *Connection) { c.Proxy = "http://me@proxy.example:3128" }, "without name and password"},
		{"CON-12 no proxy's name", func(c *Connection) { c.Proxy = "http://:3128" }, "proxy"},
		{"CON-12 1s", func(c *Connection) { c.Timeout = time.Second }, ""},
		{"CON-12 less", func(c *Connection) { c.Timeout = time.Second - 1 }, "timeout"},
		{"CON-12 10m", func(c *Connection) { c.Timeout = 10 * time.Minute }, ""},
		{"CON-12 more", func(c *Connection) { c.Timeout = 10*time.Minute + 1 }, "timeout"},
		{"CON-12 none", func(c *Connection) { c.Timeout = 0 }, "timeout"},
		{"weak algorithms", func(c *Connection) { c.Weak = []Weak{Weak3DES, WeakDES, WeakSHA1} }, ""},
		{"no such weak algorithm", func(c *Connection) { c.Weak = []Weak{"md5"} }, `"md5"`},
	} {
		t.Run(c.name, func(t *testing.T) {
			conn := NewConnection(DefaultConnection)
			conn.URL = "ca.example"
			c.change(&conn)
			checkInvalid(t, conn.Validate(), c.says)
		})
	}
	t.Run("CON-08 before the first save", func(t *testing.T) {
		if err := NewConnection(DefaultConnection).Validate(); CodeOf(err) != CodeNoConnection {
			t.Error(err)
		}
	})
	t.Run("weak algorithms are off", func(t *testing.T) {
		c := NewConnection("x")
		if c.Allows(Weak3DES) || c.Allows(WeakDES) || c.Allows(WeakSHA1) {
			t.Error(c.Weak)
		}
		if c.Weak = []Weak{WeakSHA1}; !c.Allows(WeakSHA1) || c.Allows(Weak3DES) {
			t.Error(c.Weak)
		}
	})
}

// FuzzEndpoint: what is accepted is a URL that a query can be added to, and stays
// the same when it is given again.
func FuzzEndpoint(f *testing.F) {
	for _, s := range []string{"ca.example", "http://xyz1.abc.co.jp/xxxxxxx/yyyyy", "https://[2001:db8::1]:8443/a b", "http://h:/?", "h%20", "//h", "http://h/%2f/..;x"} {
		f.Add(s, 0)
		f.Add(s, 8080)
	}
	f.Fuzz(func(t *testing.T, address string, port int) {
		got, err := Connection{URL: address, Port: port}.Endpoint()
		if err != nil {
			if c := CodeOf(err); c != CodeInvalid && c != CodeNoConnection {
				t.Fatal(c, err)
			}
			return
		}
		u, err := url.Parse(got)
		if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" || u.Path == "" || strings.ContainsAny(got, "?#@ ") {
			t.Fatalf("%q: %v", got, err)
		}
		if port != 0 && u.Port() != strconv.Itoa(port) {
			t.Fatalf("%q has not port %d", got, port)
		}
		if again, err := (Connection{URL: got}).Endpoint(); err != nil || again != got {
			t.Fatalf("%q becomes %q: %v", got, again, err)
		}
	})
}
