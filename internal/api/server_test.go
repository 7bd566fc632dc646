package api

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"newleaf"
	"newleaf/internal/web"
)

// send makes a request as actor a and returns status, header and body.
func send(t *testing.T, h http.Handler, a newleaf.Actor, method, path, body string) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequestWithContext(newleaf.WithActor(t.Context(), a), method, root+path, strings.NewReader(body))
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func problem(t *testing.T, w *httptest.ResponseRecorder) web.Problem {
	t.Helper()
	if ct := w.Header().Get("Content-Type"); ct != web.ProblemType {
		t.Fatalf("status %d, Content-Type %q, want a problem: %s", w.Code, ct, w.Body)
	}
	var p web.Problem
	if err := json.Unmarshal(w.Body.Bytes(), &p); err != nil {
		t.Fatal(err)
	}
	if p.Status != w.Code || p.Hint == "" || p.Detail == "" || p.Title == "" || p.Type != "/api/v1/errors#"+string(p.Code) {
		t.Errorf("incomplete problem with status %d: %+v", w.Code, p)
	}
	return p
}

// TestErrorsRoundTrip: an error of the device arrives at the client as it was.
func TestErrorsRoundTrip(t *testing.T) {
	for _, info := range newleaf.Codes() {
		t.Run(string(info.Code), func(t *testing.T) {
			dev := &fake{err: newleaf.Errorf(info.Code, "it failed: %w", io.ErrUnexpectedEOF).WithHint("Do <this> & that.")}
			h := newServer(dev, never)
			if w := send(t, h, root0, "GET", "/status", ""); w.Code != info.Status {
				t.Errorf("status %d, want %d", w.Code, info.Status)
			} else {
				problem(t, w)
			}
			far, _ := serveAs(t, h, root0)
			for _, c := range deviceCalls {
				if c.method == "Watch" {
					continue
				}
				ctx, cancel := context.WithCancel(t.Context())
				_, err := c.do(ctx, far)
				cancel()
				got, ok := err.(*newleaf.Error)
				if !ok || got.Code != info.Code || got.Text != "it failed: unexpected EOF" || got.Hint != "Do <this> & that." {
					t.Errorf("%s: got %#v", c.method, err)
				}
			}
		})
	}
}

func TestForeignErrorIsInternal(t *testing.T) {
	w := send(t, newServer(&fake{err: errors.New("disk on fire")}, never), root0, "GET", "/status", "")
	if p := problem(t, w); p.Code != newleaf.CodeInternal || p.Detail != "disk on fire" || w.Code != 500 {
		t.Errorf("got %+v", p)
	}
}

