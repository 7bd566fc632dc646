package newleaf

import (
	"slices"
	"time"
)

// Settings are what people change that is no reservation, deletion policy or
// connection.
type Settings struct {
	Capacity      int              `json:"capacity"` // certificates (ENT-25)
	Quota         int64            `json:"quota"`    // bytes of the certificate area; 0 is unlimited (DLS-27)
	Zone          string           `json:"zone"`     // IANA
	Needs         map[Purpose]Need `json:"needs"`    // per kind, where it differs from the table (RST-01)
	WeakKeys      bool             `json:"weakKeys"` // rsa-1024 may be requested (ISS-04)
	JournalEvents int              `json:"journalEvents"`
	JournalBytes  int64            `json:"journalBytes"`
	AutoRestart   bool             `json:"autoRestart"`    // restart by itself when a purpose needs it (RST-04)
	RestartWindow string           `json:"restartWindow"`  // only then, "02:00-05:00" in Zone; "" is any time (AMB-20)
	DeleteOnAdd   bool             `json:"deleteOnImport"` // import and generation start automatic deletion too (AMB-35)
}

// DefaultSettings are a fresh device's.
func DefaultSettings() Settings {
	return Settings{Capacity: 8, Zone: "UTC", Needs: map[Purpose]Need{}, WeakKeys: true,
		JournalEvents: 5000, JournalBytes: 2 << 20, AutoRestart: true}
}

// Validate checks them against the number of certificates held.
func (s Settings) Validate(held int, kinds Kinds) error {
	if s.Capacity < 1 || s.Capacity > 10000 {
		return Errorf(CodeInvalid, "the capacity %d is not between 1 and 10000", s.Capacity)
	}
	if s.Capacity < held {
		return Errorf(CodeInvalid, "the capacity %d is below the %d certificates held", s.Capacity, held)
	}
	if s.Quota < 0 {
		return Errorf(CodeInvalid, "the quota must not be negative")
	}
	if _, err := time.LoadLocation(s.Zone); err != nil || s.Zone == "" || s.Zone == "Local" {
		return Errorf(CodeInvalid, "there is no time zone %q", s.Zone).WithHint("Use an IANA name such as Europe/Berlin or UTC.")
	}
	if _, _, ok := parseWindow(s.RestartWindow); !ok && s.RestartWindow != "" {
		return Errorf(CodeInvalid, "the restart window %q is not of the form 02:00-05:00", s.RestartWindow)
	}
	for p, n := range s.Needs {
		if _, ok := kinds.Find(p); !ok || p != p.Kind() {
			return Errorf(CodeInvalid, "there is no kind of purpose %q", p)
		}
		if !slices.Contains([]Need{NeedLive, NeedReload, NeedRestart}, n) {
			return Errorf(CodeInvalid, "there is no restart need %q", n).WithHint("Use live, reload or restart.")
		}
	}
	if s.JournalEvents < 100 || s.JournalBytes < 64<<10 {
		return Errorf(CodeInvalid, "the journal must hold at least 100 events and 65536 bytes")
	}
	return nil
}

// Need is what purpose p needs to take up a new certificate, unless its target
// says otherwise.
func (s Settings) Need(p Purpose, kinds Kinds) Need {
	if n, ok := s.Needs[p.Kind()]; ok {
		return n
	}
	if k, ok := kinds.Find(p); ok {
		return k.Need
	}
	return NeedRestart
}
