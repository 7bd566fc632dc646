package api

import (
	"net/http"

	"newleaf"
)

// preview asks what would be deleted.
type preview struct {
	Purposes []newleaf.Purpose `json:"purposes,omitempty" doc:"of the new certificate"`
	Unsaved  *policy           `json:"unsaved,omitempty" doc:"settings to try; the saved ones when not given"`
}

func (s *server) policies() []route {
	return []route{
		{method: http.MethodGet, path: "/reservation", id: "reservation", summary: "When certificates are updated",
			reply: newleaf.ReservationInfo{}, run: plain(s.d.Reservation)},
		{method: http.MethodPut, path: "/reservation", id: "set-reservation", summary: "Replace the reservation",
			body: reservationInfo{}, reply: newleaf.ReservationInfo{},
			run: func(c *call) (any, error) {
				return s.d.SetReservation(c.ctx, c.body.(*reservationInfo).root().Reservation)
			}},
		{method: http.MethodPost, path: "/reservation/plan", id: "plan-reservation", summary: "The coming updates; nothing is changed",
			access: look, body: forecastQuery{}, reply: []newleaf.Planned{},
			run: func(c *call) (any, error) { return s.d.PlanReservation(c.ctx, c.body.(*forecastQuery).root()) }},

		{method: http.MethodGet, path: "/deletion", id: "deletion", summary: "Which certificates are deleted automatically",
			reply: newleaf.DeletionInfo{}, run: plain(s.d.Deletion)},
		{method: http.MethodPut, path: "/deletion", id: "set-deletion", summary: "Replace the deletion policy",
			body: deletionInfo{}, reply: newleaf.DeletionInfo{},
			run: func(c *call) (any, error) {
				return s.d.SetDeletion(c.ctx, c.body.(*deletionInfo).root().DeletionPolicy)
			}},
		{method: http.MethodPost, path: "/deletion/plan", id: "plan-deletion",
			summary: "What the next update would delete and what stays, with reasons; nothing is changed",
			access:  look, body: preview{}, reply: []newleaf.Verdict{}, run: s.planDeletion},

		{method: http.MethodGet, path: "/settings", id: "settings", summary: "General settings",
			reply: newleaf.Settings{}, run: plain(s.d.Settings)},
		{method: http.MethodPut, path: "/settings", id: "set-settings", summary: "Replace the general settings",
			body: newleaf.Settings{}, reply: newleaf.Settings{},
			run: func(c *call) (any, error) { return s.d.SetSettings(c.ctx, *c.body.(*newleaf.Settings)) }},
	}
}

func (s *server) planDeletion(c *call) (any, error) {
	b := c.body.(*preview)
	if b.Unsaved == nil {
		return s.d.PlanDeletion(c.ctx, b.Purposes, nil)
	}
	p := b.Unsaved.root()
	return s.d.PlanDeletion(c.ctx, b.Purposes, &p)
}
