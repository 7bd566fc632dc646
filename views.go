package newleaf

import (
	"slices"
	"time"
)

// Listed is a certificate as lists show it (Fig. 17, contract "cert list").
type Listed struct {
	ID           ID        `json:"id"`
	Name         string    `json:"name"`
	Purposes     []Purpose `json:"purposes"`
	Issuer       string    `json:"issuer"`
	Subject      string    `json:"subject"`
	NotBefore    time.Time `json:"notBefore"`
	NotAfter     time.Time `json:"notAfter"`
	KeyAlgorithm string    `json:"keyAlgorithm"`
	KeyBits      int       `json:"keyBits"`
	Serial       string    `json:"serial"`
	SHA1         string    `json:"sha1"`
	SHA256       string    `json:"sha256"`
	Origin       Origin    `json:"origin"`
	SelfSigned   bool      `json:"selfSigned"`
	Pinned       bool      `json:"pinned"`
	InUse        bool      `json:"inUse"`
	Expired      bool      `json:"expired"`
	Damaged      bool      `json:"damaged"`
	State        State     `json:"state"`
	States       []string  `json:"states"` // all that hold (DM-33), in words that stay untranslated
	Added        time.Time `json:"added"`
}

// ListedFrom is the one place where an entry becomes a row.
func ListedFrom(c *Certificate, bs Bindings, now time.Time) Listed {
	return Listed{ID: c.ID, Name: c.Name, Purposes: bs.Held(c.ID), Issuer: c.Issuer, Subject: c.Subject,
		NotBefore: c.NotBefore, NotAfter: c.NotAfter, KeyAlgorithm: c.KeyAlgorithm, KeyBits: c.KeyBits,
		Serial: c.Serial, SHA1: c.SHA1, SHA256: c.SHA256, Origin: c.Origin, SelfSigned: c.SelfSigned(),
		Pinned: c.Pinned, InUse: len(bs.Used(c.ID)) > 0, Expired: !c.Damaged && c.Expired(now),
		Damaged: c.Damaged, State: c.State, States: states(c, bs, now), Added: c.Added}
}

// states lists what holds of an entry: its validity, its parts in bindings, where
// a walk has it, and what a person did with it.
func states(c *Certificate, bs Bindings, now time.Time) []string {
	out := []string{}
	say := func(word string, holds bool) {
		if holds {
			out = append(out, word)
		}
	}
	say("damaged", c.Damaged)
	say("not-yet-valid", !c.Damaged && now.Before(c.NotBefore))
	say("expired", !c.Damaged && c.Expired(now))
	say("valid", !c.Damaged && !now.Before(c.NotBefore) && !c.Expired(now))
	has := func(part func(Binding) bool) bool { return slices.ContainsFunc(bs, part) }
	say("bound", has(func(b Binding) bool { return b.Holder() == c.ID }))
	say("on-trial", has(func(b Binding) bool { return b.Trial == c.ID }))
	say("loaded", has(func(b Binding) bool { return b.Loaded == c.ID }))
	say("waiting-for-load", has(func(b Binding) bool { return b.Holder() == c.ID && b.Loaded != c.ID }))
	say("previous", has(func(b Binding) bool { return b.Previous == c.ID }))
	say(string(c.State), c.State != StateHeld)
	say("pinned", c.Pinned)
	say("self-signed", c.SelfSigned())
	say("weak-key", c.KeyAlgorithm == "RSA" && c.KeyBits < 2048)
	return out
}

// Detail is a certificate with all that is known of it (Fig. 16, UI-026).
type Detail struct {
	Listed
	SAN         []string  `json:"san"`
	EKU         []string  `json:"eku"`
	Chain       []string  `json:"chain"` // subjects, issuer first
	PEM         string    `json:"pem"`   // leaf and chain
	Used        []Purpose `json:"used"`  // in use for, in any part
	Connection  string    `json:"connection"`
	Predecessor ID        `json:"predecessor"`
	Updated     time.Time `json:"updated,omitzero"`
	Exportable  bool      `json:"exportable"`
	Request     *Request  `json:"request"`
	Renewal     Outlook   `json:"renewal"`
	Forecast    Verdict   `json:"forecast"` // what the next update would do to it
}

// Generation asks for a key pair and a self-signed certificate.
type Generation struct {
	Name       string    `json:"name"`
	Key        KeySpec   `json:"key"`
	Subject    string    `json:"subject"`
	SAN        []string  `json:"san"`
	Purposes   []Purpose `json:"purposes"`
	Days       int       `json:"days"`
	Exportable bool      `json:"exportable"`
}

// Import brings a certificate with its key, as PEM or PKCS #12 (by content).
type Import struct {
	Name       string    `json:"name"`
	Data       []byte    `json:"data"`
	Key        []byte    `json:"key"` // PEM, when not in Data
	Passphrase string    `json:"passphrase"`
	Purposes   []Purpose `json:"purposes"`
	Exportable bool      `json:"exportable"`
}

// Format of an export.
type Format string

const (
	FormatPEM    Format = "pem"    // the certificate
	FormatDER    Format = "der"    // the certificate
	FormatChain  Format = "chain"  // certificate and intermediates, PEM
	FormatPKCS12 Format = "pkcs12" // with the private key, if it is exportable
)

