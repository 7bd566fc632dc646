package newleaf

import "testing"

func TestNearest(t *testing.T) {
	known := []string{"capacity", "quota", "zone", "journal-events", "Grün"}
	for word, want := range map[string]string{"capacty": "capacity", "CAPA": "capacity", "zoen": "zone", "journal": "journal-events",
		"grun": "Grün", "xylophone": "", "": ""} {
		if got := Nearest(word, known); got != want {
			t.Errorf("Nearest(%q) = %q, want %q", word, got, want)
		}
	}
	if got := DidYouMean("nothing-alike", []string{"a", "b"}); got != "Known are a, b." {
		t.Errorf("DidYouMean = %q", got)
	}
}
