package api

import (
	"strings"

	"newleaf"
)

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
