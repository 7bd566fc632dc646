package main

import "newleaf"

func unknownKey(path, key string, known []string) error {
	return newleaf.Errorf(newleaf.CodeUnknownKey, "there is no key %q", path).WithHint("%s", newleaf.DidYouMean(key, known))
}
