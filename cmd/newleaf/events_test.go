package main

import (
	"fmt"
	"strings"
	"testing"

	"newleaf"
)

// TestHead: an event that was noted earlier shows later whether the journal was
// cut, made anew or changed since.
func TestHead(t *testing.T) {
	chain := func(n int, text string) (out []newleaf.Event) {
		prev := ""
		for i := range n {
			e := newleaf.Event{ID: int64(i + 1), At: fakeNow, Kind: newleaf.EventImported, By: "root", Text: fmt.Sprint(text, i)}.Seal(prev)
			out, prev = append(out, e), e.Hash
		}
		return out
	}
	whole := chain(5, "certificate ")
	changed := chain(5, "certificate ")
	changed[3].Text = "nothing"
	head := func(i int) string { return fmt.Sprintf("%d:%s", whole[i].ID, whole[i].Hash) }
	for _, tt := range []struct {
		name, head string
		events     []newleaf.Event
		code       int
		says       string
	}{
		{"whole", head(1), whole, 0, "4 events"},
		{"the newest", head(4), whole, 0, "1 events"},
		{"cut at the end", head(4), whole[:4], 1, "cut or replaced"},
		{"empty", head(0), nil, 1, "cut or replaced"},
		{"made anew", head(1), chain(5, "other "), 1, "cut or replaced"},
		{"changed since", head(1), changed, 1, "event 4 was changed"},
		{"one taken out since", head(1), append(whole[:2:2], whole[3:]...), 1, "before event 4"},
		{"changed before: nobody can tell", head(4), changed, 0, "1 events"},
		{"older than what is kept", head(0), whole[2:], 1, "the oldest is 3"},
		{"no head", "5", whole, 2, "ID:HASH"},
		{"no number", "x:" + whole[0].Hash, whole, 2, "ID:HASH"},
		{"not the first event", "0:" + whole[0].Hash, whole, 2, "ID:HASH"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f := newFake()
			f.events = tt.events
			code, out, errs := runFake(t, f, "", "events", "--head", tt.head)
			if code != tt.code || !strings.Contains(out+errs, tt.says) {
				t.Errorf("exit status %d, want %d with %q: %s%s", code, tt.code, tt.says, out, errs)
			}
		})
	}
}
