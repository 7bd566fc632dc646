package ca

import (
	"crypto/sha256"
	"crypto/subtle"
	"slices"
	"time"
)

// Policy is what the operator of the lab allows.
type Policy struct {
	Challenge string // the static challenge password; "" where there is none
	OneTime   bool   // one-time challenges are taken
	Approve   bool   // a person decides: what would be granted waits
	Live      int    // certificates a subject may hold at once when it renews by signature
}

// Facts are all that a decision depends on, gathered in the transaction that
// also stores it.
type Facts struct {
	Now          time.Time
	Subject      string   // as subjectOf writes it
	SAN          []string // as alternatives writes them
	KeyAlgorithm string
	KeyBits      int
	KeyUse       KeyUse
	Challenge    string   // as sent; "" where the request carries none
	OneTime      *OneTime // what is known under Challenge
	Signer       *Signer  // nil: the message was signed with the key of the request itself
	Live         int      // certificates the subject holds: not expired, not revoked
}

// KeyUse says what this authority knows of a public key.
type KeyUse string

const (
	KeyNew     KeyUse = "new"
	KeyUsed    KeyUse = "used"    // a certificate was issued for it
	KeyRevoked KeyUse = "revoked" // such a certificate was revoked
)

// OneTime is a one-time challenge password as it is stored.
type OneTime struct {
	Subject string
	Expires time.Time
	Used    bool
}

// Signer is the certificate that signed a message.
type Signer struct {
	Ours                bool // issued here to an end entity, and not as a mischief
	Authority           bool // a CA or RA certificate
	Revoked             bool
	NotBefore, NotAfter time.Time
	Subject             string
	SAN                 []string
}

// Verdict is what becomes of a request.
type Verdict string

const (
	Grant  Verdict = "grant"
	Queue  Verdict = "queue" // a person decides
	Refuse Verdict = "refuse"
)

// Ruling is a verdict with its grounds. FailInfo and Reason belong to Refuse;
// Spend says that the one-time challenge is used up.
type Ruling struct {
	Verdict  Verdict
	FailInfo string
	Reason   string
	Spend    bool
}

// The failInfo words of RFC 8894, 3.2.1.4.5 that a decision uses. A wrong
// challenge password is a badRequest ("transaction not permitted"):
// badMessageCheck is for a message whose own signature is broken, which the
// protocol server finds before it asks here.
const (
	badAlg     = "badAlg"
	badRequest = "badRequest"
	badCertID  = "badCertId"
)

// minRSA is the least modulus accepted. The lab takes 1024 bits, which Fig. 13A
// offers; anything less is not worth a certificate even here.
const minRSA = 1024

// Judge decides on a request that is not a repetition (contract, "Lab
// authority"). A valid challenge or a valid signature is enough; a stale
// challenge beside a valid signature, which some clients send, does no harm.
func (p Policy) Judge(f Facts) Ruling {
	switch {
	case f.KeyAlgorithm == "RSA" && f.KeyBits < minRSA:
		return refuse(badAlg, "the RSA key is shorter than 1024 bits")
	case f.KeyAlgorithm == "unknown":
		return refuse(badAlg, "the kind of key is not known here")
	case f.Subject == "" && len(f.SAN) == 0:
		return refuse(badRequest, "the request names no one: it has neither subject nor alternative name")
	case f.KeyUse == KeyRevoked:
		return refuse(badRequest, "a certificate for this key was revoked; make a new key")
	}
	password := p.challenge(f)
	if password == "" {
		return p.grant(!p.static(f.Challenge))
	}
	if f.Signer == nil {
		if p.Approve && f.Challenge == "" {
			return Ruling{Verdict: Queue}
		}
		return refuse(badRequest, password)
	}
	if signature := p.signature(f); signature != "" {
		return refuse(badRequest, signature)
	}
	return p.grant(false)
}

func (p Policy) grant(spend bool) Ruling {
	if p.Approve {
		return Ruling{Verdict: Queue, Spend: spend}
	}
	return Ruling{Verdict: Grant, Spend: spend}
}

// challenge says why the challenge password grants nothing, "" if it does.
func (p Policy) challenge(f Facts) string {
	switch o := f.OneTime; {
	case f.Challenge == "":
		return "the request carries no challenge password and is not signed by a certificate issued here"
	case p.static(f.Challenge):
		return ""
	case !p.OneTime || o == nil:
		return "the challenge password is wrong"
	case o.Used:
		return "the challenge password was used already"
	case f.Now.After(o.Expires):
		return "the challenge password expired"
	case o.Subject != f.Subject:
		return "the challenge password was given out for another subject"
	}
	return ""
}

// static compares without telling by its time where the difference is.
func (p Policy) static(sent string) bool {
	want, have := sha256.Sum256([]byte(p.Challenge)), sha256.Sum256([]byte(sent))
	return subtle.ConstantTimeCompare(want[:], have[:]) == 1 && p.Challenge != ""
}

// signature says why the message's signer grants nothing, "" if it does.
func (p Policy) signature(f Facts) string {
	switch s := f.Signer; {
	case s.Authority:
		return "the request is signed by a CA or RA certificate, which cannot be renewed here"
	case !s.Ours:
		return "the certificate that signed the request was not issued here"
	case s.Revoked:
		return "the certificate that signed the request was revoked"
	case f.Now.Before(s.NotBefore):
		return "the certificate that signed the request is not valid yet"
	case f.Now.After(s.NotAfter):
		return "the certificate that signed the request expired"
	case s.Subject != f.Subject:
		return "the request is for another subject than the certificate that signed it"
	case !slices.Equal(s.SAN, f.SAN):
		return "the request has other alternative names than the certificate that signed it"
	case f.KeyUse != KeyNew:
		return "a renewal needs a new key; a certificate was issued for this one already"
	case f.Live >= p.Live:
		return "the subject holds as many valid certificates as it may; one has to expire or be revoked first"
	}
	return ""
}

func refuse(failInfo, reason string) Ruling {
	return Ruling{Verdict: Refuse, FailInfo: failInfo, Reason: reason}
}
