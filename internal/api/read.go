package api

import (
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"net/url"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"newleaf"
	"newleaf/internal/web"
)

// bodyLimit is the most a request may carry.
const bodyLimit = 1 << 20

// parameter is one key of a query.
type parameter struct {
	name, kind, doc string // kind as JSON Schema has it
	absent          any    // the value where the query has no such key
}

func readQuery(q url.Values, params []parameter) (map[string]any, error) {
	known := make([]string, len(params))
	out := map[string]any{}
	for i, p := range params {
		known[i], out[p.name] = p.name, p.absent
	}
	for key, values := range q {
		i := slices.Index(known, key)
		if i < 0 {
			return nil, unknownKey(key, known)
		}
		v, err := params[i].parse(values[0])
		if err != nil || len(values) > 1 {
			return nil, newleaf.Errorf(newleaf.CodeInvalid, "the query's %s is not one %s", key, params[i].kind)
		}
		out[key] = v
	}
	return out, nil
}

func (p parameter) parse(s string) (any, error) {
	switch p.kind {
	case huma.TypeBoolean:
		return strconv.ParseBool(s)
	case huma.TypeInteger:
		n, err := strconv.ParseInt(s, 10, 64)
		if n < 0 {
			err = strconv.ErrRange
		}
		return n, err
	}
	return s, nil
}

// readBody reads, checks and decodes the JSON body into a new value of the type
// of prototype.
func readBody(r *http.Request, prototype any) (any, error) {
	if err := checkMediaType(r.Header.Get("Content-Type")); err != nil {
		return nil, err
	}
	raw, err := io.ReadAll(io.LimitReader(r.Body, bodyLimit+1))
	var long *http.MaxBytesError
	switch {
	case len(raw) > bodyLimit || errors.As(err, &long):
		return nil, web.WithStatus(http.StatusRequestEntityTooLarge, newleaf.Errorf(newleaf.CodeInvalid,
			"the body is longer than %d bytes", bodyLimit).WithHint("Send less; nothing was changed."))
	case err != nil:
		return nil, newleaf.Errorf(newleaf.CodeInvalid, "the body did not arrive: %w", err)
	case len(raw) == 0:
		raw = []byte("{}")
	}
	var plain any
	if err := json.Unmarshal(raw, &plain); err != nil {
		return nil, newleaf.Errorf(newleaf.CodeInvalid, "the body is no JSON document: %w", err)
	}
	known := newSchemas()
	if err := known.check(known.of(prototype), plain); err != nil {
		return nil, err
	}
	body := reflect.New(reflect.TypeOf(prototype)).Interface()
	if err := json.Unmarshal(raw, body); err != nil {
		return nil, unreadable(err)
	}
	return body, nil
}

func checkMediaType(header string) error {
	if header == "" {
		return nil
	}
	mt, _, err := mime.ParseMediaType(header)
	if err == nil && (mt == "application/json" || strings.HasSuffix(mt, "+json")) {
		return nil
	}
	return web.WithStatus(http.StatusUnsupportedMediaType, newleaf.Errorf(newleaf.CodeInvalid,
		"the body is declared as %q", header).WithHint("Send JSON with Content-Type: application/json."))
}

// unreadable is an error of a decoder, whose own sentence is kept where it is ours.
func unreadable(err error) error {
	var e *newleaf.Error
	if errors.As(err, &e) {
		return e
	}
	return newleaf.Errorf(newleaf.CodeInvalid, "the body cannot be read: %w", err)
}
