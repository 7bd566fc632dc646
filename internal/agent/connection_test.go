package agent_test

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"newleaf"
	"newleaf/internal/agent"
	"newleaf/internal/ca"
	"newleaf/internal/enroll"
	"newleaf/internal/scep"
)

// wire notes what goes to which address.
type wire struct {
	to   http.RoundTripper
	seen []string // METHOD host/path operation [message]
}

func (w *wire) RoundTrip(r *http.Request) (*http.Response, error) {
	q := r.URL.Query()
	line := r.URL.Host + r.URL.Path + " " + q.Get("operation")
	if q.Get("operation") == "GetCACert" {
		line += " " + q.Get("message")
	}
	w.seen = append(w.seen, strings.TrimSpace(line))
	return w.to.RoundTrip(r)
}

// wired lets all of the device's traffic go over a wire.
func (d *device) wired() *wire {
	w := &wire{to: d.authority}
	d.dial = func(c newleaf.Connection) (enroll.Client, error) {
		return scep.NewClient(c, scep.Options{Transport: w, Now: func() time.Time { return d.now }})
	}
	return w
}

// TestConnectionUsed: CA certificate and requests go where the settings say,
// through restarts (CON-01 to CON-05, CON-10, CON-11).
func TestConnectionUsed(t *testing.T) {
	for _, tt := range []struct {
		name         string
		change       func(*newleaf.Connection)
		fetch, issue string
	}{
		{"CON-01 a host name", func(c *newleaf.Connection) { c.URL = "ca.example" },
			"ca.example/cgi-bin/pkiclient.exe GetCACert", "ca.example/cgi-bin/pkiclient.exe PKIOperation"},
		{"CON-02 CON-03 a URL with a path, and a port", func(c *newleaf.Connection) { c.URL, c.Port = "http://xyz1.abc.co.jp/xxxxxxx/yyyyy", 8080 },
			"xyz1.abc.co.jp:8080/xxxxxxx/yyyyy GetCACert", "xyz1.abc.co.jp:8080/xxxxxxx/yyyyy PKIOperation"},
		{"CON-10 the identifier of one CA among several", func(c *newleaf.Connection) { c.CAID = "sales dept" },
			"authority.example/scep GetCACert sales dept", "authority.example/scep PKIOperation"},
		{"CON-11 an RA of its own", func(c *newleaf.Connection) { c.RAURL = "https://ra.example/enroll" },
			"authority.example/scep GetCACert", "ra.example/enroll PKIOperation"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			d := newDevice(t, ca.Options{}, nil)
			d.connect(tt.change)
			d.reboot()
			w := d.wired()
			_, err := d.FetchAnchors(context.Background(), newleaf.DefaultConnection, "")
			must(t, err)
			if !slices.Equal(w.seen, []string{tt.fetch}) {
				t.Errorf("the CA certificate came by %q, want %q", w.seen, tt.fetch)
			}
			d.stands(d.issue("Xyz1", newleaf.TLS), newleaf.PhaseDone, fine)
			if last := w.seen[len(w.seen)-1]; last != tt.issue {
				t.Errorf("the request went by %q, want %q", w.seen, tt.issue)
			}
		})
	}
}

