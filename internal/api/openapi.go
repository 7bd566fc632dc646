package api

import (
	"net/http"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"newleaf/internal/web"
)

// document is the OpenAPI description of the routes.
func document(routes []route) *huma.OpenAPI {
	known := newSchemas()
	doc := &huma.OpenAPI{
		OpenAPI: "3.1.0",
		Info: &huma.Info{Title: "newleaf", Version: "1",
			Description: "Certificates of a device: issuance, update, deletion. " +
				"Lists are [] when empty, times are RFC 3339 in UTC, lengths of time are text such as \"14d\". " +
				"Errors are RFC 9457 problems with a stable code and a hint."},
		Components: &huma.Components{
			Schemas: known.Registry,
			SecuritySchemes: map[string]*huma.SecurityScheme{"token": {Type: "http", Scheme: "bearer",
				Description: "made on the device with \"newleaf token create\"; the unix socket needs none"}},
		},
		Security: []map[string][]string{{"token": {}}},
	}
	problem := map[string]*huma.MediaType{web.ProblemType: {Schema: known.of(web.Problem{})}}
	for _, r := range routes {
		op := &huma.Operation{
			Method: r.method, Path: root + r.path, OperationID: r.id, Summary: r.summary,
			Tags:       []string{strings.Split(r.path, "/")[1]},
			Parameters: parameters(r),
			Responses: map[string]*huma.Response{
				strconv.Itoa(r.success()): {Description: http.StatusText(r.success()), Content: answers(r, known)},
				"default":                 {Description: "Error", Content: problem},
			},
		}
		if r.body != nil {
			op.RequestBody = &huma.RequestBody{Required: true,
				Content: map[string]*huma.MediaType{"application/json": {Schema: known.of(r.body)}}}
		}
		doc.AddOperation(op)
	}
	return doc
}

// answers is what a route answers with success, by media type.
func answers(r route, known schemas) map[string]*huma.MediaType {
	switch {
	case r.stream != nil:
		return map[string]*huma.MediaType{eventStream: {Schema: known.of(Wire(r.reply))}}
	case r.file:
		return map[string]*huma.MediaType{"application/octet-stream": {}}
	case r.reply != nil:
		return map[string]*huma.MediaType{"application/json": {Schema: known.of(Wire(r.reply))}}
	}
	return nil
}

func parameters(r route) []*huma.Param {
	var out []*huma.Param
	for segment := range strings.SplitSeq(r.path, "/") {
		if name := strings.Trim(segment, "{}"); name != segment {
			out = append(out, &huma.Param{Name: name, In: "path", Required: true, Schema: &huma.Schema{Type: huma.TypeString}})
		}
	}
	for _, p := range r.query {
		out = append(out, &huma.Param{Name: p.name, In: "query", Description: p.doc,
			Schema: &huma.Schema{Type: p.kind, Default: p.absent}})
	}
	if r.stream != nil {
		out = append(out, &huma.Param{Name: lastEventID, In: "header", Description: "the id of the last event that arrived",
			Schema: &huma.Schema{Type: huma.TypeString}})
	}
	return out
}