// Issue asks for a first issuance.
type Issue struct {
	Request
	Password      string `json:"password"`
	ApplyDeletion *bool  `json:"applyDeletion"` // nil: as the deletion policy says (AMB-34)
}

// AnchorInfo is an Anchor as lists show it.
type AnchorInfo struct {
	ID         ID        `json:"id"`
	Connection string    `json:"connection"`
	Role       Role      `json:"role"`
	Confirmed  bool      `json:"confirmed"`
	Subject    string    `json:"subject"`
	Issuer     string    `json:"issuer"`
	NotBefore  time.Time `json:"notBefore"`
	NotAfter   time.Time `json:"notAfter"`
	Serial     string    `json:"serial"`
	SHA1       string    `json:"sha1"`
	SHA256     string    `json:"sha256"`
	Source     string    `json:"source"`
	Added      time.Time `json:"added"`
	PEM        string    `json:"pem"`
}

// ConnectionInfo is a Connection with what is known of it.
type ConnectionInfo struct {
	Connection
	Endpoint       string `json:"endpoint"`       // the full URL
	PasswordStored bool   `json:"passwordStored"` // write-only
	Anchors        int    `json:"anchors"`        // confirmed ones
	Warning        string `json:"warning"`        // e.g. the server changed after its CA certificate was fetched (F6-G4)
}

// ConnectionTest is what a look at the authority showed; nothing was trusted.
type ConnectionTest struct {
	Endpoint     string       `json:"endpoint"`
	Capabilities []string     `json:"capabilities"`
	Certificates []AnchorInfo `json:"certificates"`
	Findings     []Finding    `json:"findings"`
}

// Finding is one line of a diagnosis.
type Finding struct {
	OK    bool   `json:"ok"`
	Topic string `json:"topic"`
	Text  string `json:"text"`
	Hint  string `json:"hint"`
}

// ForecastQuery asks for the coming updates under unsaved settings, nil for the
// saved ones. AfterSuccess, unless zero, counts as the last success of all.
type ForecastQuery struct {
	From         time.Time    `json:"from"`
	Count        int          `json:"count"`
	AfterSuccess time.Time    `json:"afterSuccess,omitzero"`
	Unsaved      *Reservation `json:"unsaved"`
}

// ReservationInfo is the reservation with its effect.
type ReservationInfo struct {
	Reservation
	Next     []Planned `json:"next"`     // next update of each certificate in use (RSV-17)
	Warnings []string  `json:"warnings"` // RSV-20
}

// DeletionInfo is the policy with its effect.
type DeletionInfo struct {
	DeletionPolicy
	Stored   int      `json:"stored"`
	Capacity int      `json:"capacity"`
	Owed     []ID     `json:"owed"`
	Warnings []string `json:"warnings"`
}

// NewToken asks for a token.
type NewToken struct {
	Name string     `json:"name"`
	Role AccessRole `json:"role"`
	Days int        `json:"days"`
}

// Token is a token as lists show it.
type Token struct {
	ID      string     `json:"id"`
	Name    string     `json:"name"`
	Role    AccessRole `json:"role"`
	Created time.Time  `json:"created"`
	Expires time.Time  `json:"expires"`
}

// Status is the device at a glance.
type Status struct {
	Version      string          `json:"version"`
	Lab          bool            `json:"lab"`
	Address      string          `json:"address"` // of the HTTPS listener
	Now          time.Time       `json:"now"`
	Zone         string          `json:"zone"`
	Clock        ClockState      `json:"clock"`
	Stored       int             `json:"stored"`
	Capacity     int             `json:"capacity"`
	UsedBytes    int64           `json:"usedBytes"`
	Quota        int64           `json:"quota"`
	Purposes     []PurposeStatus `json:"purposes"`
	Running      []Renewal       `json:"running"` // open renewals
	Last         *Renewal        `json:"last"`    // the last that ended
	RestartNeed  []Purpose       `json:"restartNeed"`
	Announced    []Announcement  `json:"announced"` // coming updates that will not fit
	Warnings     []string        `json:"warnings"`
	NeedsUpdate  bool            `json:"needsUpdate"` // something is due now, or expired in use
	JournalHead  string          `json:"journalHead"`
	JournalCount int             `json:"journalCount"`
}

// PurposeStatus says what serves one purpose.
type PurposeStatus struct {
	Purpose     Purpose   `json:"purpose"`
	Label       string    `json:"label"`
	Certificate ID        `json:"certificate"`
	Name        string    `json:"name"`
	NotAfter    time.Time `json:"notAfter,omitzero"`
	Trial       ID        `json:"trial"`
	Previous    ID        `json:"previous"`
	Loaded      ID        `json:"loaded"`
	Since       time.Time `json:"since,omitzero"` // when the holder got the purpose
	Need        Need      `json:"need"`
	Next        time.Time `json:"next,omitzero"` // next update
	Cause       Cause     `json:"cause"`
	Alarm       Alarm     `json:"alarm"`
	Renewal     Outlook   `json:"renewal"`
}

// Announcement tells of a coming update that will find no room (DLS-26).
type Announcement struct {
	At         time.Time `json:"at"`
	ID         ID        `json:"id"`
	Name       string    `json:"name"`
	Text       string    `json:"text"`
	Candidates []ID      `json:"candidates"` // could be deleted by hand
}
