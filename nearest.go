package newleaf

import "strings"

// Nearest is the known word that a misspelled one most likely meant: it begins
// with what was written, or the fewest edits lead to it. It is "" when more than
// half of every word would have to change.
func Nearest(word string, known []string) string {
	best, fewest := "", -1
	word = strings.ToLower(word)
	for _, k := range known {
		low := strings.ToLower(k)
		n := edits([]rune(word), []rune(low))
		if len(word) > 1 && strings.HasPrefix(low, word) {
			n = min(n, 1)
		}
		if n <= max(1, len(low)/2) && (fewest < 0 || n < fewest) {
			best, fewest = k, n
		}
	}
	return best
}

// edits is how many characters have to be put in, left out or replaced
// (Levenshtein).
func edits(a, b []rune) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i, x := range a {
		corner := row[0]
		row[0] = i + 1
		for j, y := range b {
			cost := corner
			if x != y {
				cost = 1 + min(corner, row[j], row[j+1])
			}
			corner, row[j+1] = row[j+1], cost
		}
	}
	return row[len(b)]
}

// DidYouMean is a hint that names the nearest of the known words, or all of them.
func DidYouMean(word string, known []string) string {
	if near := Nearest(word, known); near != "" {
		return "Did you mean \"" + near + "\"?"
	}
	if len(known) == 0 {
		return "There is none here."
	}
	return "Known are " + strings.Join(known, ", ") + "."
}
