package api

import (
	"context"
	"net/http"

	"newleaf"
	"newleaf/internal/web"
)

// route is one operation: what the document says of it and what it does.
type route struct {
	method, path string // path below /api/v1
	id, summary  string
	access       access
	query        []parameter
	body         any // a value of the type that is read; nil: no body
	reply        any // a value of the root type that is answered; nil: nothing
	status       int // of success; 0 is 200, or 204 without a reply
	file         bool
	run          func(*call) (any, error)
	stream       func(*call) (feed, error) // instead of run
}

// file is an answer that is no JSON.
type file struct {
	mediaType string
	data      []byte
}

// success is the status of an answer that is no error.
func (r route) success() int {
	switch {
	case r.status != 0:
		return r.status
	case r.reply == nil && !r.file:
		return http.StatusNoContent
	}
	return http.StatusOK
}

// plain is a route's work that takes nothing from the request.
func plain[T any](do func(context.Context) (T, error)) func(*call) (any, error) {
	return func(c *call) (any, error) { return do(c.ctx) }
}

// handle does everything around a route's own work: who may, what was sent, how
// it is answered.
func (s *server) handle(r route, w http.ResponseWriter, req *http.Request) {
	c := &call{ctx: req.Context(), w: w, r: req}
	if req.Method != http.MethodGet {
		c.ctx = context.WithoutCancel(c.ctx) // what was asked for is done, though the client hangs up (F8-G16)
	}
	if err := r.prepare(c); err != nil {
		web.Refuse(w, err)
		return
	}
	if r.stream != nil {
		s.stream(c, r.stream)
		return
	}
	out, err := r.run(c)
	if err != nil {
		web.Refuse(w, err)
		return
	}
	switch out := out.(type) {
	case nil:
		w.WriteHeader(r.success())
	case file:
		w.Header().Set("Content-Type", out.mediaType)
		w.Header().Set("Content-Disposition", "attachment")
		_, _ = w.Write(out.data) // a client that is gone needs no answer
	default:
		if n, ok := out.(newleaf.Renewal); ok && r.success() == http.StatusAccepted {
			w.Header().Set("Location", root+"/updates/"+decimal(n.ID))
		}
		web.WriteJSON(w, r.success(), "application/json", tidy(Wire(out)))
	}
}

// prepare decides whether the actor may and reads query and body into c.
func (r route) prepare(c *call) error {
	actor, err := asker(c.ctx)
	if err != nil {
		return err
	}
	if err := r.access.of(r.method).allow(actor); err != nil {
		return err
	}
	if c.query, err = readQuery(c.r.URL.Query(), r.query); err != nil {
		return err
	}
	if r.body == nil {
		return nil
	}
	c.body, err = readBody(c.r, r.body)
	return err
}