// TestConnectionSettings: what is wrong changes nothing (CON-06), what is not set
// is said before anything is sent (CON-08).
func TestConnectionSettings(t *testing.T) {
	t.Run("CON-08 none", func(t *testing.T) {
		d := newDevice(t, ca.Options{}, func(_ *device, p *agent.Provision) { p.Connections, p.Anchors = nil, nil })
		w := d.wired()
		before := d.holding()
		_, err := d.FetchAnchors(context.Background(), newleaf.DefaultConnection, "")
		wantCode(t, err, newleaf.CodeNoConnection)
		_, err = d.Issue(context.Background(), issueOf("Xyz1", newleaf.TLS))
		wantCode(t, err, newleaf.CodeNoConnection)
		if len(w.seen) > 0 {
			t.Errorf("%q was sent", w.seen)
		}
		d.unchanged(before)
	})
	t.Run("CON-06 old values stay", func(t *testing.T) {
		d := newDevice(t, ca.Options{}, nil)
		list := func() newleaf.ConnectionInfo {
			all, err := d.ConnectionList(context.Background())
			must(t, err)
			return all[0]
		}
		before := list()
		for name, change := range map[string]func(*newleaf.Connection){
			"port": func(c *newleaf.Connection) { c.Port = 65536 }, "server name": func(c *newleaf.Connection) { c.URL = "http://" },
			"conflict (CON-07)": func(c *newleaf.Connection) { c.URL, c.Port = "http://ca.example:8080/", 80 },
			"timeout":           func(c *newleaf.Connection) { c.Timeout = 0 }, "protocol": func(c *newleaf.Connection) { c.Protocol = "smtp" },
		} {
			c := before.Connection
			change(&c)
			if _, err := d.SetConnection(context.Background(), c); newleaf.CodeOf(err) != newleaf.CodeInvalid {
				t.Errorf("%s: got %v", name, err)
			}
		}
		after := list()
		if after.Endpoint != before.Endpoint || after.Timeout != before.Timeout {
			t.Errorf("now it is %+v", after)
		}
		n := len(d.events(newleaf.EventConnection))
		d.connect(func(*newleaf.Connection) {})
		if all := d.events(newleaf.EventConnection); len(all) != n {
			t.Error("saving what is there already leaves a trace")
		}
	})
	t.Run("F6-G4 the server changed after its CA certificate was fetched", func(t *testing.T) {
		d := newDevice(t, ca.Options{}, distrustful)
		_, err := d.FetchAnchors(context.Background(), newleaf.DefaultConnection, "")
		must(t, err)
		_, err = d.ConfirmAnchors(context.Background(), newleaf.DefaultConnection)
		must(t, err)
		c := newleaf.NewConnection(newleaf.DefaultConnection)
		c.URL = "http://elsewhere.example/scep"
		info, err := d.SetConnection(context.Background(), c)
		must(t, err)
		says(t, info.Warning, "http://authority.example/scep")
		if info.Anchors != 1 || info.Endpoint != "http://elsewhere.example/scep" {
			t.Errorf("the connection is shown as %+v", info)
		}
	})
	t.Run("F6-G3 a change during an exchange counts at the next", func(t *testing.T) {
		d := newDevice(t, ca.Options{Approve: true}, nil)
		w := d.wired()
		d.at("request.sending", func() { d.connect(func(c *newleaf.Connection) { c.URL = "http://elsewhere.example/scep" }) })
		r := d.issue("Xyz1", newleaf.TLS)
		d.stands(r, newleaf.PhasePending, fine)
		if slices.ContainsFunc(w.seen, func(s string) bool { return strings.HasPrefix(s, "elsewhere") }) {
			t.Errorf("the exchange under way went to %q", w.seen)
		}
		w.seen = nil
		must(t, d.authority.Approve(context.Background(), r.TransactionID))
		d.after(r.NextTry.Sub(d.now))
		d.stands(d.renewal(r.ID), newleaf.PhaseDone, fine)
		if slices.ContainsFunc(w.seen, func(s string) bool { return strings.HasPrefix(s, "authority") }) {
			t.Errorf("the next exchange went to %q", w.seen)
		}
	})
	t.Run("removed: its password is destroyed, its certificates stay", func(t *testing.T) {
		d := newDevice(t, ca.Options{}, nil)
		d.connect(func(c *newleaf.Connection) { c.KeepPassword = true })
		d.issue("Xyz1", newleaf.TLS)
		generation, anchors := d.generation(), d.holding().Anchors
		must(t, d.RemoveConnection(context.Background(), newleaf.DefaultConnection))
		if s := d.secrets(); len(s) > 0 || d.generation() == generation {
			t.Errorf("%q are left", s)
		}
		if len(d.holding().Anchors) != len(anchors) {
			t.Error("its CA certificate is gone")
		}
		wantCode(t, d.RemoveConnection(context.Background(), newleaf.DefaultConnection), newleaf.CodeNoConnection)
		d.holds("Xyz1:tls")
	})
}

// TestConnectionTest: it tells what there is, trusts nothing and asks for nothing.
func TestConnectionTest(t *testing.T) {
	d := newDevice(t, ca.Options{}, distrustful)
	before := d.holding()
	test := func() (newleaf.ConnectionTest, []string) {
		t.Helper()
		got, err := d.TestConnection(context.Background(), newleaf.DefaultConnection)
		must(t, err)
		var bad []string
		for _, f := range got.Findings {
			if !f.OK {
				bad = append(bad, f.Topic)
			}
		}
		return got, bad
	}
	got, bad := test()
	if len(bad) != 0 || got.Endpoint != "http://authority.example/scep" || len(got.Certificates) != 2 || !slices.Contains(got.Capabilities, "Renewal") {
		t.Errorf("got %+v, with %q", got, bad)
	}
	d.misbehave("leaf-as-ca")
	if _, bad = test(); !slices.Equal(bad, []string{"CA certificate"}) {
		t.Errorf("an end entity instead of the CA is told as %q", bad)
	}
	d.misbehave()
	d.authority.Down = true
	if _, bad = test(); !slices.Equal(bad, []string{"capabilities", "CA certificate"}) {
		t.Errorf("an authority that is down is told as %q", bad)
	}
	d.unchanged(before)
	if d.requests() > 0 {
		t.Error("a certificate was asked for")
	}
	_, err := d.TestConnection(context.Background(), "other")
	wantCode(t, err, newleaf.CodeNoConnection)
}
