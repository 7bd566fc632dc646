package api

import (
	"context"
	"net/http"
	"strconv"

	"newleaf"
)

// eventsAtOnce is how many events are answered when no limit is given.
const eventsAtOnce int64 = 100

func (s *server) journal() []route {
	since := parameter{"since", "integer", "only events after the one with this ID", int64(0)}
	return []route{
		{method: http.MethodGet, path: "/events", id: "events", summary: "What happened, oldest first",
			query: []parameter{since, {"limit", "integer", "at most so many", eventsAtOnce}},
			reply: []newleaf.Event{}, run: func(c *call) (any, error) {
				return s.d.Events(c.ctx, c.query["since"].(int64), int(c.query["limit"].(int64)))
			}},
		{method: http.MethodGet, path: "/events/follow", id: "follow-events", summary: "What happened, and then what happens",
			query: []parameter{since}, reply: newleaf.Event{}, stream: s.follow},
	}
}

func (s *server) follow(c *call) (feed, error) {
	since := c.query["since"].(int64)
	if last := c.r.Header.Get(lastEventID); last != "" {
		n, err := strconv.ParseInt(last, 10, 64)
		if err != nil {
			return nil, newleaf.Errorf(newleaf.CodeInvalid, "%q is no ID of an event", last)
		}
		since = n
	}
	return func(ctx context.Context, send func(message) error) error {
		return s.d.Follow(ctx, since, func(e newleaf.Event) error {
			return send(message{id: decimal(e.ID), data: e})
		})
	}, nil
}