// full is a complete document for PUT, without the key left out.
func full(t *testing.T, h http.Handler, path, without string) string {
	t.Helper()
	var doc map[string]any
	if err := json.Unmarshal(send(t, h, root0, "GET", path, "").Body.Bytes(), &doc); err != nil {
		t.Fatal(err)
	}
	delete(doc, without)
	raw, err := json.Marshal(doc)
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

// TestPutTakesWhatGetGives: the read-only keys are ignored, a missing one is not
// taken for zero.
func TestPutTakesWhatGetGives(t *testing.T) {
	dev := &fake{}
	h := newServer(dev, never)
	for _, path := range []string{"/reservation", "/deletion", "/settings"} {
		if w := send(t, h, root0, "PUT", path, full(t, h, path, "")); w.Code != 200 {
			t.Errorf("PUT %s: %s", path, w.Body)
		}
	}
	want := []any{filled[newleaf.ReservationInfo]().Reservation, filled[newleaf.DeletionInfo]().DeletionPolicy, filled[newleaf.Settings]()}
	var got []any
	for _, n := range dev.notes() {
		if strings.HasPrefix(n.Name, "Set") && len(n.Args) == 1 {
			got = append(got, n.Args[0])
		}
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	for path, key := range map[string]string{"/reservation": "jitter", "/deletion": "protectImported", "/settings": "zone"} {
		p := problem(t, send(t, h, root0, "PUT", path, full(t, h, path, key)))
		if p.Code != newleaf.CodeInvalid || !strings.Contains(p.Detail, key) {
			t.Errorf("PUT %s without %s: %+v", path, key, p)
		}
	}
	for _, n := range dev.notes() {
		if strings.HasPrefix(n.Name, "Set") && len(n.Args) > 0 {
			t.Errorf("%s was called with half a document", n.Name)
		}
	}
}

// TestPostFillsIn what a fresh form proposes.
func TestPostFillsIn(t *testing.T) {
	dev := &fake{}
	h := newServer(dev, never)
	w := send(t, h, root0, "POST", "/certificates/issue", `{"name":"Xyz4","subject":"CN=Device001"}`)
	if w.Code != 202 || w.Header().Get("Location") == "" {
		t.Fatalf("%d, Location %q: %s", w.Code, w.Header().Get("Location"), w.Body)
	}
	want := newleaf.Issue{Request: newleaf.DefaultRequest()}
	want.Name, want.Subject = "Xyz4", "CN=Device001"
	if d := cmp.Diff([]any{want}, dev.notes()[0].Args); d != "" {
		t.Error(d)
	}
	send(t, h, root0, "POST", "/anchors/fetch", "")
	if d := cmp.Diff([]any{"default", ""}, dev.notes()[0].Args); d != "" {
		t.Error(d)
	}
}

func TestRefusedRequests(t *testing.T) {
	h := newServer(&fake{}, never)
	conn := `{"url":"ca.example","port":0,"protocol":"scep","caId":"","raUrl":"","proxy":"","weak":[],"keepPassword":false,"timeout":`
	for _, c := range []struct {
		name, method, path, body string
		status                   int
		code                     newleaf.Code
		says                     string // in detail or hint
	}{
		{"unknown key", "POST", "/certificates/x/pin", `{"pined":true}`, 422, "unknown-key", `Did you mean "pinned"?`},
		{"nested unknown key", "POST", "/deletion/plan", `{"unsaved":{"setle":"1d"}}`, 422, "unknown-key", `Did you mean "settle"?`},
		{"nothing near", "POST", "/certificates/x/pin", `{"xyzzy":true}`, 422, "unknown-key", "Known are pinned"},
		{"unknown query", "DELETE", "/certificates/x?forse=true", "", 422, "unknown-key", `Did you mean "force"?`},
		{"query of no route", "GET", "/status?x=1", "", 422, "unknown-key", "There is none here"},
		{"query twice", "DELETE", "/certificates/x?force=true&force=false", "", 422, "invalid", "force"},
		{"no boolean", "DELETE", "/certificates/x?force=perhaps", "", 422, "invalid", "force"},
		{"no number", "GET", "/events?since=x", "", 422, "invalid", "since"},
		{"negative", "GET", "/events?limit=-1", "", 422, "invalid", "limit"},
		{"renewal", "GET", "/updates/seven", "", 422, "invalid", "seven"},
		{"resumption", "GET", "/updates/seven/watch", "", 422, "invalid", "seven"},
		{"wrong type", "POST", "/certificates/x/pin", `{"pinned":"yes"}`, 422, "invalid", "pinned: expected boolean"},
		{"null list", "POST", "/certificates/x/purposes", `{"purposes":null}`, 422, "invalid", "purposes: expected array"},
		{"missing", "POST", "/certificates/x/pin", ``, 422, "invalid", "pinned"},
		{"no JSON", "POST", "/certificates/x/pin", `{`, 422, "invalid", "JSON"},
		{"two documents", "POST", "/certificates/x/pin", `{"pinned":true}{}`, 422, "invalid", "JSON"},
		{"no period", "PUT", "/connections/hq", conn + `"soon"}`, 422, "invalid", `timeout: expected a length of time such as "30s"`},
		{"half a period", "PUT", "/connections/hq", conn + `"1.2.3s"}`, 422, "invalid", `"1.2.3s" is no length of time`},
		{"number of seconds", "PUT", "/connections/hq", conn + `30}`, 422, "invalid", "30s"},
		{"another name", "PUT", "/connections/hq", `{"name":"home",` + conn[1:] + `"30s"}`, 422, "invalid", "home"},
		{"key by GET", "GET", "/certificates/x/export?format=pkcs12", "", 422, "invalid", "POST"},
		{"no route", "GET", "/nothing", "", 404, "not-found", "openapi.json"},
		{"outside", "GET", "/../x", "", 404, "not-found", "/api/x"},
		{"method", "PATCH", "/settings", "", 405, "invalid", "GET, PUT"},
		{"long body", "POST", "/certificates/x/pin", `{"pinned":true}` + strings.Repeat(" ", 1<<20), 413, "invalid", "1048576"},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := send(t, h, root0, c.method, c.path, c.body)
			if w.Code == http.StatusTemporaryRedirect {
				w = send(t, h, root0, c.method, strings.TrimPrefix(w.Header().Get("Location"), root), c.body)
			}
			p := problem(t, w)
			if p.Status != c.status || p.Code != c.code || !strings.Contains(p.Detail+" "+p.Hint, c.says) {
				t.Errorf("got %+v, want %d %s saying %q", p, c.status, c.code, c.says)
			}
		})
	}
}

func TestBodyOfTheLimitIsTaken(t *testing.T) {
	body := `{"pinned":true}`
	body += strings.Repeat(" ", bodyLimit-len(body))
	if w := send(t, newServer(&fake{}, never), root0, "POST", "/certificates/x/pin", body); w.Code != 200 {
		t.Errorf("status %d: %s", w.Code, w.Body)
	}
}

