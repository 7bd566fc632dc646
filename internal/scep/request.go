package scep

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"math/big"
	"net/netip"
	"strings"
	"time"

	"newleaf"
	"newleaf/internal/cms"
	"newleaf/internal/enroll"
)

// signing is what signs requests and opens their answers.
type signing struct {
	certificate *x509.Certificate
	key         crypto.Signer
	decrypter   crypto.Decrypter
}

// signerOf returns what signs r: a throw-away certificate over the new key, or
// the present one.
func signerOf(r enroll.Request, now time.Time) (signing, error) {
	switch r.Method {
	case enroll.ByChallenge:
		return selfSigned(r, now)
	case enroll.ByRenewal, enroll.BySignature:
		return presentOf(r)
	}
	return signing{}, newleaf.Errorf(newleaf.CodeInternal, "there is no method %q", r.Method)
}

func presentOf(r enroll.Request) (signing, error) {
	if r.Present == nil || r.Present.Certificate == nil || r.Present.Key == nil {
		return signing{}, newleaf.Errorf(newleaf.CodeInvalid, "a renewal needs the present certificate and its key")
	}
	decrypter, err := opener(r.Present.Key)
	return signing{r.Present.Certificate, r.Present.Key, decrypter}, err
}

func selfSigned(r enroll.Request, now time.Time) (signing, error) {
	decrypter, err := opener(r.Key)
	if err != nil {
		return signing{}, err
	}
	certificate, err := throwaway(r, now)
	return signing{certificate, r.Key, decrypter}, err
}

// opener is key as what opens answers, which takes RSA (RFC 8894, 2.2).
func opener(key crypto.Signer) (crypto.Decrypter, error) {
	if decrypter, ok := key.(crypto.Decrypter); ok {
		if _, ok := key.Public().(*rsa.PublicKey); ok {
			return decrypter, nil
		}
	}
	return nil, newleaf.Errorf(newleaf.CodeInvalid, "SCEP needs an RSA key to sign a request and to open its answer, not a %T", key).
		WithHint("Choose an RSA key.")
}

// lifetime of a throw-away certificate: long enough for an authority that
// looks at it again when a person decides after weeks.
const lifetime = 30 * 24 * time.Hour

// throwaway is the self-signed certificate of a first request, with its subject
// and key (RFC 8894, 2.3; Q17). Its serial number follows from the key, so that
// an answer to the same request after a restart is still addressed to it.
func throwaway(r enroll.Request, now time.Time) (*x509.Certificate, error) {
	serial, err := keySerial(r.Key.Public())
	if err != nil {
		return nil, err
	}
	template := &x509.Certificate{
		SerialNumber: serial,
		RawSubject:   r.Subject,
		NotBefore:    now.Add(-time.Hour),
		NotAfter:     now.Add(lifetime),
		KeyUsage:     x509.KeyUsageDigitalSignature | x509.KeyUsageKeyEncipherment,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, r.Key.Public(), r.Key)
	if err != nil {
		return nil, newleaf.Errorf(newleaf.CodeInternal, "making the request's self-signed certificate: %w", err)
	}
	certificate, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, newleaf.Errorf(newleaf.CodeInternal, "reading the request's self-signed certificate: %w", err)
	}
	return certificate, nil
}

func keySerial(public crypto.PublicKey) (*big.Int, error) {
	spki, err := x509.MarshalPKIXPublicKey(public)
	if err != nil {
		return nil, newleaf.Errorf(newleaf.CodeInvalid, "encoding the public key: %w", err)
	}
	sum := sha256.Sum256(spki)
	sum[0] = sum[0]&0x3f | 0x40 // positive, and not zero
	return new(big.Int).SetBytes(sum[:16]), nil
}

// pkcs10 is the PKCS #10 of r.
func pkcs10(r enroll.Request) ([]byte, error) {
	request := &cms.CertificateRequest{RawSubject: r.Subject, Challenge: r.Challenge}
	if len(r.SAN) > 0 {
		extension, err := alternativeNames(r.SAN, emptyName(r.Subject))
		if err != nil {
			return nil, err
		}
		request.Extensions = []pkix.Extension{extension}
	}
	der, err := cms.CreateRequest(request, r.Key)
	if err != nil {
		return nil, newleaf.Errorf(newleaf.CodeInvalid, "making the certificate request: %w", err)
	}
	return der, nil
}

// emptyName reports a name without components, beside which the alternative
// names are critical (RFC 5280, 4.2.1.6).
func emptyName(der []byte) bool { return len(der) <= 2 }

var oidSubjectAltName = asn1.ObjectIdentifier{2, 5, 29, 17}

// alternativeNames encodes the SAN of a newleaf.Request.
func alternativeNames(san []string, critical bool) (pkix.Extension, error) {
	const email, dns, ip = 1, 2, 7 // GeneralName's tags (RFC 5280, 4.2.1.6)
	var names []asn1.RawValue
	for _, s := range san {
		kind, value, _ := strings.Cut(s, ":")
		name := asn1.RawValue{Class: asn1.ClassContextSpecific, Bytes: []byte(value)}
		switch kind {
		case "dns":
			name.Tag = dns
		case "email":
			name.Tag = email
		case "ip":
			address, err := netip.ParseAddr(value)
			if err != nil {
				return pkix.Extension{}, newleaf.Errorf(newleaf.CodeInvalid, "the alternative name %q is no IP address", s)
			}
			name.Tag, name.Bytes = ip, address.Unmap().AsSlice()
		default:
			return pkix.Extension{}, newleaf.Errorf(newleaf.CodeInvalid, "the alternative name %q is of no known kind", s)
		}
		names = append(names, name)
	}
	der, err := asn1.Marshal(names)
	if err != nil {
		return pkix.Extension{}, newleaf.Errorf(newleaf.CodeInvalid, "encoding the alternative names: %w", err)
	}
	return pkix.Extension{Id: oidSubjectAltName, Critical: critical, Value: der}, nil
}
