package store_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"newleaf"
	"newleaf/internal/store"
)

// journal is a store with n events.
func journal(t testing.TB, n int) *store.Store {
	t.Helper()
	s := open(t, t.TempDir())
	add(t, s, n)
	return s
}

func add(t testing.TB, s *store.Store, n int) {
	t.Helper()
	write(t, s, func(tx *store.Tx) error {
		for i := range n {
			_, err := tx.Append(newleaf.Event{At: then, Kind: newleaf.EventStep, By: "root", Text: fmt.Sprint("event ", i), Renewal: 3,
				Certificate: "abc", Data: map[string]string{"step": "keep", "ok": "true"}})
			if err != nil {
				return err
			}
		}
		return nil
	})
}

func bound(t testing.TB, s *store.Store, events int, bytes int64) {
	t.Helper()
	write(t, s, func(tx *store.Tx) error {
		set := newleaf.DefaultSettings()
		set.JournalEvents, set.JournalBytes = events, bytes
		return tx.PutDocument(store.DocSettings, set)
	})
}

func verify(t testing.TB, s *store.Store) error {
	t.Helper()
	return s.Read(t.Context(), (*store.Tx).VerifyJournal)
}

func TestJournalFindsEdits(t *testing.T) {
	edits := map[string]string{
		"time":          `UPDATE events SET at = '2026-03-01T04:00:01Z' WHERE id = 5`,
		"no time":       `UPDATE events SET at = 'x' WHERE id = 5`,
		"kind":          `UPDATE events SET kind = 'pinned' WHERE id = 5`,
		"actor":         `UPDATE events SET actor = 'nobody' WHERE id = 5`,
		"text":          `UPDATE events SET text = '' WHERE id = 5`,
		"renewal":       `UPDATE events SET renewal = 4 WHERE id = 5`,
		"certificate":   `UPDATE events SET certificate = '' WHERE id = 5`,
		"data":          `UPDATE events SET data = '{"ok":"false","step":"keep"}' WHERE id = 5`,
		"no data":       `UPDATE events SET data = '{' WHERE id = 5`,
		"previous hash": `UPDATE events SET prev = '' WHERE id = 5`,
		"hash":          `UPDATE events SET hash = prev WHERE id = 5`,
		"first":         `UPDATE events SET text = 'x' WHERE id = 1`,
		"last":          `UPDATE events SET text = 'x' WHERE id = 10`,
		"one gone":      `DELETE FROM events WHERE id = 5`,
		"first gone":    `DELETE FROM events WHERE id = 1`,
		"moved":         `UPDATE events SET id = 50 WHERE id = 5`,
		"checkpoint":    `UPDATE checkpoint SET id = 1`,
		"copied":        `INSERT INTO events SELECT 11, at, kind, actor, text, renewal, certificate, data, prev, hash, bytes FROM events WHERE id = 10`,
	}
	for name, edit := range edits {
		t.Run(name, func(t *testing.T) {
			s := journal(t, 10)
			if err := verify(t, s); err != nil {
				t.Fatal(err)
			}
			s.Exec(t, edit)
			wantCode(t, verify(t, s), newleaf.CodeDamaged)
			get(t, s, func(tx *store.Tx) ([]newleaf.Event, error) { return tx.Events(0, 0) }) // it still lists
		})
	}
}

func TestJournalFindsCutsAgainstAnExportedHead(t *testing.T) {
	s := journal(t, 10)
	check := func(id int64, hash string) error {
		return s.Read(t.Context(), func(tx *store.Tx) error { return tx.VerifyHead(id, hash) })
	}
	var head string
	read(t, s, func(tx *store.Tx) error {
		hash, count, firstID, lastID, err := tx.JournalHead()
		if count != 10 || firstID != 1 || lastID != 10 {
			t.Errorf("%d events, %d to %d; want 10, 1 to 10", count, firstID, lastID)
		}
		head = hash
		return err
	})
	add(t, s, 2)
	wantCode(t, check(10, head), "")
	s.Exec(t, `DELETE FROM events WHERE id > 7`)
	wantCode(t, verify(t, s), "") // by itself the rest is a journal
	wantCode(t, check(10, head), newleaf.CodeDamaged)
	add(t, s, 5) // others in their place do not hide it
	wantCode(t, verify(t, s), "")
	wantCode(t, check(10, head), newleaf.CodeDamaged)
}