func TestMediaTypes(t *testing.T) {
	h := newServer(&fake{}, never)
	for mediaType, want := range map[string]int{
		"application/json; charset=utf-8": 200, "application/merge-patch+json": 200, "": 200,
		"application/x-www-form-urlencoded": 415, "text/plain": 415, ";": 415,
	} {
		r := httptest.NewRequestWithContext(newleaf.WithActor(t.Context(), root0), "POST", root+"/certificates/x/pin", strings.NewReader(`{"pinned":true}`))
		r.Header.Set("Content-Type", mediaType)
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if w.Code != want {
			t.Errorf("%q: status %d, want %d", mediaType, w.Code, want)
		}
	}
}

type panicking struct{ *fake }

func (panicking) Status(context.Context) (newleaf.Status, error) { panic("a secret of the stack") }

// TestPanicIsInternal: the answer says nothing of what happened, the log does.
func TestPanicIsInternal(t *testing.T) {
	var log bytes.Buffer
	old := slog.Default()
	slog.SetDefault(slog.New(slog.NewTextHandler(&log, nil)))
	defer slog.SetDefault(old)
	w := send(t, newServer(panicking{&fake{}}, never), root0, "GET", "/status", "")
	if p := problem(t, w); p.Code != newleaf.CodeInternal || strings.Contains(w.Body.String(), "secret") || strings.Contains(w.Body.String(), "goroutine") {
		t.Errorf("got %s", w.Body)
	}
	if !strings.Contains(log.String(), "a secret of the stack") || !strings.Contains(log.String(), "server_test.go") {
		t.Errorf("the log says %q", log.String())
	}
}

// TestWhoMay asks every route as everybody.
func TestWhoMay(t *testing.T) {
	viewer := newleaf.Actor{Name: "uid:1000", Role: newleaf.Viewer, Local: true}
	far := newleaf.Actor{Name: "token:ci", Role: newleaf.Administrator}
	none := newleaf.Actor{Name: "token:odd", Role: "observer"}
	dev := &fake{watch: func(context.Context, int64, func(newleaf.Progress)) (newleaf.Renewal, error) {
		return newleaf.Renewal{}, nil
	}, follow: func(context.Context, int64, func(newleaf.Event) error) error { return nil }}
	h := newServer(dev, never)
	plans := []string{"plan-update", "plan-reservation", "plan-deletion"}
	changing := 0
	for _, r := range h.routes() {
		path := strings.NewReplacer("{ref}", "x", "{name}", "x", "{id}", "7").Replace(r.path)
		looks := r.method == "GET" && r.path != "/tokens" || slices.Contains(plans, r.id)
		local := strings.HasPrefix(r.path, "/tokens")
		if !looks {
			changing++
		}
		for _, c := range []struct {
			who     newleaf.Actor
			allowed bool
		}{{viewer, looks}, {far, !local}, {root0, true}, {none, false}} {
			w := send(t, h, c.who, r.method, path, "{}")
			refused := w.Code == http.StatusForbidden
			if refused == c.allowed {
				t.Errorf("%s %s as %s: status %d", r.method, r.path, c.who.Name, w.Code)
			}
			if refused {
				if p := problem(t, w); p.Code != newleaf.CodeForbidden {
					t.Errorf("%s %s: code %s", r.method, r.path, p.Code)
				}
				if n := dev.notes(); len(n) > 0 {
					t.Errorf("%s %s as %s reached the device: %v", r.method, r.path, c.who.Name, n)
				}
			}
			dev.notes()
		}
		r0 := httptest.NewRequestWithContext(t.Context(), r.method, root+path, strings.NewReader("{}"))
		w := httptest.NewRecorder()
		if h.ServeHTTP(w, r0); w.Code != http.StatusUnauthorized || len(dev.notes()) > 0 {
			t.Errorf("%s %s as nobody: status %d", r.method, r.path, w.Code)
		}
	}
	if changing < 20 {
		t.Errorf("only %d changing routes", changing)
	}
}

