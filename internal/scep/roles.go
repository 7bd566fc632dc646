package scep

import (
	"bytes"
	"crypto/rsa"
	"crypto/x509"
	"encoding/asn1"
	"slices"

	"newleaf"
	"newleaf/internal/enroll"
)

// Extended key usages of a registration authority.
var (
	oidCMCRA        = asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 3, 28}      // id-kp-cmcRA (RFC 6402)
	oidRequestAgent = asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 311, 20, 2, 1} // Microsoft Certificate Request Agent
)

// standing is what a certificate is to us under a trust.
type standing int

const (
	stranger standing = iota // does not lead to an anchor
	unfit                    // leads to one, but is neither a CA's nor an RA's
	isRA
	isCA
)

// Roles tells apart what the authority's present certificates are for (F7-G5,
// Q6, Q23): recipient is the one to encrypt a request to, signers are those
// that may sign an answer. trust decides, nothing in certs does: a CA
// certificate has to lead to an anchor; another one has to lead to an anchor
// and be marked as an RA's, or be confirmed by its thumbprint. One that is
// neither stops everything with [newleaf.CodeRAChanged].
//
// An RA goes before a CA, a newer certificate before an older one. Validity is
// not asked for, as the clock may be wrong.
func Roles(certs []*x509.Certificate, trust enroll.Trust) (recipient *x509.Certificate, signers []*x509.Certificate, err error) {
	a, err := admit(certs, trust)
	if err != nil {
		return nil, nil, err
	}
	recipient, err = a.recipient()
	return recipient, a.signers(), err
}

// authority is the certificates of an authority, judged.
type authority struct {
	trust     enroll.Trust
	certs     []*x509.Certificate // as the authority sent them
	known     []*x509.Certificate // certs, then those of trust
	standings []standing          // of known
}

// admit refuses an authority that is not the confirmed one. A CA certificate
// that leads nowhere is harmless: it is never used.
func admit(certs []*x509.Certificate, trust enroll.Trust) (authority, error) {
	a := authority{trust: trust, certs: distinct(certs), known: distinct(certs, trust.Chain, trust.Anchors)}
	if len(trust.Anchors) == 0 {
		return a, newleaf.Errorf(newleaf.CodeNoAnchor, "no CA certificate is confirmed for this authority")
	}
	for _, c := range a.known {
		a.standings = append(a.standings, a.judge(c))
	}
	var strange *x509.Certificate
	led := false
	for i, c := range a.certs {
		switch s := a.standings[i]; {
		case s == unfit:
			return a, strangeRA(c)
		case s == stranger && !c.IsCA:
			strange = c
		case s != stranger:
			led = true
		}
	}
	switch {
	case !led:
		return a, newleaf.Errorf(newleaf.CodeUntrusted, "no certificate the authority sent leads to the confirmed CA certificate").
			WithHint("The authority may have a new CA: fetch its certificate, compare the thumbprint and confirm it.")
	case strange != nil:
		return a, strangeRA(strange)
	}
	return a, nil
}

// signers are those that may sign for the authority.
func (a authority) signers() []*x509.Certificate {
	var list []*x509.Certificate
	for i, c := range a.known {
		if maySign(c, a.standings[i]) {
			list = append(list, c)
		}
	}
	return list
}

func maySign(c *x509.Certificate, s standing) bool {
	return s == isCA || s == isRA && mayUse(c, x509.KeyUsageDigitalSignature|x509.KeyUsageContentCommitment)
}

// recipient is the best of the authority's certificates to encrypt to.
func (a authority) recipient() (*x509.Certificate, error) {
	var found *x509.Certificate
	best := 0
	for i, c := range a.certs {
		r := rank(c, a.standings[i], a.certs)
		if r > best || r > 0 && r == best && c.NotBefore.After(found.NotBefore) {
			found, best = c, r
		}
	}
	if found == nil {
		return nil, newleaf.Errorf(newleaf.CodeBadAnswer, "no certificate the authority sent can receive a request: that takes an RSA key and the key usage keyEncipherment").
			WithHint("An authority with an elliptic-curve key needs an RA certificate with an RSA key.")
	}
	return found, nil
}

