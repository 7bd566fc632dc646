package api

import (
	"context"
	"encoding/json"
	"fmt"
	"hash/fnv"
	"net/http"
	"strconv"

	"newleaf"
)

// updating names the certificates to update; none: all in use that can be.
type updating struct {
	Refs []string `json:"refs,omitempty"`
}

// started is what an update will do, and what it has begun.
type started struct {
	Planned  []newleaf.Planned `json:"planned"`
	Renewals []renewal         `json:"renewals"`
}

func (s *server) updates() []route {
	one := newleaf.Renewal{}
	return []route{
		{method: http.MethodGet, path: "/updates", id: "updates", summary: "All renewals: first issuances and updates",
			reply: []newleaf.Renewal{}, run: plain(s.d.Renewals)},
		{method: http.MethodPost, path: "/updates", id: "update", summary: "Update certificates; follow the renewals with their watch",
			body: updating{}, reply: started{}, status: http.StatusAccepted,
			run: func(c *call) (any, error) { return s.update(c, false) }},
		{method: http.MethodPost, path: "/updates/plan", id: "plan-update", summary: "What an update would do; nothing is changed",
			access: look, body: updating{}, reply: started{},
			run: func(c *call) (any, error) { return s.update(c, true) }},
		{method: http.MethodGet, path: "/updates/{id}", id: "renewal", summary: "A renewal as it is",
			reply: one, run: numbered(s.d.Renewal)},
		{method: http.MethodPost, path: "/updates/{id}/cancel", id: "cancel-renewal", summary: "Give a renewal up; what is in use stays",
			reply: one, run: numbered(s.d.CancelRenewal)},
		{method: http.MethodPost, path: "/updates/{id}/retry", id: "retry-renewal", summary: "Try again now",
			reply: one, run: numbered(s.d.RetryRenewal)},
		{method: http.MethodGet, path: "/updates/{id}/watch", id: "watch-renewal",
			summary: "The steps of a renewal as they are done, then event \"done\" with the renewal; an id that comes again is the same step",
			reply:   newleaf.Progress{}, stream: s.watch},
	}
}

func (s *server) update(c *call, dryRun bool) (any, error) {
	planned, renewals, err := s.d.Update(c.ctx, c.body.(*updating).Refs, dryRun)
	return started{planned, each(renewals, wireRenewal)}, err
}

// number is that of the renewal in the path.
func (c *call) number() (int64, error) {
	text := c.r.PathValue("id")
	id, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return 0, newleaf.Errorf(newleaf.CodeInvalid, "%q is no number of a renewal", text).
			WithHint("GET %s/updates lists them.", root)
	}
	return id, nil
}

func numbered(do func(context.Context, int64) (newleaf.Renewal, error)) func(*call) (any, error) {
	return func(c *call) (any, error) {
		id, err := c.number()
		if err != nil {
			return nil, err
		}
		return do(c.ctx, id)
	}
}

func (s *server) watch(c *call) (feed, error) {
	id, err := c.number()
	if err != nil {
		return nil, err
	}
	if _, err := s.d.Renewal(c.ctx, id); err != nil {
		return nil, err
	}
	return func(ctx context.Context, send func(message) error) error {
		r, err := s.d.Watch(ctx, id, func(p newleaf.Progress) {
			_ = send(message{id: progressID(p), data: p}) // a failure ends ctx, and Watch with it
		})
		if err == nil && ctx.Err() == nil {
			err = send(message{event: eventDone, data: r})
		}
		return err
	}, nil
}

// progressID is the same for the same step, so that a client that comes back
// knows what it has seen.
func progressID(p newleaf.Progress) string {
	raw, err := json.Marshal(p)
	if err != nil {
		return "" // a time outside the years that JSON has
	}
	h := fnv.New64a()
	_, _ = h.Write(raw) // never fails
	return fmt.Sprintf("%016x", h.Sum64())
}