// TestDocument: OpenAPI 3.1, every route, nothing from elsewhere.
func TestDocument(t *testing.T) {
	h := newServer(&fake{}, never)
	w := send(t, h, root0, "GET", "/openapi.json", "")
	var doc struct {
		OpenAPI    string                    `json:"openapi"`
		Paths      map[string]map[string]any `json:"paths"`
		Components struct {
			Schemas map[string]any `json:"schemas"`
		} `json:"components"`
	}
	if err := json.Unmarshal(w.Body.Bytes(), &doc); err != nil || !strings.HasPrefix(doc.OpenAPI, "3.1.") {
		t.Fatalf("version %q, %v", doc.OpenAPI, err)
	}
	n := 0
	for _, r := range h.routes() {
		if doc.Paths[root+r.path][strings.ToLower(r.method)] == nil {
			t.Errorf("%s %s is not documented", r.method, r.path)
		}
		n++
	}
	for _, item := range doc.Paths {
		n -= len(item)
	}
	if n != 0 {
		t.Errorf("the document has %d operations more than there are routes", -n)
	}
	if found := regexp.MustCompile(`"[a-z]+://[^"]*`).FindAllString(w.Body.String(), -1); found != nil {
		t.Errorf("the document points elsewhere: %q", found)
	}
	for _, m := range regexp.MustCompile(`#/components/schemas/(\w+)`).FindAllStringSubmatch(w.Body.String(), -1) {
		if doc.Components.Schemas[m[1]] == nil {
			t.Errorf("the schema %s is missing", m[1])
		}
	}
	for _, name := range []string{"Renewal", "Status", "Request", "DeletionInfo", "Problem"} {
		if doc.Components.Schemas[name] == nil {
			t.Errorf("no schema %s among %d", name, len(doc.Components.Schemas))
		}
	}
	if strings.Contains(w.Body.String(), `["array","null"]`) {
		t.Error("a list may be null")
	}
	for _, path := range []string{"/docs", "/schemas/Status", "/openapi.yaml", "/openapi"} {
		if w := send(t, h, root0, "GET", path, ""); w.Code != http.StatusNotFound {
			t.Errorf("%s answers with %d", path, w.Code)
		}
	}
}

func TestErrorsPageHasEveryCode(t *testing.T) {
	w := send(t, newServer(&fake{}, never), root0, "GET", "/errors", "")
	var rows []errorCode
	if err := json.Unmarshal(w.Body.Bytes(), &rows); err != nil {
		t.Fatal(err)
	}
	for i, info := range newleaf.Codes() {
		if i >= len(rows) || rows[i].Code != info.Code || rows[i].Status != info.Status {
			t.Errorf("row %d is not %s", i, info.Code)
		}
	}
}

func TestExportIsAFile(t *testing.T) {
	h := newServer(&fake{}, never)
	for query, want := range map[string]string{"": "application/x-pem-file", "?format=der": "application/pkix-cert", "?format=chain": "application/x-pem-file"} {
		w := send(t, h, root0, "GET", "/certificates/x/export"+query, "")
		if got := w.Header().Get("Content-Type"); got != want || w.Header().Get("Content-Disposition") != "attachment" {
			t.Errorf("%q: %s, want %s", query, got, want)
		}
	}
}

// TestNoAgent: the codes of a client that reaches nobody.
func TestNoAgent(t *testing.T) {
	path := filepath.Join(t.TempDir(), "agent.sock")
	_, err := NewSocketClient(path).Status(t.Context())
	if newleaf.CodeOf(err) != newleaf.CodeNotRunning || !strings.Contains(err.Error(), path) {
		t.Errorf("no socket: %v", err)
	}
	if err := NewSocketClient(path).Follow(t.Context(), 0, func(newleaf.Event) error { return nil }); newleaf.CodeOf(err) != newleaf.CodeNotRunning {
		t.Errorf("no socket, stream: %v", err)
	}
	srv := httptest.NewTLSServer(http.NotFoundHandler())
	if _, err := NewClient(srv.URL, &http.Transport{}, "").Status(t.Context()); newleaf.CodeOf(err) != newleaf.CodeUntrusted {
		t.Errorf("foreign certificate: %v", err)
	}
	if _, err := NewClient(srv.URL, srv.Client().Transport, "").Status(t.Context()); newleaf.CodeOf(err) != newleaf.CodeBadAnswer {
		t.Errorf("another server: %v", err)
	}
	srv.Close()
	if _, err := NewClient(srv.URL, &http.Transport{}, "").Status(t.Context()); newleaf.CodeOf(err) != newleaf.CodeUnreachable {
		t.Errorf("no server: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := NewClient(srv.URL, &http.Transport{}, "").Status(ctx); newleaf.CodeOf(err) != newleaf.CodeCancelled || !errors.Is(err, context.Canceled) {
		t.Errorf("given up: %v", err)
	}
}

// TestTokenStays: it is sent to the device and not to where it redirects.
func TestTokenStays(t *testing.T) {
	seen := make(chan string, 8)
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		seen <- r.URL.Path + " " + r.Header.Get("Authorization")
		http.Redirect(w, r, "/elsewhere", http.StatusFound)
	}))
	defer srv.Close()
	_, err := NewClient(srv.URL, srv.Client().Transport, "nl_1_s").Status(t.Context())
	if got := <-seen; got != "/api/v1/status Bearer nl_1_s" || len(seen) > 0 || newleaf.CodeOf(err) != newleaf.CodeBadAnswer {
		t.Errorf("first %q, %d more, %v", got, len(seen), err)
	}
}
