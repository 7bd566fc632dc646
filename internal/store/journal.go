package store

import (
	"encoding/json"
	"fmt"

	"newleaf"
)

// mark is a place in the journal: behind the event id, whose hash it is.
type mark struct {
	id    int64
	hash  string
	bytes int64 // of all events ever, up to here
}

// Append seals e behind the last event and stores it with the next ID. Older
// events than the settings allow are removed; what is left can be verified from
// the checkpoint. The new one stays, however large.
func (tx *Tx) Append(e newleaf.Event) (newleaf.Event, error) {
	last, err := tx.end()
	if err != nil {
		return e, err
	}
	if e, err = asRead(e); err != nil {
		return e, err
	}
	e.ID = last.id + 1
	e = e.Seal(last.hash)
	raw, err := json.Marshal(e)
	if err != nil {
		return e, fmt.Errorf("encoding an event: %w", err)
	}
	last = mark{e.ID, e.Hash, last.bytes + int64(len(raw))}
	err = tx.put("storing an event", `
		INSERT INTO events (id, at, kind, actor, text, renewal, certificate, data, prev, hash, bytes)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
		e.ID, instant(e.At), e.Kind, e.By, e.Text, e.Renewal, e.Certificate, encoded{e.Data}, e.Prev, e.Hash, last.bytes)
	if err != nil {
		return e, err
	}
	tx.appended = true
	return e, tx.trim(last)
}

// asRead is e as JSON gives it back: strings are valid UTF-8, empty data is none.
// Sealed like this, an exported event has the hash it was given.
func asRead(e newleaf.Event) (read newleaf.Event, err error) {
	raw, err := json.Marshal(e)
	if err == nil {
		err = json.Unmarshal(raw, &read)
	}
	if err != nil {
		return e, fmt.Errorf("encoding an event: %w", err)
	}
	return read, nil
}

// trim removes the oldest events until number and bytes are within the bounds.
func (tx *Tx) trim(last mark) error {
	gone, err := tx.checkpoint()
	if err != nil {
		return err
	}
	events, bytes := tx.bounds()
	if last.id-gone.id <= events && last.bytes-gone.bytes <= bytes {
		return nil
	}
	// The plus signs keep SQLite from any plan but to go up from the oldest.
	cut, found, err := first(tx, "trimming the journal", readMark, `SELECT id, hash, bytes FROM events
		WHERE id < ?1 AND (+id = ?1 - 1 OR +id >= ?1 - ?2 AND bytes >= ?3) ORDER BY id`, last.id, events, last.bytes-bytes)
	if err != nil || !found {
		return err
	}
	if err := tx.put("trimming the journal", `UPDATE checkpoint SET id = ?, hash = ?, bytes = ?`, cut.id, cut.hash, cut.bytes); err != nil {
		return err
	}
	return tx.put("trimming the journal", `DELETE FROM events WHERE id <= ?`, cut.id)
}

// bounds are the most events and bytes to keep, by the settings document.
func (tx *Tx) bounds() (events, bytes int64) {
	standard := newleaf.DefaultSettings()
	s := standard
	if _, err := tx.Document(DocSettings, &s); err != nil || s.JournalEvents < 1 || s.JournalBytes < 1 {
		s = standard // a journal goes on, whatever became of the settings
	}
	return int64(s.JournalEvents), s.JournalBytes
}

// end is behind the last event, or at the checkpoint where all are gone.
func (tx *Tx) end() (mark, error) {
	last, found, err := first(tx, "reading the journal's end", readMark, `SELECT id, hash, bytes FROM events ORDER BY id DESC`)
	if err != nil || found {
		return last, err
	}
	return tx.checkpoint()
}

func (tx *Tx) checkpoint() (mark, error) {
	m, _, err := first(tx, "reading the journal's checkpoint", readMark, `SELECT id, hash, bytes FROM checkpoint`)
	return m, err
}

func readMark(r row) (m mark) {
	r.read(&m.id, &m.hash, &m.bytes)
	return m
}
