package enroll

import (
	"crypto"
	"crypto/x509"
	"slices"
	"time"

	"newleaf"
)

// Wanted is what an issued certificate is checked against.
type Wanted struct {
	Public   crypto.PublicKey
	Purposes []newleaf.Purpose
	Kinds    newleaf.Kinds
	Trust    Trust
	Verify   bool                  // 1304; off skips the chain only (AMB-39)
	Held     func(newleaf.ID) bool // is this very certificate in the store already?
	Now      time.Time
	Clock    bool      // the clock is believable: judge the validity
	Floor    time.Time // no earlier time can be right; judged even by a doubtful clock
	Ends     time.Time // of the certificate that is replaced, zero for none
}

// Accepted is a certificate that passed the checks.
type Accepted struct {
	Leaf     *x509.Certificate
	Chain    []*x509.Certificate // leaf's issuer first, without the self-signed root
	Verified bool                // chains to a confirmed anchor
}

// Check finds the certificate for our key among those received and checks it
// (F8-G5, F8-G6, F8-G13). Nothing of an answer is kept before it passes.
func Check(received []*x509.Certificate, w Wanted) (Accepted, error) {
	leaf, err := ours(received, w.Public)
	if err != nil {
		return Accepted{}, err
	}
	if w.Held != nil && w.Held(newleaf.IDOf(leaf.Raw)) {
		return Accepted{}, newleaf.Errorf(newleaf.CodeOldCert, "the authority sent a certificate that is in the store already (serial %x)", leaf.SerialNumber)
	}
	a := Accepted{Leaf: leaf}
	rest := slices.DeleteFunc(slices.Clone(received), func(c *x509.Certificate) bool { return c.Equal(leaf) })
	a.Chain, err = chain(leaf, rest, w.Trust)
	a.Verified = err == nil
	if err != nil && w.Verify {
		return Accepted{}, err
	}
	if leaf.IsCA && leaf.BasicConstraintsValid {
		return Accepted{}, newleaf.Errorf(newleaf.CodeUnfit, "the certificate is a CA certificate")
	}
	if !w.Clock && (leaf.NotAfter.Before(w.Floor) || leaf.NotAfter.Before(w.Ends)) {
		return Accepted{}, newleaf.Errorf(newleaf.CodeUnfit, "the certificate ends on %s, and with the clock in doubt it may have expired", stamp(leaf.NotAfter)).
			WithHint("Set the device's clock; a certificate that outlives the present one would be taken.")
	}
	if w.Clock {
		if w.Now.After(leaf.NotAfter) {
			return Accepted{}, newleaf.Errorf(newleaf.CodeUnfit, "the certificate expired on %s already", stamp(leaf.NotAfter))
		}
		if w.Now.Before(leaf.NotBefore) {
			return Accepted{}, newleaf.Errorf(newleaf.CodeUnfit, "the certificate is not valid before %s", stamp(leaf.NotBefore)).
				WithHint("Compare the clocks of the device and the authority.")
		}
	}
	if !leaf.NotAfter.After(leaf.NotBefore) {
		return Accepted{}, newleaf.Errorf(newleaf.CodeUnfit, "the certificate's validity ends before it begins")
	}
	if err := fits(leaf, w); err != nil {
		return Accepted{}, err
	}
	return a, nil
}

func ours(received []*x509.Certificate, public crypto.PublicKey) (*x509.Certificate, error) {
	want, ok := public.(interface{ Equal(crypto.PublicKey) bool })
	if !ok {
		return nil, newleaf.Errorf(newleaf.CodeInternal, "a %T cannot be compared", public)
	}
	if len(received) == 0 {
		return nil, newleaf.Errorf(newleaf.CodeBadAnswer, "the answer holds no certificate")
	}
	for _, c := range received {
		if want.Equal(c.PublicKey) {
			return c, nil
		}
	}
	return nil, newleaf.Errorf(newleaf.CodeForeignKey, "none of the %d certificates in the answer is for the key that was requested", len(received))
}

// chain links leaf to a confirmed anchor, which may be an intermediate. Only
// signatures and CA flags count here: validity is judged apart, as the clock
// may be wrong.
func chain(leaf *x509.Certificate, received []*x509.Certificate, t Trust) ([]*x509.Certificate, error) {
	pool := append(slices.Clone(t.Chain), received...)
	var links []*x509.Certificate
	at := leaf
	for range 8 {
		if a := issuerOf(at, t.Anchors); a != nil {
			if selfIssued(a) {
				return links, nil
			}
			return append(links, a), nil
		}
		next := issuerOf(at, pool)
		if next == nil || selfIssued(next) || slices.Contains(links, next) {
			break
		}
		links = append(links, next)
		at = next
	}
	return nil, newleaf.Errorf(newleaf.CodeUntrusted, "the certificate's issuer %q does not lead to a confirmed CA certificate", newleaf.FormatDN(leaf.RawIssuer))
}

func issuerOf(c *x509.Certificate, among []*x509.Certificate) *x509.Certificate {
	for _, a := range among {
		if string(a.RawSubject) == string(c.RawIssuer) && c.CheckSignatureFrom(a) == nil {
			return a
		}
	}
	return nil
}

func selfIssued(c *x509.Certificate) bool { return string(c.RawSubject) == string(c.RawIssuer) }

func fits(leaf *x509.Certificate, w Wanted) error {
	p, err := newleaf.Parse(leaf.Raw)
	if err != nil {
		return err
	}
	for _, purpose := range w.Purposes {
		if kind, ok := w.Kinds.Find(purpose); ok && !p.Fits(kind) {
			return newleaf.Errorf(newleaf.CodeUnfit, "the certificate's extended key usage does not allow %s", w.Kinds.Label(purpose))
		}
	}
	return nil
}

func stamp(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05 UTC") }
