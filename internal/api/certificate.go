package api

import (
	"net/http"

	"newleaf"
)

type pinning struct {
	Pinned bool `json:"pinned"`
}

type assignment struct {
	Purposes []newleaf.Purpose `json:"purposes"`
}

type exporting struct {
	Format     newleaf.Format `json:"format,omitempty"` // pkcs12 when not given
	Passphrase string         `json:"passphrase"`
}

func (s *server) certificates() []route {
	return append(s.certificate(), []route{
		{method: http.MethodGet, path: "/certificates", id: "list", summary: "All certificates with a key",
			reply: []newleaf.Listed{}, run: plain(s.d.List)},
		{method: http.MethodPost, path: "/certificates/issue", id: "issue",
			summary: "Ask the authority for a first certificate; follow the renewal with its watch",
			body:    issue{}, reply: newleaf.Renewal{}, status: http.StatusAccepted,
			run: func(c *call) (any, error) { return s.d.Issue(c.ctx, c.body.(*issue).Issue) }},
		{method: http.MethodPost, path: "/certificates/generate", id: "generate",
			summary: "Make a key pair and a self-signed certificate",
			body:    generation{}, reply: newleaf.Listed{}, status: http.StatusCreated,
			run: func(c *call) (any, error) { return s.d.Generate(c.ctx, c.body.(*generation).Generation) }},
		{method: http.MethodPost, path: "/certificates/import", id: "import",
			summary: "Bring a certificate with its key, as PEM or PKCS #12 in base64",
			body:    importing{}, reply: newleaf.Listed{}, status: http.StatusCreated,
			run: func(c *call) (any, error) { return s.d.Import(c.ctx, c.body.(*importing).root()) }},
	}...)
}

// certificate has the routes of one; {ref} is its name, its ID or the first
// eight or more digits of that.
func (s *server) certificate() []route {
	const path = "/certificates/{ref}"
	return []route{
		{method: http.MethodGet, path: path, id: "certificate", summary: "All that is known of a certificate",
			reply: newleaf.Detail{}, run: func(c *call) (any, error) { return s.d.Certificate(c.ctx, c.ref()) }},
		{method: http.MethodDelete, path: path, id: "delete", summary: "Delete a certificate with its key",
			query: []parameter{{"force", "boolean", "also when it is in use", false}},
			run:   func(c *call) (any, error) { return nil, s.d.Delete(c.ctx, c.ref(), c.query["force"].(bool)) }},
		{method: http.MethodPost, path: path + "/pin", id: "pin", summary: "Exclude it from automatic deletion, or include it again",
			body: pinning{}, reply: newleaf.Listed{},
			run: func(c *call) (any, error) { return s.d.Pin(c.ctx, c.ref(), c.body.(*pinning).Pinned) }},
		{method: http.MethodPost, path: path + "/purposes", id: "set-purposes",
			summary: "Give it these purposes, taking them from their holders, and no others",
			body:    assignment{}, reply: newleaf.Listed{},
			run: func(c *call) (any, error) { return s.d.SetPurposes(c.ctx, c.ref(), c.body.(*assignment).Purposes) }},
		{method: http.MethodPost, path: path + "/request", id: "set-request", summary: "Replace the template of its next update",
			body: newleaf.Request{}, reply: newleaf.Request{},
			run: func(c *call) (any, error) { return s.d.SetRequest(c.ctx, c.ref(), *c.body.(*newleaf.Request)) }},
		{method: http.MethodGet, path: path + "/export", id: "export", summary: "The certificate as a file: pem, der or chain",
			query: []parameter{{"format", "string", "pem, der or chain", string(newleaf.FormatPEM)}}, file: true,
			run: func(c *call) (any, error) {
				format := newleaf.Format(c.query["format"].(string))
				if format == newleaf.FormatPKCS12 {
					return nil, newleaf.Errorf(newleaf.CodeInvalid, "a private key is not exported with GET").
						WithHint("Use POST with the passphrase in the body.")
				}
				return s.export(c, format, "")
			}},
		{method: http.MethodPost, path: path + "/export", id: "export-key",
			summary: "The certificate with its private key as PKCS #12, protected by the passphrase",
			body:    exporting{}, file: true,
			run: func(c *call) (any, error) {
				e := c.body.(*exporting)
				if e.Format == "" {
					e.Format = newleaf.FormatPKCS12
				}
				return s.export(c, e.Format, e.Passphrase)
			}},
	}
}

func (s *server) export(c *call, format newleaf.Format, passphrase string) (any, error) {
	data, err := s.d.Export(c.ctx, c.ref(), format, passphrase)
	if err != nil {
		return nil, err
	}
	mediaType := "application/octet-stream"
	switch format {
	case newleaf.FormatPEM, newleaf.FormatChain:
		mediaType = "application/x-pem-file"
	case newleaf.FormatDER:
		mediaType = "application/pkix-cert"
	case newleaf.FormatPKCS12:
		mediaType = "application/pkcs12"
	}
	return file{mediaType, data}, nil
}
