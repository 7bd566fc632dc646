package newleaf

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// journal is a chain of n events.
func journal(n int) (events []Event) {
	prev := ""
	for i := range n {
		e := Event{ID: int64(i + 1), At: noon.Add(time.Duration(i) * time.Minute), Kind: EventDeleted, By: "reservation", Text: "deleted",
			Renewal: 7, Certificate: "abc", Data: map[string]string{"rule": "replaced", "name": "Xyz1"}}.Seal(prev)
		events, prev = append(events, e), e.Hash
	}
	return events
}

func TestVerifyChain(t *testing.T) {
	head := journal(5)[4].Hash
	for _, c := range []struct {
		name   string
		prev   string
		change func([]Event) []Event
		broken string // "" is whole
	}{
		{"as it was written", "", func(e []Event) []Event { return e }, ""},
		{"empty", "", func([]Event) []Event { return nil }, ""},
		{"from a checkpoint", journal(2)[1].Hash, func(e []Event) []Event { return e[2:] }, ""},
		{"its beginning is gone, and nobody said where it begins", "", func(e []Event) []Event { return e[2:] }, ""},
		{"it does not follow the checkpoint", journal(1)[0].Hash, func(e []Event) []Event { return e[2:] }, "before event 3"},
		{"one is missing", "", func(e []Event) []Event { return slices.Delete(e, 2, 3) }, "before event 4"},
		{"two changed places", "", func(e []Event) []Event { e[1], e[2] = e[2], e[1]; return e }, "before event 3"},
		{"the text was changed", "", func(e []Event) []Event { e[1].Text = "kept"; return e }, "event 2 was changed"},
		{"the time", "", func(e []Event) []Event { e[1].At = e[1].At.Add(1); return e }, "event 2 was changed"},
		{"the kind", "", func(e []Event) []Event { e[1].Kind = EventSpared; return e }, "event 2 was changed"},
		{"who asked", "", func(e []Event) []Event { e[1].By = "root"; return e }, "event 2 was changed"},
		{"the number", "", func(e []Event) []Event { e[1].ID = 9; return e }, "event 9 was changed"},
		{"the renewal", "", func(e []Event) []Event { e[1].Renewal = 8; return e }, "event 2 was changed"},
		{"the certificate", "", func(e []Event) []Event { e[1].Certificate = "abd"; return e }, "event 2 was changed"},
		{"a fact", "", func(e []Event) []Event { e[1].Data = map[string]string{"rule": "self", "name": "Xyz1"}; return e }, "event 2 was changed"},
		{"the first one", "", func(e []Event) []Event { e[0].Text = "kept"; return e }, "event 1 was changed"},
		{"sealed again after a change", "", func(e []Event) []Event {
			e[1].Text = "kept"
			e[1] = e[1].Seal(e[1].Prev)
			return e
		}, "before event 3"},
	} {
		t.Run(c.name, func(t *testing.T) {
			err := VerifyChain(c.prev, c.change(journal(5)))
			switch {
			case c.broken == "" && err != nil:
				t.Error(err)
			case c.broken != "" && (CodeOf(err) != CodeDamaged || !strings.Contains(err.Error(), c.broken)):
				t.Errorf("%v, want %q", err, c.broken)
			}
		})
	}
	t.Run("only an exported head shows that the end is gone", func(t *testing.T) {
		cut := journal(5)[:4]
		if err := VerifyChain("", cut); err != nil || cut[3].Hash == head {
			t.Error(err)
		}
	})
	t.Run("the same in every zone", func(t *testing.T) {
		e := journal(1)[0]
		far := e
		far.At = e.At.In(zoneOf(t, "Asia/Tokyo"))
		if far.Seal("").Hash != e.Hash {
			t.Error("another hash")
		}
	})
}

// TestEventExported: sealed, exported and read again it still has its hash.
func TestEventExported(t *testing.T) {
	text := rapid.String()
	rapid.Check(t, func(t *rapid.T) {
		e := Event{ID: rapid.Int64().Draw(t, "id"), At: noon.Add(time.Duration(rapid.Int64Range(0, 1e15).Draw(t, "later"))),
			Kind: EventStep, By: text.Draw(t, "by"), Text: text.Draw(t, "text"), Certificate: ID(text.Draw(t, "certificate")),
			Data: rapid.MapOf(text, text).Draw(t, "data")}.Seal(text.Draw(t, "prev"))
		raw, err := json.Marshal(e)
		if err != nil {
			t.Fatal(err)
		}
		var read Event
		if err := json.Unmarshal(raw, &read); err != nil {
			t.Fatal(err)
		}
		if err := VerifyChain(e.Prev, []Event{read}); err != nil {
			t.Fatal(err)
		}
		if sealed := e.Seal(e.Prev); sealed.Hash != e.Hash {
			t.Fatal("sealed twice, it has another hash")
		}
	})
}

func TestEventKinds(t *testing.T) {
	kinds := constants(t, "event.go", "EventKind")
	for _, k := range kinds {
		if k != strings.ToLower(k) || strings.ContainsAny(k, " _") {
			t.Errorf("%q is no persisted word", k)
		}
	}
	slices.Sort(kinds)
	if n := len(kinds); len(slices.Compact(kinds)) != n {
		t.Error("a kind is there twice")
	}
}