func TestJournalTrims(t *testing.T) {
	s := open(t, t.TempDir())
	bound(t, s, 100, 64<<10)
	add(t, s, 250)
	all := get(t, s, func(tx *store.Tx) ([]newleaf.Event, error) { return tx.Events(0, 0) })
	if len(all) != 100 || all[0].ID != 151 {
		t.Fatalf("%d events from %d, want 100 from 151", len(all), all[0].ID)
	}
	read(t, s, func(tx *store.Tx) error {
		id, hash, err := tx.Checkpoint()
		if id != 150 || hash != all[0].Prev {
			t.Errorf("checkpoint %d %s, want 150 %s", id, hash, all[0].Prev)
		}
		wantCode(t, tx.VerifyHead(150, hash), "")
		wantCode(t, tx.VerifyHead(150, all[0].Hash), newleaf.CodeDamaged)
		wantCode(t, tx.VerifyHead(149, hash), newleaf.CodeNotFound)
		return err
	})
	wantCode(t, verify(t, s), "")
	page := get(t, s, func(tx *store.Tx) ([]newleaf.Event, error) { return tx.Events(200, 7) })
	if diff := cmp.Diff(all[50:57], page); diff != "" {
		t.Error(diff)
	}
	s.Exec(t, `DELETE FROM events WHERE id = 151`)
	wantCode(t, verify(t, s), newleaf.CodeDamaged)
}

func TestJournalBoundInBytes(t *testing.T) {
	for less, want := range []int{3, 2} {
		s := journal(t, 5)
		second := get(t, s, func(tx *store.Tx) ([]newleaf.Event, error) { return tx.Events(1, 1) })
		raw, err := json.Marshal(second[0])
		if err != nil {
			t.Fatal(err)
		}
		bound(t, s, 100, int64(3*len(raw)-less)) // all but the first are as long as the second
		add(t, s, 1)
		if left := get(t, s, func(tx *store.Tx) ([]newleaf.Event, error) { return tx.Events(0, 0) }); len(left) != want {
			t.Errorf("%d bytes less than three events: %d are left, want %d", less, len(left), want)
		}
	}
}

// A time that no export can hold is an error and leaves the journal alone.
func TestJournalRefusesTheYear10000(t *testing.T) {
	s := journal(t, 1)
	err := s.Write(t.Context(), func(tx *store.Tx) error {
		_, err := tx.Append(newleaf.Event{At: then.AddDate(8000, 0, 0)})
		return err
	})
	if err == nil {
		t.Error("it was stored")
	}
	add(t, s, 1)
	wantCode(t, verify(t, s), "")
}

// One event that is larger than the journal may be stays alone, and the IDs go on.
func TestJournalKeepsTheNewest(t *testing.T) {
	s := journal(t, 3)
	bound(t, s, 100, 64<<10)
	for i := range 2 {
		var e newleaf.Event
		write(t, s, func(tx *store.Tx) (err error) {
			e, err = tx.Append(newleaf.Event{At: then, Text: strings.Repeat("x", 100_000)})
			return err
		})
		all := get(t, s, func(tx *store.Tx) ([]newleaf.Event, error) { return tx.Events(0, 0) })
		if len(all) != 1 || all[0].ID != int64(4+i) || all[0].Hash != e.Hash {
			t.Errorf("%d events are left, the last is %d", len(all), all[len(all)-1].ID)
		}
		wantCode(t, verify(t, s), "")
	}
}

func TestJournalGoesOnWithoutSettings(t *testing.T) {
	s := journal(t, 1)
	for _, body := range []string{`{`, `{"journalEvents":0}`, `{"journalBytes":-1}`} {
		s.Exec(t, `INSERT OR REPLACE INTO documents (key, body) VALUES ('settings', ?)`, body)
		add(t, s, 1)
	}
	read(t, s, func(tx *store.Tx) error {
		_, count, _, _, err := tx.JournalHead()
		if count != 4 {
			t.Errorf("%d events, want 4", count)
		}
		return err
	})
}

