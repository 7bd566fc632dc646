package ca

import (
	"cmp"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"newleaf"
	"newleaf/internal/db"
	"newleaf/internal/enroll"
)

// Options say how a lab authority is run. Dir and Now have to be set; the zero
// value of every other field is its default.
type Options struct {
	Dir       string
	Name      string        // common name; "LAB" is added where it lacks it; default "newleaf LAB CA"
	Issuer    string        // P256 (default) or RSA
	RA        string        // RAOne (default with P256), RATwo, or RANone (default with RSA, and only there)
	Challenge string        // static challenge password
	OTP       bool          // take one-time challenges beside a static one; without a static one they are always taken
	Validity  time.Duration // of issued certificates; default 90 days
	Approve   bool          // a person decides on every request
	Weak      []string      // weak algorithms a protocol server may read and write: 3des, des, sha1
	Mischief  []string      // NAME[:OPERATION][*COUNT], see Faults
	Live      int           // certificates a subject may hold when it renews by signature; default 2
	Next      bool          // announce the certificate that follows the issuer
	CRL       string        // URL of the revocation list, put into certificates; "" for none
	Now       func() time.Time
}

const (
	defaultName     = "newleaf LAB CA"
	defaultValidity = 90 * 24 * time.Hour
	// ChallengeLife is how long a one-time challenge may wait to be used.
	ChallengeLife = time.Hour
	// liveLimit is how many certificates a subject may hold when it renews by signature.
	liveLimit = 2
)

// CA is a lab certificate and registration authority, an [enroll.Authority].
// Its methods may be called concurrently.
type CA struct {
	now      func() time.Time
	db       *db.DB
	identity identity
	profile  profile
	policy   Policy
	script   script
	traffic  traffic
}

var _ enroll.Authority = (*CA)(nil)

// Open starts the authority in o.Dir, which it makes (0700) if there is none.
// One process at a time may have it open.
func Open(o Options) (*CA, error) {
	o, err := o.complete()
	if err != nil {
		return nil, err
	}
	words, err := parseMischief(o.Mischief)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(o.Dir, 0o700); err != nil {
		return nil, newleaf.Errorf(newleaf.CodeInvalid, "the folder of the authority cannot be used: %w", err)
	}
	store, err := db.Open(filepath.Join(o.Dir, "ca.db"), db.Options{Migrations: migrations})
	if errors.Is(err, db.ErrLocked) {
		return nil, newleaf.Errorf(newleaf.CodeConflict, "another process runs the authority in %s: %w", o.Dir, err).
			WithHint("Stop it first, or name another folder with --state.")
	}
	if err != nil {
		return nil, err
	}
	id, err := o.identity(o.Now())
	if err != nil {
		return nil, errors.Join(err, store.Close())
	}
	return &CA{
		now: o.Now, db: store, identity: id,
		profile: profile{Validity: o.Validity, Until: id.Issuer.NotAfter, CRL: o.CRL},
		policy:  Policy{Challenge: o.Challenge, OneTime: o.OTP || o.Challenge == "", Approve: o.Approve, Live: cmp.Or(o.Live, liveLimit)},
		script:  script{words: words},
	}, nil
}

// Close ends the authority's work; what was decided is stored already.
func (c *CA) Close() error { return c.db.Close() }

// Identity implements [enroll.Authority].
func (c *CA) Identity() enroll.Identity { return c.identity.Identity }

// Sibling is an end entity's credential, which a protocol server signs with
// where an RA's is expected, for mischief.
func (c *CA) Sibling() enroll.Credential { return c.identity.sibling }

// Policy is what the authority grants.
func (c *CA) Policy() Policy { return c.policy }

// Misbehave implements [enroll.Authority]. What concerns the certificate itself
// is not handed out here: Decide takes it when it issues one.
func (c *CA) Misbehave(operation string) enroll.Mischief { return c.script.take(false, operation) }

// SetMischief replaces the script of mischief; none ends it.
func (c *CA) SetMischief(words []string) error {
	parsed, err := parseMischief(words)
	if err != nil {
		return err
	}
	c.script.set(parsed)
	return nil
}

// Mischief lists what is left of the script.
func (c *CA) Mischief() []string { return c.script.list() }

// complete fills the defaults in and checks the options.
func (o Options) complete() (Options, error) {
	o.Name = strings.TrimSpace(o.Name)
	if o.Name == "" {
		o.Name = defaultName
	}
	if !strings.Contains(o.Name, "LAB") {
		o.Name += " LAB"
	}
	if o.Issuer == "" {
		o.Issuer = P256
	}
	if o.RA == "" {
		o.RA = RAOne
		if o.Issuer == RSA {
			o.RA = RANone
		}
	}
	if o.Validity == 0 {
		o.Validity = defaultValidity
	}
	return o, o.check()
}

func (o Options) check() error {
	switch {
	case o.Dir == "":
		return newleaf.Errorf(newleaf.CodeUsage, "the authority has no folder").WithHint("Name one with --state.")
	case o.Now == nil:
		return newleaf.Errorf(newleaf.CodeInternal, "the authority has no clock")
	case len(o.Name) > 50 || newleaf.ValidName(o.Name) != nil:
		return newleaf.Errorf(newleaf.CodeInvalid, "the authority's name %q is not 1 to 50 printable characters", o.Name)
	case o.Issuer != P256 && o.Issuer != RSA:
		return newleaf.Errorf(newleaf.CodeInvalid, "there is no issuing key %q", o.Issuer).WithHint("Use p256 or rsa.")
	case o.RA != RAOne && o.RA != RATwo && o.RA != RANone:
		return newleaf.Errorf(newleaf.CodeInvalid, "there is no RA %q", o.RA).WithHint("Use one, two or none.")
	case o.RA == RANone && o.Issuer != RSA:
		return newleaf.Errorf(newleaf.CodeInvalid, "an issuer with a P-256 key cannot do without an RA certificate: SCEP encrypts to RSA keys only").
			WithHint("Use --ra one, or --issuer rsa.")
	case o.Validity < time.Second || o.Validity > lifetime:
		return newleaf.Errorf(newleaf.CodeInvalid, "the validity %s is not between a second and 20 years", o.Validity)
	}
	for _, w := range o.Weak {
		if !slices.Contains([]newleaf.Weak{newleaf.Weak3DES, newleaf.WeakDES, newleaf.WeakSHA1}, newleaf.Weak(w)) {
			return newleaf.Errorf(newleaf.CodeInvalid, "there is no weak algorithm %q", w).WithHint("Use 3des, des or sha1.")
		}
	}
	return nil
}
