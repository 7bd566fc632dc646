package main

import (
	"context"
	"slices"
	"strings"

	"newleaf"
)

// allPurposes stands for every kind the device has, until it has been asked.
const allPurposes newleaf.Purpose = "all"

// purposeList takes purposes as they are written; whether they exist is the
// device's to say, as configuration may add kinds.
func purposeList() kind[[]newleaf.Purpose] {
	return kind[[]newleaf.Purpose]{"LIST|all|none", []string{"tls", "ipsec", "dot1x", "all", "none"},
		func(s string) ([]newleaf.Purpose, error) { return parsePurposes(s), nil },
		func(p []newleaf.Purpose) any { return plain(p) }}
}

func parsePurposes(s string) []newleaf.Purpose {
	out := []newleaf.Purpose{}
	for _, word := range splitList(strings.ToLower(s)) {
		out = append(out, newleaf.Purpose(word))
	}
	slices.Sort(out)
	return out
}

// expand replaces "all" by the kinds of the device (VAR-21).
func expand(ctx context.Context, dev newleaf.Device, purposes []newleaf.Purpose) ([]newleaf.Purpose, error) {
	if !slices.Contains(purposes, allPurposes) {
		return purposes, nil
	}
	s, err := dev.Status(ctx)
	if err != nil {
		return nil, err
	}
	return kindsOf(s).Parse(string(allPurposes))
}

// kindsOf are the built-in kinds and those that the device names besides.
func kindsOf(s newleaf.Status) newleaf.Kinds {
	kinds := newleaf.BuiltinKinds()
	for _, p := range s.Purposes {
		if _, known := kinds.Find(p.Purpose); !known {
			kinds = append(kinds, newleaf.Kind{Name: p.Purpose.Kind(), Label: p.Label, Need: p.Need})
		}
	}
	return kinds
}
