package newleaf

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"slices"
	"time"
)

// ID identifies a certificate: the lower-case hex SHA-256 of its DER. It does
// not change with the name (DM-26).
type ID string

// IDOf is the ID of a DER certificate.
func IDOf(der []byte) ID {
	sum := sha256.Sum256(der)
	return ID(hex.EncodeToString(sum[:]))
}

// Short is the first eight digits, for people.
func (id ID) Short() string { return string(id[:min(8, len(id))]) }

// Origin says how a certificate came into the store (DM-28). It never changes.
type Origin string

const (
	Factory   Origin = "factory"   // provisioned before shipment
	Generated Origin = "generated" // made by the device itself
	Enrolled  Origin = "enrolled"  // issued by an authority on request
	Imported  Origin = "imported"  // brought by a person
	Unknown   Origin = "unknown"   // its record cannot be read
)

// Certificate is one entry of the store: key pair, chain and provenance, added
// and deleted as a whole. The private key is never in the struct.
type Certificate struct {
	ID         ID
	Name       string // assigned by the operator, unique, 1 to 64 characters (DM-01..03)
	DER        []byte
	Chain      [][]byte // intermediates, leaf's issuer first; they belong to the leaf (AMB-29)
	KeyID      string   // SHA-256 of the SubjectPublicKeyInfo; equal for shared keys (DLS-32)
	Exportable bool     // fixed when the key was made
	Origin     Origin
	Pinned     bool
	Damaged    bool  // the row cannot be read; never deleted automatically (F5A-G1)
	State      State // where a walk has it; StateHeld otherwise
	Size       int64 // bytes it takes of the quota: key, certificate, chain, metadata (DLS-28)

	Added       time.Time
	Updated     time.Time // last successful update, the anchor of the cycle methods (TIM-13)
	Predecessor ID        // which certificate it replaced (DM-32)
	Connection  string    // issued through; "" for other origins
	Verified    bool      // its issuer was verified when it was acquired (DLS-41)
	Request     *Request  // the template of its next update; nil: cannot be updated unattended

	Parsed // read from DER; zero when damaged
}

// State says where a walk has a certificate (DM-33).
type State string

const (
	StateHeld     State = ""         // an ordinary entry
	StatePending  State = "pending"  // kept by a walk that is not through; untouchable (AMB-38)
	StateRejected State = "rejected" // its proof failed; waits in the staging slot to be proven again
)

// Parsed is what can be read from the certificate itself.
type Parsed struct {
	Subject, Issuer     string // RFC 4514
	NotBefore, NotAfter time.Time
	KeyAlgorithm        string // RSA, ECDSA, Ed25519
	KeyBits             int
	Serial              string // lower-case hex, leading zeros kept
	SHA1, SHA256        string // thumbprints, lower-case hex
	SAN                 []string
	EKU                 []string // dotted object identifiers; empty means any
	SelfVerified        bool     // verifies under its own key
	IsCA                bool
}

// Parse reads a DER certificate.
func Parse(der []byte) (Parsed, error) {
	c, err := x509.ParseCertificate(der)
	if err != nil {
		return Parsed{}, Errorf(CodeInvalid, "the certificate cannot be read: %w", err)
	}
	thumb1 := sha1.Sum(der)
	p := Parsed{
		Subject: FormatDN(c.RawSubject), Issuer: FormatDN(c.RawIssuer),
		NotBefore: c.NotBefore.UTC(), NotAfter: c.NotAfter.UTC(),
		Serial: serialHex(c.SerialNumber.Bytes()),
		SHA1:   hex.EncodeToString(thumb1[:]), SHA256: string(IDOf(der)),
		SAN: sanStrings(c), EKU: ekuStrings(c),
		SelfVerified: bytes.Equal(c.RawSubject, c.RawIssuer) && signedBySelf(c),
		IsCA:         c.IsCA && c.BasicConstraintsValid,
	}
	p.KeyAlgorithm, p.KeyBits = keyKind(c.PublicKey)
	return p, nil
}

// SelfSigned reports a self-certificate (AMB-06): it verifies under its own key
// and the device (or its factory) made it.
func (c *Certificate) SelfSigned() bool {
	return c.SelfVerified && (c.Origin == Generated || c.Origin == Factory)
}

// Lifetime is notAfter - notBefore.
func (p Parsed) Lifetime() time.Duration { return p.NotAfter.Sub(p.NotBefore) }

// Expired reports now > notAfter; at notAfter it is still valid (TIM-42).
func (p Parsed) Expired(now time.Time) bool { return now.After(p.NotAfter) }

// Fits reports whether the extended key usage allows a purpose of this kind.
func (p Parsed) Fits(k Kind) bool {
	if len(p.EKU) == 0 || len(k.EKU) == 0 {
		return true
	}
	return slices.ContainsFunc(p.EKU, func(oid string) bool { return oid == EKUAny || slices.Contains(k.EKU, oid) })
}

// signedBySelf verifies the signature without asking whether the certificate is
// a CA, as a device's own certificate is none.
func signedBySelf(c *x509.Certificate) bool {
	return c.CheckSignature(c.SignatureAlgorithm, c.RawTBSCertificate, c.Signature) == nil
}

func serialHex(b []byte) string {
	if len(b) == 0 {
		return "00"
	}
	return hex.EncodeToString(b)
}

func sanStrings(c *x509.Certificate) []string {
	out := []string{}
	for _, n := range c.DNSNames {
		out = append(out, "dns:"+n)
	}
	for _, ip := range c.IPAddresses {
		out = append(out, "ip:"+ip.String())
	}
	for _, m := range c.EmailAddresses {
		out = append(out, "email:"+m)
	}
	for _, u := range c.URIs {
		out = append(out, "uri:"+u.String())
	}
	return out
}

func ekuStrings(c *x509.Certificate) []string {
	out := []string{}
	for _, u := range c.ExtKeyUsage {
		out = append(out, u.OID().String())
	}
	for _, oid := range c.UnknownExtKeyUsage {
		out = append(out, oid.String())
	}
	return out
}

func keyKind(pub any) (algorithm string, bits int) {
	switch k := pub.(type) {
	case *rsa.PublicKey:
		return "RSA", k.N.BitLen()
	case *ecdsa.PublicKey:
		return "ECDSA", k.Curve.Params().BitSize
	case ed25519.PublicKey:
		return "Ed25519", 256
	}
	return "unknown", 0
}
