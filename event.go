package newleaf

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"time"
)

// EventKind names what happened. The journal, its export, the API and the live
// display use the same words.
type EventKind string

const (
	EventStarted     EventKind = "agent-started"
	EventStopped     EventKind = "agent-stopped"
	EventStep        EventKind = "step" // a renewal did or failed a step
	EventRenewal     EventKind = "renewal-started"
	EventRenewed     EventKind = "renewal-done"
	EventFailed      EventKind = "renewal-failed"
	EventCancelled   EventKind = "renewal-cancelled"
	EventAcquired    EventKind = "acquired"
	EventGenerated   EventKind = "generated"
	EventImported    EventKind = "imported"
	EventExported    EventKind = "exported"
	EventProvisioned EventKind = "provisioned"
	EventBound       EventKind = "bound"
	EventPutBack     EventKind = "put-back"
	EventProven      EventKind = "proven"
	EventDeleted     EventKind = "deleted"
	EventSpared      EventKind = "spared" // a rule hit, a guard kept it (INV-12)
	EventOwed        EventKind = "deletion-owed"
	EventRefused     EventKind = "answer-refused" // with the public DER of what was refused
	EventPinned      EventKind = "pinned"
	EventUnpinned    EventKind = "unpinned"
	EventRestart     EventKind = "restart"
	EventSettings    EventKind = "settings"
	EventConnection  EventKind = "connection"
	EventAnchor      EventKind = "anchor"
	EventToken       EventKind = "token"
	EventClock       EventKind = "clock"
	EventAlarm       EventKind = "alarm"
	EventForecast    EventKind = "forecast"
	EventLab         EventKind = "lab"
)

// Event is one entry of the journal. Its hash covers the one before it, so that
// an edit is found, and a cut against an exported head.
type Event struct {
	ID          int64             `json:"id"`
	At          time.Time         `json:"at"`
	Kind        EventKind         `json:"kind"`
	By          string            `json:"by"` // who asked: "reservation", "root", "token:ci", ...
	Text        string            `json:"text"`
	Renewal     int64             `json:"renewal,omitempty"`
	Certificate ID                `json:"certificate,omitempty"`
	Data        map[string]string `json:"data,omitempty"` // further facts; never a secret
	Prev        string            `json:"prev"`
	Hash        string            `json:"hash"`
}

// Seal fills Prev and Hash for an event that follows the one with hash prev.
func (e Event) Seal(prev string) Event {
	e.At = e.At.UTC()
	e.Prev, e.Hash = prev, ""
	e.Hash = e.digest()
	return e
}

func (e Event) digest() string {
	e.Hash = ""
	raw, err := json.Marshal(e) // fields in order, map keys sorted: canonical
	if err != nil {
		panic(fmt.Sprintf("encoding an event: %v", err)) // strings and numbers cannot fail
	}
	sum := sha256.Sum256(raw)
	return hex.EncodeToString(sum[:])
}

// VerifyChain checks that events follow from each other and from the hash prev
// before the first ("" accepts any beginning).
func VerifyChain(prev string, events []Event) error {
	for i, e := range events {
		if (i > 0 || prev != "") && e.Prev != prev {
			return Errorf(CodeDamaged, "the journal is broken before event %d: an entry is missing or was changed", e.ID)
		}
		if e.digest() != e.Hash {
			return Errorf(CodeDamaged, "the journal's event %d was changed", e.ID)
		}
		prev = e.Hash
	}
	return nil
}
