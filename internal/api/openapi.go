package api

import (
	"net/http"
	"reflect"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"newleaf/internal/web"
)

type operation = huma.Operation

// schemaPrefix is where the document keeps schemas.
const schemaPrefix = "#/components/schemas/"

func emptyDocument() *huma.OpenAPI {
	return &huma.OpenAPI{
		OpenAPI: "3.1.0",
		Info: &huma.Info{Title: "newleaf", Version: "1",
			Description: "Certificates of a device: issuance, update, deletion. " +
				"Lists are [] when empty, times are RFC 3339 in UTC, lengths of time are text such as \"14d\". " +
				"Errors are RFC 9457 problems with a stable code and a hint."},
		Components: &huma.Components{
			Schemas: huma.NewMapRegistry(schemaPrefix, huma.DefaultSchemaNamer),
			SecuritySchemes: map[string]*huma.SecurityScheme{"token": {Type: "http", Scheme: "bearer",
				Description: "made on the device with \"newleaf token create\"; the unix socket needs none"}},
		},
		Security: []map[string][]string{{"token": {}}},
	}
}

// document makes the route's entry in the OpenAPI document.
func (rt *router) document(r route) *operation {
	op := &operation{
		Method: r.method, Path: root + r.path, OperationID: r.id, Summary: r.summary,
		Tags:          []string{strings.Split(r.path, "/")[1]},
		DefaultStatus: r.status,
		Responses: map[string]*huma.Response{"default": {Description: "Error",
			Content: map[string]*huma.MediaType{web.ProblemType: {Schema: rt.schema(web.Problem{})}}}},
	}
	if op.DefaultStatus == 0 {
		op.DefaultStatus = http.StatusOK
		if r.reply == nil && !r.file && r.stream == nil {
			op.DefaultStatus = http.StatusNoContent
		}
	}
	op.Parameters = rt.parameters(r)
	if r.body != nil {
		op.RequestBody = &huma.RequestBody{Required: true,
			Content: map[string]*huma.MediaType{"application/json": {Schema: rt.schema(r.body)}}}
	}
	answer := &huma.Response{Description: http.StatusText(op.DefaultStatus)}
	switch {
	case r.stream != nil:
		answer.Content = map[string]*huma.MediaType{eventStream: {Schema: rt.schema(Wire(r.reply))}}
	case r.file:
		answer.Content = map[string]*huma.MediaType{"application/octet-stream": {}}
	case r.reply != nil:
		answer.Content = map[string]*huma.MediaType{"application/json": {Schema: rt.schema(Wire(r.reply))}}
	}
	op.Responses[strconv.Itoa(op.DefaultStatus)] = answer
	return op
}

func (rt *router) schema(prototype any) *huma.Schema {
	s := rt.schemas.Schema(reflect.TypeOf(prototype), true, "")
	s.Nullable = false // a list is never null
	return s
}

func (rt *router) parameters(r route) []*huma.Param {
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

// settle corrects what huma cannot know: lists are never null, and a pointer to
// a struct may be.
func settle(schemas huma.Registry) {
	for name, s := range schemas.Map() {
		for _, p := range s.Properties {
			if p.Type == huma.TypeArray {
				p.Nullable = false
			}
		}
		for _, f := range reflect.VisibleFields(schemas.TypeFromRef(schemaPrefix + name)) {
			key, options, _ := strings.Cut(f.Tag.Get("json"), ",")
			if p := s.Properties[key]; f.Type.Kind() == reflect.Pointer && options == "" && p != nil && p.Ref != "" {
				s.Properties[key] = &huma.Schema{AnyOf: []*huma.Schema{p, {Type: "null"}}}
			}
		}
	}
}
