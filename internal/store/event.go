package store

import (
	"newleaf"
)

// Events returns those with an ID above since, oldest first, at most limit; 0 is
// no limit. What cannot be read of one is left out, and [Tx.VerifyJournal] finds it.
func (tx *Tx) Events(since int64, limit int) ([]newleaf.Event, error) {
	all := []newleaf.Event{}
	err := tx.events(since, limit, func(e newleaf.Event, _ bool) error {
		all = append(all, e)
		return nil
	})
	return all, err
}

// JournalHead tells the hash to be exported, how many events there are and
// which. Of an empty journal the hash is the checkpoint's and all else 0.
func (tx *Tx) JournalHead() (hash string, count int, firstID, lastID int64, err error) {
	last, err := tx.end()
	if err != nil {
		return "", 0, 0, 0, err
	}
	firstID, found, err := first(tx, "reading the journal's head", value[int64], `SELECT id FROM events ORDER BY id`)
	if err != nil || !found {
		return last.hash, 0, 0, 0, err
	}
	return last.hash, int(last.id - firstID + 1), firstID, last.id, nil
}

// Checkpoint returns ID and hash of the last event that was removed to stay
// within the bounds; 0 and "" as long as none was.
func (tx *Tx) Checkpoint() (id int64, hash string, err error) {
	m, err := tx.checkpoint()
	return m.id, m.hash, err
}

// VerifyJournal checks that the events follow from the checkpoint and from each
// other. It finds every change and every gap, but not that the last events are
// missing: that takes an exported head and [Tx.VerifyHead]. Error: CodeDamaged.
func (tx *Tx) VerifyJournal() error {
	at, err := tx.checkpoint()
	if err != nil {
		return err
	}
	return tx.events(0, 0, func(e newleaf.Event, whole bool) error {
		if e.ID != at.id+1 || e.Prev != at.hash {
			return broken("the journal is broken before event %d: an entry is missing or was changed", e.ID)
		}
		if !whole || newleaf.VerifyChain(at.hash, []newleaf.Event{e}) != nil {
			return broken("the journal's event %d was changed", e.ID)
		}
		at = mark{id: e.ID, hash: e.Hash}
		return nil
	})
}

// VerifyHead checks that the journal still goes through an exported head, the
// event id with this hash. Errors: CodeDamaged, and CodeNotFound for a head from
// before the checkpoint, which nobody can check any more.
func (tx *Tx) VerifyHead(id int64, hash string) error {
	at, err := tx.checkpoint()
	switch {
	case err != nil:
		return err
	case id < at.id:
		return newleaf.Errorf(newleaf.CodeNotFound, "event %d is older than the journal, which begins behind %d", id, at.id).
			WithHint("Export the journal more often, or let it keep more events.")
	case id > at.id:
		found := false
		at, found, err = first(tx, "reading the journal", readMark, `SELECT id, hash, bytes FROM events WHERE id = ?`, id)
		if err != nil {
			return err
		}
		if !found {
			return broken("the journal is cut: event %d is missing", id)
		}
	}
	if at.hash != hash {
		return broken("the journal's event %d is not the one that was exported", id)
	}
	return nil
}

func broken(format string, args ...any) error {
	return newleaf.Errorf(newleaf.CodeDamaged, format, args...).
		WithHint("Somebody edited the store, or the disk is failing: compare the journal with its last export.")
}

func (tx *Tx) events(since int64, limit int, each func(e newleaf.Event, whole bool) error) error {
	if limit <= 0 {
		limit = -1
	}
	return tx.each("reading the journal", func(r row) error {
		var e newleaf.Event
		whole := r.read(&e.ID, (*instant)(&e.At), &e.Kind, &e.By, &e.Text, &e.Renewal, &e.Certificate, encoded{&e.Data}, &e.Prev, &e.Hash)
		return each(e, whole)
	}, `SELECT id, at, kind, actor, text, renewal, certificate, data, prev, hash FROM events WHERE id > ? ORDER BY id LIMIT ?`, since, limit)
}
