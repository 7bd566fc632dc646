package api

import (
	"strings"

	"newleaf"
)

// unknownKey names the known key nearest to the one at path, or all of them.
func unknownKey(path string, known []string) error {
	word := path[strings.LastIndexByte(path, '.')+1:]
	return newleaf.Errorf(newleaf.CodeUnknownKey, "the key %q is not known", path).
		WithHint("%s Nothing was changed.", newleaf.DidYouMean(word, known))
}
