package api

import (
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/validation"

	"newleaf"
)

// schemaPrefix is where the document keeps schemas.
const schemaPrefix = "#/components/schemas/"

// schemas are those of Go types. They are made anew for each body that is read
// and for each copy of the document: to keep them would take most of a megabyte,
// and changes are rare.
type schemas struct{ huma.Registry }

func newSchemas() schemas {
	return schemas{huma.NewMapRegistry(schemaPrefix, huma.DefaultSchemaNamer)}
}

// of is the schema of the type of prototype. It corrects what huma cannot know:
// lists are never null, and a pointer to a struct may be.
func (k schemas) of(prototype any) *huma.Schema {
	top := k.Schema(reflect.TypeOf(prototype), true, "")
	top.Nullable = false
	for name, s := range k.Map() {
		for _, p := range s.Properties {
			if p.Type == huma.TypeArray {
				p.Nullable = false
			}
		}
		for _, f := range reflect.VisibleFields(k.TypeFromRef(schemaPrefix + name)) {
			key, options, _ := strings.Cut(f.Tag.Get("json"), ",")
			if p := s.Properties[key]; f.Type.Kind() == reflect.Pointer && options == "" && p != nil && p.Ref != "" {
				s.Properties[key] = &huma.Schema{AnyOf: []*huma.Schema{p, {Type: "null"}}}
			}
		}
	}
	return top
}

// check compares v, as encoding/json reads it, with the schema: first for
// unknown keys, then for everything else.
func (k schemas) check(schema *huma.Schema, v any) error {
	if path, known, ok := k.stranger(schema, v, ""); ok {
		return unknownKey(path, known)
	}
	res := &huma.ValidateResult{}
	huma.Validate(k, schema, huma.NewPathBuffer(nil, 0), huma.ModeWriteToServer, v, res)
	if len(res.Errors) == 0 {
		return nil
	}
	var faults []string
	for _, e := range res.Errors {
		faults = append(faults, fault(e))
	}
	slices.Sort(faults)
	return newleaf.Errorf(newleaf.CodeInvalid, "the body is not acceptable: %s", strings.Join(slices.Compact(faults), "; "))
}

func fault(err error) string {
	var d *huma.ErrorDetail
	if !errors.As(err, &d) {
		return err.Error()
	}
	text := d.Message
	if text == validation.MsgExpectedMatchAtLeastOneSchema {
		text = `expected a length of time such as "30s" or "14d"` // the only type with two forms
	}
	if d.Location == "" {
		return text
	}
	return fmt.Sprintf("%s: %s", d.Location, text)
}

// stranger finds the first key of v, in the order of names, that the schema does
// not know, and which keys it knows there.
func (k schemas) stranger(s *huma.Schema, v any, path string) (found string, known []string, ok bool) {
	for s.Ref != "" {
		s = k.SchemaFromRef(s.Ref)
	}
	switch v := v.(type) {
	case []any:
		for _, e := range v {
			if s.Items == nil {
				return "", nil, false
			}
			if found, known, ok = k.stranger(s.Items, e, path); ok {
				return found, known, true
			}
		}
	case map[string]any:
		known = slices.Sorted(maps.Keys(s.Properties))
		for _, key := range slices.Sorted(maps.Keys(v)) {
			at := slices.IndexFunc(known, func(k string) bool { return strings.EqualFold(k, key) })
			switch {
			case at >= 0:
				if f, k, bad := k.stranger(s.Properties[known[at]], v[key], path+key+"."); bad {
					return f, k, true
				}
			case s.AdditionalProperties == false:
				return path + key, known, true
			}
		}
	}
	return "", nil, false
}
