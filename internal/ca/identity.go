package ca

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"newleaf"
	"newleaf/internal/enroll"
)

// Kinds of issuing key.
const (
	P256 = "p256"
	RSA  = "rsa"
)

// Numbers of RA certificates.
const (
	RAOne  = "one"  // one RA certificate opens requests and signs answers
	RATwo  = "two"  // one opens, another signs
	RANone = "none" // the RSA issuer does both itself
)

// lifetime of the authority's own certificates; they begin a day back, for
// devices whose clock is late.
const lifetime = 20 * 365 * 24 * time.Hour

const (
	usageSign    = x509.KeyUsageDigitalSignature
	usageEncrypt = x509.KeyUsageKeyEncipherment
	usageIssue   = x509.KeyUsageCertSign | x509.KeyUsageCRLSign
)

// identity is the authority's certificates with the keys that never leave it.
type identity struct {
	enroll.Identity
	issuer  enroll.Credential
	sibling enroll.Credential // an end entity of the issuer, for mischief
}

// identity reads the authority's certificates and keys from its folder, and
// makes what is missing. Which files there are stands in the package comment.
func (o Options) identity(now time.Time) (id identity, err error) {
	read := func(name string, create func() (enroll.Credential, error)) enroll.Credential {
		if err != nil {
			return enroll.Credential{}
		}
		var c enroll.Credential
		c, err = credential(filepath.Join(o.Dir, name+".pem"), create)
		return c
	}
	id.issuer = read("issuer", func() (enroll.Credential, error) { return o.authority(now) })
	if err == nil {
		err = o.suits(id.issuer.Certificate)
	}
	registrar := func(name string, usage x509.KeyUsage) enroll.Credential {
		return read(name, func() (enroll.Credential, error) { return o.registrar(name, usage, id.issuer, now) })
	}
	sign, encrypt := id.issuer, id.issuer
	switch o.RA {
	case RAOne:
		sign = registrar("ra", usageSign|usageEncrypt)
		encrypt = sign
	case RATwo:
		sign, encrypt = registrar("ra-sign", usageSign), registrar("ra-encrypt", usageEncrypt)
	}
	if o.Next || exists(filepath.Join(o.Dir, "next.pem")) { // what was announced stays so
		next := read("next", func() (enroll.Credential, error) { return o.authority(now) })
		id.Next = []*x509.Certificate{next.Certificate}
	}
	id.Foreign = read("foreign", func() (enroll.Credential, error) { return o.stranger(sign.Certificate, now) })
	id.sibling = read("sibling", func() (enroll.Credential, error) { return o.brother(id.issuer, id.Foreign.Key, now) })
	if err != nil {
		return identity{}, err
	}
	decrypter, ok := encrypt.Key.(*rsa.PrivateKey)
	if !ok {
		return identity{}, errors.New("the key that opens requests is not an RSA key")
	}
	id.Issuer, id.Recipient, id.Decrypt = id.issuer.Certificate, encrypt.Certificate, decrypter
	id.Signer, id.Sign, id.Weak = sign.Certificate, sign.Key, append([]string{}, o.Weak...)
	return id, nil
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// suits reports whether an issuer that is there already is the one the options ask for.
func (o Options) suits(issuer *x509.Certificate) error {
	kind := P256
	if issuer.PublicKeyAlgorithm == x509.RSA {
		kind = RSA
	}
	alone := issuer.KeyUsage&usageEncrypt != 0
	what := ""
	switch {
	case kind != o.Issuer:
		what = "an issuing key of kind " + kind
	case issuer.Subject.CommonName != o.Name:
		what = fmt.Sprintf("the name %q", issuer.Subject.CommonName)
	case alone && o.RA != RANone:
		what = "no RA"
	case !alone && o.RA == RANone:
		what = "an RA"
	default:
		return nil
	}
	return newleaf.Errorf(newleaf.CodeConflict, "the authority in %s was made with %s", o.Dir, what).
		WithHint("Start it as it was made, or name an empty folder with --state.")
}

// authority makes a self-signed issuer. The one that follows at a rollover has
// the same name and another key (RFC 8894, 4.7).
func (o Options) authority(now time.Time) (enroll.Credential, error) {
	key, err := o.issuerKey()
	if err != nil {
		return enroll.Credential{}, err
	}
	t := o.own(o.Name, now)
	t.IsCA, t.MaxPathLenZero, t.KeyUsage = true, true, usageIssue
	if o.RA == RANone {
		t.KeyUsage |= usageSign | usageEncrypt
	}
	return sealed(t, t, key, key)
}

func (o Options) issuerKey() (crypto.Signer, error) {
	if o.Issuer == RSA {
		return rsa.GenerateKey(rand.Reader, 2048)
	}
	return ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
}

// registrar makes an RA certificate (RFC 6402, 2.10).
func (o Options) registrar(name string, usage x509.KeyUsage, issuer enroll.Credential, now time.Time) (enroll.Credential, error) {
	t := o.own(o.Name+" "+strings.Replace(name, "ra", "RA", 1), now)
	t.NotAfter = earlier(t.NotAfter, issuer.Certificate.NotAfter)
	t.KeyUsage, t.UnknownExtKeyUsage = usage, []asn1.ObjectIdentifier{oidCMCRA}
	return withRSA(t, issuer)
}

// stranger makes a credential that looks like the signer but comes from another
// authority of the same name.
func (o Options) stranger(signer *x509.Certificate, now time.Time) (enroll.Credential, error) {
	root, err := o.authority(now)
	if err != nil {
		return enroll.Credential{}, err
	}
	t := o.own(signer.Subject.CommonName, now)
	t.KeyUsage, t.UnknownExtKeyUsage = usageSign|usageEncrypt, []asn1.ObjectIdentifier{oidCMCRA}
	return withRSA(t, root)
}

// brother makes an end-entity certificate of the issuer, of no more standing
// than any device's. It shares the stranger's key, as making one takes long.
func (o Options) brother(issuer enroll.Credential, key crypto.Signer, now time.Time) (enroll.Credential, error) {
	t := o.own("LAB sibling", now)
	t.NotAfter = earlier(t.NotAfter, issuer.Certificate.NotAfter)
	t.KeyUsage, t.ExtKeyUsage = usageSign|usageEncrypt, []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}
	return sealed(t, issuer.Certificate, key, issuer.Key)
}

