package main

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
	"time"

	"newleaf"
)

// kind says how values of type V are written on the command line and in files.
type kind[V any] struct {
	value string   // placeholder in the help: "yes|no", "DURATION"
	words []string // for completion
	parse func(string) (V, error)
	show  func(V) any // bool, int64, string or []string, as TOML has them
}

func yesNo() kind[bool] {
	return kind[bool]{"yes|no", []string{"yes", "no"}, parseYesNo, func(b bool) any { return b }}
}

func parseYesNo(s string) (bool, error) {
	switch strings.ToLower(s) {
	case "yes", "true", "on", "1":
		return true, nil
	case "no", "false", "off", "0":
		return false, nil
	}
	return false, newleaf.Errorf(newleaf.CodeInvalid, "%q is neither yes nor no", s)
}

func text[V ~string](value string) kind[V] {
	return kind[V]{value, nil, func(s string) (V, error) { return V(s), nil }, func(v V) any { return string(v) }}
}

// textOr takes a word for the empty text.
func textOr(value, empty string) kind[string] {
	return kind[string]{value + "|" + empty, []string{empty}, func(s string) (string, error) {
		if s == empty {
			return "", nil
		}
		return s, nil
	}, func(s string) any { return cmp.Or(s, empty) }}
}

func oneOf[V ~string](value string, words ...V) kind[V] {
	known := plain(words)
	return kind[V]{value, known,
		func(s string) (V, error) { return V(s), among(s, known) },
		func(v V) any { return string(v) }}
}

// listOf takes "a,b" or "none"; with words given, only these, and "all" of them.
func listOf[V ~string](value string, words ...V) kind[[]V] {
	known := plain(words)
	return kind[[]V]{value, known, func(s string) ([]V, error) {
		if s == "all" && len(words) > 0 {
			return slices.Clone(words), nil
		}
		out := []V{}
		for _, word := range splitList(s) {
			if len(words) > 0 {
				if err := among(word, known); err != nil {
					return nil, err
				}
			}
			out = append(out, V(word))
		}
		return out, nil
	}, func(v []V) any { return plain(v) }}
}

func plain[V ~string](words []V) []string {
	out := make([]string, len(words))
	for i, w := range words {
		out[i] = string(w)
	}
	return out
}

func among(word string, known []string) error {
	if slices.Contains(known, word) {
		return nil
	}
	return newleaf.Errorf(newleaf.CodeInvalid, "%q is none of %s", word, strings.Join(known, ", ")).
		WithHint("%s", newleaf.DidYouMean(word, known))
}

// numberOr is a number that the given word sets to zero.
func numberOr(zero string) kind[int] {
	return kind[int]{"N|" + zero, []string{zero}, func(s string) (int, error) {
		if s == zero {
			return 0, nil
		}
		n, err := parseNumber(s)
		if err == nil && n < 1 {
			err = newleaf.Errorf(newleaf.CodeInvalid, "%q is not 1 or more", s).WithHint("Write %s for none.", zero)
		}
		return n, err
	}, func(n int) any {
		if n == 0 {
			return zero
		}
		return int64(n)
	}}
}

func number() kind[int] {
	return kind[int]{"N", nil, parseNumber, func(n int) any { return int64(n) }}
}

func parseNumber(s string) (int, error) {
	n, err := strconv.Atoi(s)
	if err != nil || n < 0 {
		return 0, newleaf.Errorf(newleaf.CodeInvalid, "%q is no whole number", s).WithHint("Write digits only.")
	}
	return n, nil
}

// sizeOr is a number of bytes that the given word sets to zero; "" for none.
func sizeOr(zero string) kind[int64] {
	k := kind[int64]{"BYTES", nil, parseSize, func(n int64) any { return formatSize(n) }}
	if zero == "" {
		return k
	}
	return kind[int64]{"BYTES|" + zero, []string{zero}, func(s string) (int64, error) {
		if s == zero {
			return 0, nil
		}
		return parseSize(s)
	}, func(n int64) any {
		if n == 0 {
			return zero
		}
		return formatSize(n)
	}}
}

func span() kind[time.Duration] {
	return kind[time.Duration]{"DURATION", nil, parseDuration, func(d time.Duration) any { return formatDuration(d) }}
}

// spanOrAuto is a length of time, or "auto" for what the device finds fit.
func spanOrAuto() kind[*time.Duration] {
	return kind[*time.Duration]{"DURATION|auto", []string{"auto"}, func(s string) (*time.Duration, error) {
		if s == "auto" {
			return nil, nil
		}
		d, err := parseDuration(s)
		return &d, err
	}, func(d *time.Duration) any {
		if d == nil {
			return "auto"
		}
		return formatDuration(*d)
	}}
}
