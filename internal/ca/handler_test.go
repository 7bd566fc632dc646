package ca

import (
	"encoding/json"
	"encoding/pem"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"newleaf/internal/enroll"
)

// ask speaks to the lab's pages as curl would and decodes the answer.
func ask(t *testing.T, server *httptest.Server, method, path, body string, status int, into any) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, server.URL+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	answer, err := server.Client().Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	if answer.StatusCode != status {
		t.Fatalf("%s %s: %s %s, want %d", method, path, answer.Status, text, status)
	}
	if into == nil {
		return
	}
	if err := json.Unmarshal(text, into); err != nil {
		t.Fatalf("%s %s: %s: %v", method, path, text, err)
	}
}

func TestLabPages(t *testing.T) {
	c, _ := open(t, Options{Approve: true})
	server := httptest.NewServer(c.Handler())
	t.Cleanup(server.Close)
	for _, path := range []string{"requests", "exchanges", "issued", "pending"} {
		var empty json.RawMessage
		if ask(t, server, "GET", "/lab/"+path, "", 200, &empty); string(empty) != "[]\n" && string(empty) != "[]" {
			t.Errorf("%s of a new authority: %s, want []", path, empty)
		}
	}
	var given Challenge
	ask(t, server, "POST", "/lab/challenge", `{"subject": "C=JP,CN=a"}`, 200, &given)
	s := first(t, "t1", given.Challenge, newKey(t), "C=JP,CN=a")
	if d := decide(t, c, s); d.Status != enroll.Pending {
		t.Fatalf("%+v", d)
	}
	decide(t, c, first(t, "t2", "", newKey(t), "CN=b"))
	var waiting []Waiting
	if ask(t, server, "GET", "/lab/pending", "", 200, &waiting); len(waiting) != 2 || waiting[0].Subject != "CN=a,C=JP" {
		t.Errorf("pending %+v", waiting)
	}
	ask(t, server, "POST", "/lab/approve", `{"transactionId": "t1"}`, 200, nil)
	ask(t, server, "POST", "/lab/deny", `{"transactionId": "t2", "reason": "no"}`, 200, nil)
	ask(t, server, "POST", "/lab/approve", `{"transactionId": "t1"}`, 404, nil)
	var registered []Registration
	if ask(t, server, "GET", "/lab/issued", "", 200, &registered); len(registered) != 1 || registered[0].Serial != serialHex(issue(t, c, s)) {
		t.Errorf("issued %+v", registered)
	}
	ask(t, server, "POST", "/lab/revoke", `{"serial": "`+registered[0].Serial+`"}`, 200, nil)
	ask(t, server, "POST", "/lab/revoke", `{"serial": "xyz"}`, 422, nil)
	ask(t, server, "GET", "/lab/issued", "", 200, &registered)
	if registered[0].RevokedAt == nil {
		t.Error("revoking by the page did nothing")
	}
	var log []Entry
	if ask(t, server, "GET", "/lab/requests?since=2", "", 200, &log); len(log) == 0 || log[0].Operation != "approve" {
		t.Errorf("requests %+v", log)
	}
	ask(t, server, "GET", "/lab/requests?since=x", "", 422, nil)
	ask(t, server, "GET", "/lab/crl", "", 200, nil)
}

func TestLabMischiefPage(t *testing.T) {
	c, _ := open(t, Options{})
	server := httptest.NewServer(c.Handler())
	t.Cleanup(server.Close)
	var out struct {
		Mischief []string
		Known    []Fault
	}
	ask(t, server, "POST", "/lab/mischief", `{"mischief": ["refuse*2"]}`, 200, &out)
	if d := cmp.Diff([]string{"refuse:PKIOperation*2"}, out.Mischief); d != "" || len(out.Known) != len(Faults()) {
		t.Error(d, len(out.Known))
	}
	ask(t, server, "POST", "/lab/mischief", `{"mischief": ["refuze"]}`, 422, nil)
	ask(t, server, "POST", "/lab/mischief", `{"mischeif": []}`, 422, nil)
	ask(t, server, "POST", "/lab/mischief", `{`, 422, nil)
	if m := c.Misbehave("PKIOperation"); m.Refuse == "" {
		t.Error("the page armed nothing")
	}
	ask(t, server, "GET", "/lab/mischief", "", 200, &out)
	if d := cmp.Diff([]string{"refuse:PKIOperation*1"}, out.Mischief); d != "" {
		t.Error(d)
	}
}

func TestLabIssuerPage(t *testing.T) {
	c, _ := open(t, Options{})
	w := httptest.NewRecorder()
	r := httptest.NewRequestWithContext(t.Context(), "GET", "/lab/ca.pem", nil)
	r.RemoteAddr, r.Host = "[::1]:99", "localhost:1234"
	c.Handler().ServeHTTP(w, r)
	if block, _ := pem.Decode(w.Body.Bytes()); w.Code != 200 || block == nil || string(block.Bytes) != string(c.identity.Issuer.Raw) {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}

func TestLabPagesAreLocal(t *testing.T) {
	c, _ := open(t, Options{})
	for _, tt := range []struct {
		name, peer, host, site string
		want                   int
	}{
		{"loopback", "127.0.0.1:99", "127.0.0.1:8080", "", 200},
		{"IPv6 loopback", "[::1]:99", "[::1]:8080", "", 200},
		{"mapped loopback", "[::ffff:127.0.0.1]:99", "localhost", "", 200},
		{"another machine", "192.0.2.1:99", "127.0.0.1:8080", "", 403},
		{"rebound name", "127.0.0.1:99", "evil.example:8080", "", 403},
		{"page of another site", "127.0.0.1:99", "127.0.0.1:8080", "cross-site", 403},
		{"no address", "@", "127.0.0.1:8080", "", 403},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := httptest.NewRequestWithContext(t.Context(), "POST", "/lab/challenge", strings.NewReader(`{"subject": "CN=a"}`))
			r.RemoteAddr, r.Host = tt.peer, tt.host
			if tt.site != "" {
				r.Header.Set("Sec-Fetch-Site", tt.site)
			}
			w := httptest.NewRecorder()
			c.Handler().ServeHTTP(w, r)
			if w.Code != tt.want {
				t.Errorf("%d %s, want %d", w.Code, w.Body, tt.want)
			}
		})
	}
}

func TestWatch(t *testing.T) {
	c, _ := open(t, Options{})
	server := httptest.NewServer(c.Watch(http.NotFoundHandler()))
	t.Cleanup(server.Close)
	ask(t, server, "GET", "/scep?operation=GetCACert&message=profile1", "", 404, nil)
	ask(t, server, "POST", "/scep?operation=PKIOperation", "body", 404, nil)
	got := c.Exchanges()
	for i := range got {
		got[i].Peer = ""
	}
	want := []Exchange{
		{At: start, Method: "GET", Path: "/scep", Operation: "GetCACert", Message: "profile1"},
		{At: start, Method: "POST", Path: "/scep", Operation: "PKIOperation", Length: 4},
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	for range trafficLimit * 2 {
		c.traffic.add(Exchange{})
	}
	if n := len(c.Exchanges()); n > trafficLimit {
		t.Errorf("%d exchanges remembered", n)
	}
}
