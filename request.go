package newleaf

import (
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// KeySpec names a kind of key as commands take it.
type KeySpec string

// The kinds a request or a generation may ask for (ISS-02, ISS-24).
const (
	RSA1024 KeySpec = "rsa-1024"
	RSA2048 KeySpec = "rsa-2048"
	RSA3072 KeySpec = "rsa-3072"
	RSA4096 KeySpec = "rsa-4096"
	P256    KeySpec = "p256"
	P384    KeySpec = "p384"
)

// KeySpecs lists all kinds in the order they are offered.
func KeySpecs() []KeySpec { return []KeySpec{RSA1024, RSA2048, RSA3072, RSA4096, P256, P384} }

// IsRSA reports an RSA kind, the only ones SCEP can carry (RFC 8894, 2.2).
func (k KeySpec) IsRSA() bool { return strings.HasPrefix(string(k), "rsa-") }

// Request is the issuance form (Fig. 13A). It is kept with the certificate as
// the template of its next update (DM-36). The password is no part of it.
type Request struct {
	Name       string    `json:"name"`
	Key        KeySpec   `json:"key"`
	Subject    string    `json:"subject"`
	SAN        []string  `json:"san"`        // "dns:a", "ip:192.0.2.1", "email:x@y"
	Purposes   []Purpose `json:"purposes"`   // empty: stored without a purpose (ISS-18)
	Verify     bool      `json:"verify"`     // signature verification, 1304 (ISS-14)
	Connection string    `json:"connection"` // through which authority
	Exportable bool      `json:"exportable"`
	Edited     bool      `json:"edited"` // changed since the issuance: ask for Subject, do not repeat the issued one
}

// DefaultRequest is the fresh form: 2048 bit (ISS-03), verification on (ISS-15).
func DefaultRequest() Request {
	return Request{Key: RSA2048, Verify: true, Connection: DefaultConnection, SAN: []string{}, Purposes: []Purpose{}}
}

// Validate checks what can be checked before a key is made or the authority is
// asked (F8-G1). It does not know which names are taken.
func (r Request) Validate(kinds Kinds) error {
	if err := ValidName(r.Name); err != nil {
		return err
	}
	if !slices.Contains(KeySpecs(), r.Key) {
		return Errorf(CodeInvalid, "there is no key kind %q", r.Key).
			WithHint("Use rsa-1024, rsa-2048, rsa-3072, rsa-4096, p256 or p384.")
	}
	rdns, err := ParseSubject(r.Subject)
	if err != nil {
		return err
	}
	if CommonName(r.Subject) == "" && len(r.SAN) == 0 {
		return Errorf(CodeInvalid, "the request names no device: the subject %q has no CN and there is no SAN", rdns.String())
	}
	for _, s := range r.SAN {
		if err := validSAN(s); err != nil {
			return err
		}
	}
	return kinds.Check(r.Purposes)
}

// ValidName checks a certificate's name: 1 to 64 characters, none of them a
// invisible or turns the direction of the text, no space at the ends (DM-03).
func ValidName(name string) error {
	n := utf8.RuneCountInString(name)
	if n < 1 || n > 64 || !utf8.ValidString(name) || strings.TrimSpace(name) != name || strings.ContainsFunc(name, func(r rune) bool { return !unicode.IsPrint(r) }) {
		return Errorf(CodeInvalid, "the name %q is not 1 to 64 printable characters", name)
	}
	return nil
}

func validSAN(s string) error {
	kind, value, _ := strings.Cut(s, ":")
	ok := false
	switch kind {
	case "dns":
		ok = value != "" && len(value) <= 253 && !strings.ContainsFunc(value, func(r rune) bool {
			return r > unicode.MaxASCII || (!unicode.IsLetter(r) && !unicode.IsDigit(r) && !strings.ContainsRune("-._*", r))
		})
	case "ip":
		ip, err := netip.ParseAddr(value)
		ok = err == nil && ip.Zone() == ""
	case "email":
		at := strings.LastIndexByte(value, '@')
		ok = at > 0 && at < len(value)-1 && !strings.ContainsFunc(value, func(r rune) bool { return r <= ' ' || r > '~' })
	}
	if !ok {
		return Errorf(CodeInvalid, "the alternative name %q is not acceptable", s).
			WithHint("Write dns:host.example, ip:192.0.2.1 or email:name@host.")
	}
	return nil
}

// NextName is the name of the certificate that replaces the one called name:
// "Xyz1" becomes "Xyz1-2", then "Xyz1-3" (AMB-17). taken tells which exist.
func NextName(name string, taken func(string) bool) string {
	base, n := name, 1
	if head, tail, ok := cutLast(name, '-'); ok {
		if v, err := strconv.Atoi(tail); err == nil && v > 1 && v < 1e6 {
			base, n = head, v
		}
	}
	for {
		n++
		suffix := "-" + strconv.Itoa(n)
		cut := []rune(base)
		cut = cut[:min(len(cut), 64-len(suffix))]
		if next := strings.TrimSpace(string(cut)) + suffix; !taken(next) {
			return next
		}
	}
}

func cutLast(s string, sep byte) (head, tail string, ok bool) {
	i := strings.LastIndexByte(s, sep)
	if i < 1 {
		return s, "", false
	}
	return s[:i], s[i+1:], true
}
