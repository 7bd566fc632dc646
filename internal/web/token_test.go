package web

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"newleaf"
)

// stored is a store of tokens by hash.
type stored struct {
	byHash map[string]newleaf.Token
	asked  int
	err    error
}

func (s *stored) Lookup(_ context.Context, hash []byte) (newleaf.Token, bool, error) {
	s.asked++
	t, ok := s.byHash[string(hash)]
	return t, ok, s.err
}

var start = time.Date(2027, 3, 1, 4, 0, 0, 0, time.UTC)

// gate is a Bearer over some tokens with a clock that the test turns.
type gate struct {
	stored
	now time.Time
	h   http.Handler
}

func newGate() *gate {
	g := &gate{now: start}
	g.byHash = map[string]newleaf.Token{}
	for text, tok := range map[string]newleaf.Token{
		"nl_1_good":   {ID: "1", Name: "ci", Role: newleaf.Administrator, Expires: start.Add(time.Hour)},
		"nl_2_viewer": {ID: "2", Name: "eye", Role: newleaf.Viewer, Expires: start.Add(time.Hour)},
		"nl_3_old":    {ID: "3", Name: "old", Role: newleaf.Administrator, Expires: start},
		"nl_4_zero":   {ID: "4", Name: "zero", Role: newleaf.Administrator},
		"nl_9_moved":  {ID: "5", Name: "moved", Role: newleaf.Administrator, Expires: start.Add(time.Hour)},
	} {
		g.byHash[string(TokenHash(text))] = tok
	}
	g.h = Bearer(whoami(), g, func() time.Time { return g.now })
	return g
}

func (g *gate) ask(t *testing.T, from, header string) *httptest.ResponseRecorder {
	r := httptest.NewRequestWithContext(t.Context(), "GET", "/api/v1/status", nil)
	r.RemoteAddr = from
	if header != "" {
		r.Header.Set("Authorization", header)
	}
	w := httptest.NewRecorder()
	g.h.ServeHTTP(w, r)
	return w
}

func TestBearer(t *testing.T) {
	g := newGate()
	for i, c := range []struct {
		header string
		actor  newleaf.Actor
		says   string
	}{
		{"Bearer nl_1_good", newleaf.Actor{Name: "token:ci", Role: newleaf.Administrator}, ""},
		{"bearer  nl_2_viewer", newleaf.Actor{Name: "token:eye", Role: newleaf.Viewer}, ""},
		{"", newleaf.Actor{}, "brings no token"},
		{"Bearer nl_3_old", newleaf.Actor{}, "expired"},
		{"Bearer nl_4_zero", newleaf.Actor{}, "expired"},
		{"Bearer nl_1_bad", newleaf.Actor{}, "not known"},
		{"Bearer nl_9_moved", newleaf.Actor{}, "not known"},
		{"Bearer nl_1", newleaf.Actor{}, "no token of newleaf"},
		{"Bearer nl__x", newleaf.Actor{}, "no token of newleaf"},
		{"Bearer xx_1_good", newleaf.Actor{}, "no token of newleaf"},
		{"Bearer", newleaf.Actor{}, "no token of newleaf"},
		{"Basic nl_1_good", newleaf.Actor{}, "no token of newleaf"},
		{"Bearer nl_1_" + strings.Repeat("x", 300), newleaf.Actor{}, "no token of newleaf"},
	} {
		w := g.ask(t, fmt.Sprintf("192.0.2.%d:99", i), c.header)
		if c.says == "" {
			var got newleaf.Actor
			if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil || got != c.actor {
				t.Errorf("%q: %d %s", c.header, w.Code, w.Body)
			}
			continue
		}
		p := problemOf(t, w.Result())
		if p.Code != newleaf.CodeUnauthorized || p.Status != 401 || !strings.Contains(p.Detail, c.says) || w.Header().Get("WWW-Authenticate") == "" {
			t.Errorf("%q: %+v", c.header, p)
		}
		if strings.Contains(w.Body.String(), "nl_") && c.header != "" && strings.Contains(w.Body.String(), strings.TrimPrefix(c.header, "Bearer ")) && len(c.header) > 12 {
			t.Errorf("%q: the answer repeats the token", c.header)
		}
	}
	g.err = newleaf.Errorf(newleaf.CodeDiskFull, "the store cannot be read")
	if p := problemOf(t, g.ask(t, "192.0.2.99:1", "Bearer nl_1_good").Result()); p.Code != newleaf.CodeDiskFull {
		t.Errorf("a failing store: %+v", p)
	}
}

// TestGuessing: after ten wrong tokens an address waits, others do not, and the
// store is not asked meanwhile.
func TestGuessing(t *testing.T) {
	g := newGate()
	for i := range failureBurst {
		if w := g.ask(t, "192.0.2.1:"+strconv.Itoa(1000+i), "Bearer nl_1_bad"); w.Code != 401 {
			t.Fatalf("guess %d: status %d", i, w.Code)
		}
	}
	g.asked = 0
	w := g.ask(t, "192.0.2.1:5", "Bearer nl_1_good")
	if p := problemOf(t, w.Result()); p.Status != 429 || w.Header().Get("Retry-After") != "7" || g.asked != 0 {
		t.Errorf("%+v, Retry-After %q, %d look-ups", p, w.Header().Get("Retry-After"), g.asked)
	}
	if w := g.ask(t, "192.0.2.2:5", "Bearer nl_1_good"); w.Code != 200 {
		t.Errorf("another address: status %d", w.Code)
	}
	g.now = g.now.Add(failureEvery + time.Second)
	if w := g.ask(t, "192.0.2.1:5", "Bearer nl_1_good"); w.Code != 200 {
		t.Errorf("after the wait: status %d", w.Code)
	}
	// A missing token is no guess.
	for range 3 * failureBurst {
		if w := g.ask(t, "192.0.2.3:5", ""); w.Code != 401 {
			t.Fatalf("without a token: status %d", w.Code)
		}
	}
	// One host has a whole /64 to choose from.
	for i := range failureBurst {
		g.ask(t, fmt.Sprintf("[2001:db8::%x]:1", i), "Bearer nl_1_bad")
	}
	if w := g.ask(t, "[2001:db8::ffff]:1", "Bearer nl_1_good"); w.Code != 429 {
		t.Errorf("same /64: status %d", w.Code)
	}
	if w := g.ask(t, "[2001:db8:0:1::1]:1", "Bearer nl_1_good"); w.Code != 200 {
		t.Errorf("another /64: status %d", w.Code)
	}
}

func TestGuessersAreForgotten(t *testing.T) {
	now := start
	f := newFailures(func() time.Time { return now })
	for i := range 3 * failureMemory {
		f.add(fmt.Sprintf("10.0.%d.%d", i/256, i%256))
		if len(f.by) > failureMemory {
			t.Fatalf("%d addresses are remembered", len(f.by))
		}
	}
	now = now.Add(time.Hour)
	f.add("192.0.2.1")
	if len(f.by) != 1 {
		t.Errorf("%d addresses are remembered after an hour", len(f.by))
	}
}

// TestTokenText pins the form that is given out and hashed.
func TestTokenText(t *testing.T) {
	if got := TokenText("7", "s3cret"); got != "nl_7_s3cret" {
		t.Errorf("got %q", got)
	}
	if id, ok := tokenID("nl_7_s_3"); id != "7" || !ok {
		t.Errorf("got %q, %v", id, ok)
	}
	if a, b := TokenHash("nl_7_a"), TokenHash("nl_7_b"); len(a) != 32 || bytes.Equal(a, b) {
		t.Error("the hashes do not tell tokens apart")
	}
}
