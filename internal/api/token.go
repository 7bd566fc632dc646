package api

import (
	"net/http"

	"newleaf"
)

// created is a new token with its secret, which is shown this once.
type created struct {
	newleaf.Token
	Secret string `json:"secret"`
}

func (s *server) tokens() []route {
	return []route{
		{method: http.MethodGet, path: "/tokens", id: "tokens", summary: "The tokens, without their secrets", access: local,
			reply: []newleaf.Token{}, run: plain(s.d.TokenList)},
		{method: http.MethodPost, path: "/tokens", id: "create-token", summary: "Make a token; its secret is shown this once", access: local,
			body: newleaf.NewToken{}, reply: created{}, status: http.StatusCreated,
			run: func(c *call) (any, error) {
				t, secret, err := s.d.CreateToken(c.ctx, *c.body.(*newleaf.NewToken))
				return created{t, secret}, err
			}},
		{method: http.MethodDelete, path: "/tokens/{id}", id: "revoke-token", summary: "Revoke a token", access: local,
			run: func(c *call) (any, error) { return nil, s.d.RevokeToken(c.ctx, c.r.PathValue("id")) }},
	}
}
