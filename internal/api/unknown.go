package api

import (
	"maps"
	"slices"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"newleaf"
)

// stranger finds the first key of v, in the order of names, that the schema does
// not know, and which keys it knows there.
func (rt *router) stranger(s *huma.Schema, v any, path string) (found string, known []string, ok bool) {
	for s.Ref != "" {
		s = rt.schemas.SchemaFromRef(s.Ref)
	}
	switch v := v.(type) {
	case []any:
		for _, e := range v {
			if s.Items == nil {
				return "", nil, false
			}
			if found, known, ok = rt.stranger(s.Items, e, path); ok {
				return found, known, true
			}
		}
	case map[string]any:
		known = slices.Sorted(maps.Keys(s.Properties))
		for _, key := range slices.Sorted(maps.Keys(v)) {
			at := slices.IndexFunc(known, func(k string) bool { return strings.EqualFold(k, key) })
			switch {
			case at >= 0:
				if f, k, bad := rt.stranger(s.Properties[known[at]], v[key], path+key+"."); bad {
					return f, k, true
				}
			case s.AdditionalProperties == false:
				return path + key, known, true
			}
		}
	}
	return "", nil, false
}

// unknownKey names the known key nearest to the one at path, or all of them.
func unknownKey(path string, known []string) error {
	err := newleaf.Errorf(newleaf.CodeUnknownKey, "the key %q is not known", path)
	word := path[strings.LastIndexByte(path, '.')+1:]
	if near := nearest(word, known); near != "" {
		return err.WithHint("Did you mean %q? Nothing was changed.", near)
	}
	if len(known) == 0 {
		return err.WithHint("None is taken here; nothing was changed.")
	}
	return err.WithHint("Known are %s; nothing was changed.", strings.Join(known, ", "))
}

// nearest is the known word that is fewest edits away, "" when more than half of
// it would have to change.
func nearest(word string, known []string) string {
	best, fewest := "", 0
	for _, k := range known {
		n := edits(strings.ToLower(word), strings.ToLower(k))
		if n <= len(k)/2 && (best == "" || n < fewest) {
			best, fewest = k, n
		}
	}
	return best
}

// edits is the Levenshtein distance of a and b.
func edits(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			replaced := diagonal
			if a[i] != b[j] {
				replaced++
			}
			diagonal = row[j+1]
			row[j+1] = min(row[j]+1, diagonal+1, replaced)
		}
	}
	return row[len(b)]
}