func strangeRA(c *x509.Certificate) *newleaf.Error {
	return newleaf.Errorf(newleaf.CodeRAChanged, "the certificate %q (SHA-256 %s) is neither marked as a registration authority's under the confirmed CA nor confirmed itself",
		newleaf.FormatDN(c.RawSubject), newleaf.IDOf(c.Raw))
}

// rank says how well c suits as a recipient; 0 is not at all.
func rank(c *x509.Certificate, s standing, certs []*x509.Certificate) int {
	_, rsaKey := c.PublicKey.(*rsa.PublicKey)
	enciphers := mayUse(c, x509.KeyUsageKeyEncipherment)
	switch {
	case !rsaKey || s < isRA || s == isRA && !enciphers:
		return 0
	case s == isRA:
		return 4
	case enciphers && !issues(c, certs):
		return 3
	case enciphers:
		return 2
	}
	return 1 // a CA whose key usage forgot SCEP; it alone can be meant
}

// issues reports whether c issued a CA certificate among certs, so that a
// subordinate is the one that answers.
func issues(c *x509.Certificate, certs []*x509.Certificate) bool {
	return slices.ContainsFunc(certs, func(o *x509.Certificate) bool {
		return o.IsCA && !o.Equal(c) && bytes.Equal(o.RawIssuer, c.RawSubject)
	})
}

// mayUse reports whether c's key usage has one of the bits; none given is all (RFC 5280, 4.2.1.3).
func mayUse(c *x509.Certificate, bits x509.KeyUsage) bool {
	return c.KeyUsage == 0 || c.KeyUsage&bits != 0
}

// judge says what c is under the authority's trust.
func (a authority) judge(c *x509.Certificate) standing {
	if contains(a.trust.Anchors, c) {
		return isCA
	}
	leads := leadsToAnchor(c, a.known, a.trust.Anchors)
	marked := slices.ContainsFunc(c.UnknownExtKeyUsage, func(o asn1.ObjectIdentifier) bool {
		return o.Equal(oidCMCRA) || o.Equal(oidRequestAgent)
	})
	switch {
	case leads && c.IsCA && c.BasicConstraintsValid:
		return isCA
	case leads && marked, !c.IsCA && slices.Contains(a.trust.RAs, newleaf.IDOf(c.Raw)):
		return isRA
	case leads:
		return unfit
	}
	return stranger
}

// maxPath bounds the chains that are followed.
const maxPath = 8

// leadsToAnchor follows signatures, CA flags and path lengths from c to an
// anchor, which may be an intermediate (Q12).
func leadsToAnchor(c *x509.Certificate, known, anchors []*x509.Certificate) bool {
	below := 0 // CA certificates that the next issuer's path length has to allow
	for range maxPath {
		self := bytes.Equal(c.RawSubject, c.RawIssuer)
		if c.IsCA && !self {
			below++
		}
		if issuerOf(c, anchors, below) != nil {
			return true
		}
		next := issuerOf(c, known, below)
		if next == nil || next.Equal(c) {
			return false
		}
		c = next
	}
	return false
}

func issuerOf(c *x509.Certificate, among []*x509.Certificate, below int) *x509.Certificate {
	for _, a := range among {
		limited := a.BasicConstraintsValid && (a.MaxPathLen > 0 || a.MaxPathLenZero)
		if limited && below > a.MaxPathLen || !bytes.Equal(a.RawSubject, c.RawIssuer) {
			continue
		}
		if c.CheckSignatureFrom(a) == nil {
			return a
		}
	}
	return nil
}

func contains(list []*x509.Certificate, c *x509.Certificate) bool {
	return slices.ContainsFunc(list, c.Equal)
}

func distinct(lists ...[]*x509.Certificate) []*x509.Certificate {
	var all []*x509.Certificate
	for _, c := range slices.Concat(lists...) {
		if !contains(all, c) {
			all = append(all, c)
		}
	}
	return all
}
