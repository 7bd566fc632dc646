package api

import (
	"net/http"

	"newleaf"
)

// adding brings a CA certificate by hand.
type adding struct {
	Connection string `json:"connection,omitempty"`
	Data       []byte `json:"data" doc:"PEM, in base64"`
}

type fetching struct {
	Connection string `json:"connection,omitempty" doc:"\"default\" when not given"`
	Thumbprint string `json:"thumbprint,omitempty" doc:"SHA-1 or SHA-256 of the anchor: when it matches, it is confirmed at once"`
}

type confirming struct {
	Connection string `json:"connection,omitempty" doc:"\"default\" when not given"`
}

// or is the connection's name, the default one for "".
func or(name string) string {
	if name == "" {
		return newleaf.DefaultConnection
	}
	return name
}

func (s *server) anchors() []route {
	list := []newleaf.AnchorInfo{}
	return []route{
		{method: http.MethodGet, path: "/anchors", id: "anchors", summary: "The authorities' certificates the device knows",
			reply: list, run: plain(s.d.AnchorList)},
		{method: http.MethodPost, path: "/anchors", id: "add-anchor", summary: "Trust a CA certificate that is brought",
			body: adding{}, reply: list, status: http.StatusCreated,
			run: func(c *call) (any, error) {
				b := c.body.(*adding)
				return s.d.AddAnchor(c.ctx, b.Connection, b.Data)
			}},
		{method: http.MethodPost, path: "/anchors/fetch", id: "fetch-anchors", summary: "Get the CA certificates from the authority",
			body: fetching{}, reply: list,
			run: func(c *call) (any, error) {
				b := c.body.(*fetching)
				return s.d.FetchAnchors(c.ctx, or(b.Connection), b.Thumbprint)
			}},
		{method: http.MethodPost, path: "/anchors/confirm", id: "confirm-anchors", summary: "Trust what was fetched",
			body: confirming{}, reply: list,
			run: func(c *call) (any, error) {
				return s.d.ConfirmAnchors(c.ctx, or(c.body.(*confirming).Connection))
			}},
		{method: http.MethodDelete, path: "/anchors/{id}", id: "remove-anchor", summary: "Trust a CA certificate no longer",
			run: func(c *call) (any, error) {
				return nil, s.d.RemoveAnchor(c.ctx, newleaf.ID(c.r.PathValue("id")))
			}},
	}
}

func (s *server) connections() []route {
	return []route{
		{method: http.MethodGet, path: "/connections", id: "connections", summary: "How authorities are reached",
			reply: []newleaf.ConnectionInfo{}, run: plain(s.d.ConnectionList)},
		{method: http.MethodPut, path: "/connections/{name}", id: "set-connection", summary: "Make or replace a connection",
			body: connectionInfo{}, reply: newleaf.ConnectionInfo{}, run: s.setConnection},
		{method: http.MethodDelete, path: "/connections/{name}", id: "remove-connection", summary: "Forget a connection",
			run: func(c *call) (any, error) { return nil, s.d.RemoveConnection(c.ctx, c.name()) }},
		{method: http.MethodPost, path: "/connections/{name}/test", id: "test-connection",
			summary: "Look at the authority; nothing is trusted", reply: newleaf.ConnectionTest{},
			run: func(c *call) (any, error) { return s.d.TestConnection(c.ctx, c.name()) }},
	}
}

func (s *server) setConnection(c *call) (any, error) {
	conn := c.body.(*connectionInfo).root().Connection
	switch conn.Name {
	case "":
		conn.Name = c.name()
	case c.name():
	default:
		return nil, newleaf.Errorf(newleaf.CodeInvalid, "the path names the connection %q, the body %q", c.name(), conn.Name).
			WithHint("Leave the name out of the body, or give the same; nothing was changed.")
	}
	return s.d.SetConnection(c.ctx, conn)
}