// An event has the hash that its export has, whatever strings it is made of.
func TestJournalExport(t *testing.T) {
	s := open(t, t.TempDir())
	write(t, s, func(tx *store.Tx) error {
		for _, odd := range []string{"\xff\xfe", "\x00", "<&>\u2028", "\ufffd", "ü"} {
			if _, err := tx.Append(newleaf.Event{At: then, By: odd, Text: odd, Data: map[string]string{odd: odd, "": ""}}); err != nil {
				return err
			}
		}
		_, err := tx.Append(newleaf.Event{At: then.In(time.FixedZone("", 3600)), Data: map[string]string{}})
		return err
	})
	wantCode(t, verify(t, s), "")
	raw, err := json.Marshal(get(t, s, func(tx *store.Tx) ([]newleaf.Event, error) { return tx.Events(0, 0) }))
	if err != nil {
		t.Fatal(err)
	}
	var exported []newleaf.Event
	if err := json.Unmarshal(raw, &exported); err != nil {
		t.Fatal(err)
	}
	if err := newleaf.VerifyChain("", exported); err != nil {
		t.Errorf("the export does not verify: %v", err)
	}
}

// However events and bounds come, exactly the events that fit both bounds are
// left, and they verify from the checkpoint.
func TestJournalProperty(t *testing.T) {
	s := open(t, t.TempDir())
	undo := newleaf.Errorf(newleaf.CodeConflict, "undone")
	rapid.Check(t, func(r *rapid.T) {
		err := s.Write(t.Context(), func(tx *store.Tx) error { // one transaction, as no disk is asked
			set := newleaf.DefaultSettings()
			var sizes []int64 // of all events ever
			first := 0        // the index of the first that must be left
			for range rapid.IntRange(1, 12).Draw(r, "events") {
				if len(sizes) == 0 || rapid.IntRange(0, 5).Draw(r, "change") == 0 {
					set.JournalEvents = rapid.IntRange(1, 6).Draw(r, "most")
					set.JournalBytes = rapid.Int64Range(1, 6000).Draw(r, "bytes")
					if err := tx.PutDocument(store.DocSettings, set); err != nil {
						r.Fatal(err)
					}
				}
				e, err := tx.Append(newleaf.Event{At: then, Text: strings.Repeat("x", rapid.IntRange(0, 2000).Draw(r, "size"))})
				if err != nil || e.ID != int64(len(sizes)+1) {
					r.Fatalf("event %d follows %d: %v", e.ID, len(sizes), err)
				}
				sizes = append(sizes, sizeOf(r, e))
				for left := sizes[first:]; len(left) > 1 && (len(left) > set.JournalEvents || sum(left) > set.JournalBytes); left = sizes[first:] {
					first++
				}
				checkJournal(r, tx, e, int64(first+1))
			}
			return undo
		})
		if err != error(undo) {
			r.Fatal(err)
		}
	})
}

func sizeOf(r *rapid.T, e newleaf.Event) int64 {
	raw, err := json.Marshal(e)
	if err != nil {
		r.Fatal(err)
	}
	return int64(len(raw))
}

func sum(sizes []int64) (total int64) {
	for _, n := range sizes {
		total += n
	}
	return total
}

func checkJournal(r *rapid.T, tx *store.Tx, last newleaf.Event, first int64) {
	all, err := tx.Events(0, 0)
	if err != nil {
		r.Fatal(err)
	}
	if len(all) == 0 || all[0].ID != first || all[len(all)-1].Hash != last.Hash {
		r.Fatalf("%d events are left, want those from %d to %d", len(all), first, last.ID)
	}
	if err := tx.VerifyJournal(); err != nil {
		r.Fatal(err)
	}
	id, hash, err := tx.Checkpoint()
	if err != nil || id != first-1 || hash != all[0].Prev {
		r.Fatalf("checkpoint %d before event %d: %v", id, first, err)
	}
	head, count, firstID, lastID, err := tx.JournalHead()
	if err != nil || head != last.Hash || count != len(all) || firstID != first || lastID != last.ID {
		r.Fatalf("head %s, %d events, %d to %d: %v", head, count, firstID, lastID, err)
	}
}
