package api

import (
	"context"
	"log/slog"
	"net/http"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"time"

	"newleaf"
	"newleaf/internal/web"
)

// root is where all routes are.
const root = "/api/v1"

// heartbeat is how often a stream without news shows that it is alive.
const heartbeat = 15 * time.Second

// Handler serves d under /api/v1 to the actor of the request's context, which
// [web.ServeSocket] and [web.Bearer] set; a request without one is refused.
func Handler(d newleaf.Device) http.Handler {
	return newServer(d, func() (<-chan time.Time, func()) {
		t := time.NewTicker(heartbeat)
		return t.C, t.Stop
	})
}

type server struct {
	d      newleaf.Device
	beat   func() (ticks <-chan time.Time, stop func())
	routed func() *http.ServeMux // made at the first request: most devices are never asked
}

func newServer(d newleaf.Device, beat func() (<-chan time.Time, func())) *server {
	s := &server{d: d, beat: beat}
	s.routed = sync.OnceValue(s.route)
	return s
}

func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	defer func() {
		if v := recover(); v != nil {
			recovered(w, r, v)
		}
	}()
	if _, err := asker(r.Context()); err != nil {
		web.Refuse(w, err)
		return
	}
	s.routed().ServeHTTP(w, r)
}

// recovered answers for a handler that panicked. What happened goes to the log
// and never into the answer.
func recovered(w http.ResponseWriter, r *http.Request, v any) {
	if v == http.ErrAbortHandler {
		panic(v)
	}
	slog.ErrorContext(r.Context(), "the API panicked", "method", r.Method, "path", r.URL.Path, "panic", v, "stack", string(debug.Stack()))
	if w.Header().Get("Content-Type") != "" {
		panic(http.ErrAbortHandler) // the answer has begun and must not look complete
	}
	web.Refuse(w, newleaf.Errorf(newleaf.CodeInternal, "newleaf failed while it worked on the request"))
}

func (s *server) routes() []route {
	return slices.Concat(s.device(), s.certificates(), s.anchors(), s.connections(), s.updates(),
		s.policies(), s.journal(), s.tokens())
}

func (s *server) route() *http.ServeMux {
	mux := http.NewServeMux()
	for _, r := range s.routes() {
		mux.HandleFunc(r.method+" "+root+r.path, func(w http.ResponseWriter, req *http.Request) { s.handle(r, w, req) })
	}
	mux.HandleFunc("GET "+root+"/openapi.json", func(w http.ResponseWriter, _ *http.Request) {
		web.WriteJSON(w, http.StatusOK, "application/openapi+json", document(s.routes()))
	})
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) { nothing(mux, w, r) })
	return mux
}

// nothing answers where there is no route: 405 when another method has one.
func nothing(mux *http.ServeMux, w http.ResponseWriter, r *http.Request) {
	var allowed []string
	for _, m := range []string{http.MethodDelete, http.MethodGet, http.MethodPost, http.MethodPut} {
		probe := &http.Request{Method: m, URL: r.URL, Host: r.Host}
		if _, pattern := mux.Handler(probe); strings.HasPrefix(pattern, m+" ") {
			allowed = append(allowed, m)
		}
	}
	if len(allowed) == 0 {
		web.Refuse(w, newleaf.Errorf(newleaf.CodeNotFound, "there is no %s", r.URL.Path).
			WithHint("%s/openapi.json lists what there is.", root))
		return
	}
	list := strings.Join(allowed, ", ")
	w.Header().Set("Allow", list)
	web.Refuse(w, web.WithStatus(http.StatusMethodNotAllowed, newleaf.Errorf(newleaf.CodeInvalid,
		"%s does not take %s", r.URL.Path, r.Method).WithHint("It takes %s.", list)))
}

// call is one request on its way through a route.
type call struct {
	ctx   context.Context
	w     http.ResponseWriter
	r     *http.Request
	body  any            // points to the route's body type
	query map[string]any // by name: bool, int64 or string
}

// ref is the certificate's reference in the path.
func (c *call) ref() string { return c.r.PathValue("ref") }

func (c *call) name() string { return c.r.PathValue("name") }
