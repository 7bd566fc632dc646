package api

import (
	"net/http"
	"strconv"

	"newleaf"
	"newleaf/internal/web"
)

func (s *server) device() []route {
	return []route{
		{method: http.MethodGet, path: "/status", id: "status", summary: "The device at a glance",
			reply: newleaf.Status{}, run: plain(s.d.Status)},
		{method: http.MethodGet, path: "/doctor", id: "doctor", summary: "What could go wrong; nothing is changed",
			reply: []newleaf.Finding{}, run: plain(s.d.Doctor)},
		{method: http.MethodPost, path: "/restart", id: "restart", summary: "Ask for a restart",
			status: http.StatusAccepted, run: func(c *call) (any, error) { return nil, s.d.Restart(c.ctx) }},
		{method: http.MethodGet, path: "/errors", id: "errors", summary: "The codes that errors have, and what they mean",
			reply: []errorCode{}, run: func(*call) (any, error) { return each(newleaf.Codes(), explain), nil }},
	}
}

// errorCode is a row of the table of codes; a problem's type points to it.
type errorCode struct {
	Code   newleaf.Code  `json:"code"`
	Status int           `json:"status"`
	Means  string        `json:"means"`
	Hint   string        `json:"hint"`
	Retry  newleaf.Retry `json:"retry"`
	Type   string        `json:"type"`
}

func explain(i newleaf.CodeInfo) errorCode {
	p := web.ProblemOf(newleaf.Errorf(i.Code, "%s", i.Means))
	return errorCode{i.Code, p.Status, i.Means, i.Hint, i.Retry, p.Type}
}

func decimal(n int64) string { return strconv.FormatInt(n, 10) }
