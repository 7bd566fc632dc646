package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"newleaf"
)

// field is one setting of a T. Its name is at once a flag of "set", a key of
// the settings and provisioning files, and a line of "show".
type field[T any] struct {
	name  string
	value string // placeholder in the help
	usage string
	words []string // for completion
	get   func(T) any
	set   func(*T, string) error
}

// of is the field that at points to.
func of[T, V any](name string, k kind[V], usage string, at func(*T) *V) field[T] {
	return field[T]{name: name, value: k.value, usage: usage, words: k.words,
		get: func(t T) any { return k.show(*at(&t)) },
		set: func(t *T, s string) error {
			v, err := k.parse(s)
			if err == nil {
				*at(t) = v
			}
			return err
		}}
}

// edit is what the flags of a command change about a T.
type edit[T any] struct {
	flags  *pflag.FlagSet
	fields []field[T]
	values []*fieldValue
}

// addFields gives cmd a flag for each field.
func addFields[T any](cmd *cobra.Command, fields []field[T]) edit[T] {
	e := edit[T]{cmd.Flags(), fields, make([]*fieldValue, len(fields))}
	for i, f := range fields {
		var scratch T
		e.values[i] = &fieldValue{kind: f.value, check: func(s string) error { return f.set(&scratch, s) }}
		e.flags.Var(e.values[i], f.name, f.usage)
		if len(f.words) > 0 {
			complete(cmd, f.name, f.words...)
		}
	}
	return e
}

// given reports whether any of the flags was.
func (e edit[T]) given() bool {
	return slices.ContainsFunc(e.fields, func(f field[T]) bool { return e.flags.Changed(f.name) })
}

// needed refuses a "set" that sets nothing.
func (e edit[T]) needed() error {
	if e.given() {
		return nil
	}
	return usageError("no flag says what to set")
}

// apply changes t as the given flags say and leaves what no flag names.
func (e edit[T]) apply(t *T) error {
	for i, f := range e.fields {
		if !e.flags.Changed(f.name) {
			continue
		}
		if err := f.set(t, e.values[i].text); err != nil {
			return err
		}
	}
	return nil
}

// fieldValue keeps the text of a flag until the value it changes is known.
type fieldValue struct {
	text, kind string
	check      func(string) error
}

var _ pflag.Value = (*fieldValue)(nil)

func (v *fieldValue) String() string { return v.text }
func (v *fieldValue) Type() string   { return v.kind }
func (v *fieldValue) Set(s string) error {
	v.text = s
	return v.check(s)
}

// setTable changes t as a TOML table says whose keys are the fields' names.
// place names the table in errors.
func setTable[T any](t *T, fields []field[T], table map[string]any, place string) error {
	known := make([]string, len(fields))
	for i, f := range fields {
		known[i] = f.name
	}
	for _, key := range slices.Sorted(maps.Keys(table)) {
		if !slices.Contains(known, key) {
			return unknownKey(place+"."+key, key, known)
		}
	}
	for _, f := range fields {
		v, given := table[f.name]
		if !given {
			continue
		}
		if err := f.set(t, plainText(v)); err != nil {
			return newleaf.Errorf(newleaf.CodeInvalid, "%s.%s: %w", place, f.name, err).WithHint("%s", newleaf.AsError(err).Hint)
		}
	}
	return nil
}

// plainText writes a value of a field or of a TOML file as a flag takes it.
func plainText(v any) string {
	switch v := v.(type) {
	case nil:
		return ""
	case bool:
		if v {
			return "yes"
		}
		return "no"
	case []string:
		return joinOrNone(v)
	case []any:
		words := make([]string, len(v))
		for i, w := range v {
			words[i] = fmt.Sprint(w)
		}
		return joinOrNone(words)
	}
	return fmt.Sprint(v)
}

func joinOrNone(words []string) string {
	if len(words) == 0 {
		return "none"
	}
	return strings.Join(words, ",")
}

// listFields fills a two-column table with the fields of t that are set.
func listFields[T any](tab *table, t T, fields []field[T]) {
	for _, f := range fields {
		if v := f.get(t); v != nil {
			tab.row(f.name, plainText(v))
		}
	}
}