// own is what the authority's own certificates have in common.
func (o Options) own(name string, now time.Time) *x509.Certificate {
	begin := now.Add(-24 * time.Hour)
	return &x509.Certificate{
		SerialNumber: newSerial(), Subject: pkix.Name{CommonName: name},
		NotBefore: begin, NotAfter: begin.Add(lifetime), BasicConstraintsValid: true,
	}
}

// withRSA makes an RSA key and its certificate of template t.
func withRSA(t *x509.Certificate, issuer enroll.Credential) (enroll.Credential, error) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return enroll.Credential{}, err
	}
	return sealed(t, issuer.Certificate, key, issuer.Key)
}

// sealed signs template t for key under the issuer's key; the issuer of a
// self-signed certificate is t itself.
func sealed(t, issuer *x509.Certificate, key, signing crypto.Signer) (enroll.Credential, error) {
	spki, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		return enroll.Credential{}, err
	}
	if t.SubjectKeyId, err = keyIdentifier(spki); err != nil {
		return enroll.Credential{}, err
	}
	t.PublicKey = key.Public()
	certificate, err := sign(t, issuer, signing)
	return enroll.Credential{Certificate: certificate, Key: key}, err
}

// sign makes the certificate of template t.
func sign(t, issuer *x509.Certificate, key crypto.Signer) (*x509.Certificate, error) {
	der, err := x509.CreateCertificate(rand.Reader, t, issuer, t.PublicKey, key)
	if err != nil {
		return nil, fmt.Errorf("signing the certificate: %w", err)
	}
	return x509.ParseCertificate(der)
}
