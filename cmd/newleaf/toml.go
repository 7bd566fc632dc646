package main

import (
	"bytes"
	"errors"
	"fmt"
	"reflect"
	"strings"

	"github.com/pelletier/go-toml/v2"

	"newleaf"
)

// decodeTOML reads a file's data into the struct v points to. A key that v does
// not have is refused and the nearest one named; file stands in errors.
func decodeTOML(file string, data []byte, v any) error {
	dec := toml.NewDecoder(bytes.NewReader(data)).DisallowUnknownFields()
	err := dec.Decode(v)
	var strict *toml.StrictMissingError
	var wrong *toml.DecodeError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &strict) && len(strict.Errors) > 0:
		first := &strict.Errors[0]
		path := first.Key()
		row, _ := first.Position()
		return newleaf.Errorf(newleaf.CodeUnknownKey, "%s, line %d: there is no key %q", file, row, strings.Join(path, ".")).
			WithHint("%s", newleaf.DidYouMean(path[len(path)-1], keysAt(reflect.TypeOf(v), path[:len(path)-1])))
	case errors.As(err, &wrong):
		row, column := wrong.Position()
		return newleaf.Errorf(newleaf.CodeInvalid, "%s, line %d, column %d: %s", file, row, column, plainMistake(wrong))
	}
	return newleaf.Errorf(newleaf.CodeInvalid, "%s cannot be read: %w", file, err)
}

// plainMistake is what the decoder found, without words of Go.
func plainMistake(e *toml.DecodeError) string {
	text := strings.TrimPrefix(e.Error(), "toml: ")
	if rest, found := strings.CutPrefix(text, "cannot decode TOML "); found {
		given, _, _ := strings.Cut(rest, " into ")
		return "the key takes no " + given
	}
	return text
}

// keysAt are the keys that type t has under a path.
func keysAt(t reflect.Type, path []string) []string {
	for t.Kind() == reflect.Pointer || t.Kind() == reflect.Slice {
		t = t.Elem()
	}
	switch {
	case t.Kind() == reflect.Map && len(path) > 0:
		return keysAt(t.Elem(), path[1:])
	case t.Kind() != reflect.Struct:
		return nil
	}
	var keys []string
	for i := range t.NumField() {
		name, _, _ := strings.Cut(t.Field(i).Tag.Get("toml"), ",")
		if name == "" {
			name = strings.ToLower(t.Field(i).Name)
		}
		if len(path) > 0 && strings.EqualFold(name, path[0]) {
			return keysAt(t.Field(i).Type, path[1:])
		}
		keys = append(keys, name)
	}
	return keys
}

// writeTable writes the fields of v that are set as a TOML table.
func writeTable[T any](b *bytes.Buffer, name string, v T, fields []field[T]) error {
	fmt.Fprintf(b, "\n[%s]\n", name)
	for _, f := range fields {
		value := f.get(v)
		if value == nil {
			continue
		}
		line, err := toml.Marshal(map[string]any{f.name: value})
		if err != nil {
			return fmt.Errorf("encoding %s.%s: %w", name, f.name, err)
		}
		b.Write(line)
	}
	return nil
}

// tomlKey writes a name as a key, quoted where it must be.
func tomlKey(name string) string {
	line, err := toml.Marshal(map[string]any{name: 0})
	if err != nil {
		return fmt.Sprintf("%q", name)
	}
	return strings.TrimSuffix(string(line), " = 0\n")
}
