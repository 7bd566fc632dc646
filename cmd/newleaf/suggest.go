package main

import (
	"fmt"
	"strings"

	"newleaf"
)

// suggestion is a hint that names the known word nearest to a misspelled one,
// or all of them when none is near.
func suggestion(word string, known []string) string {
	if near := nearest(word, known); near != "" {
		return fmt.Sprintf("Did you mean %q?", near)
	}
	return "Known are " + strings.Join(known, ", ") + "."
}

// nearest is the known word that the fewest edits lead to, "" when more than
// half of it would have to change.
func nearest(word string, known []string) string {
	best, fewest := "", -1
	for _, k := range known {
		n := edits(strings.ToLower(word), k)
		if len(word) > 1 && strings.HasPrefix(k, strings.ToLower(word)) {
			n = 1
		}
		if n <= max(1, len(k)/2) && (fewest < 0 || n < fewest) {
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
		corner := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := corner
			if a[i] != b[j] {
				cost++
			}
			corner = row[j+1]
			row[j+1] = min(cost, row[j+1]+1, row[j]+1)
		}
	}
	return row[len(b)]
}

func unknownKey(path, key string, known []string) error {
	return newleaf.Errorf(newleaf.CodeUnknownKey, "there is no key %q", path).WithHint("%s", suggestion(key, known))
}
