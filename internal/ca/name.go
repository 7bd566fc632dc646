package ca

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/hex"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"newleaf"
)

var oidSAN = asn1.ObjectIdentifier{2, 5, 29, 17}

// subjectOf writes a DER name so that equal subjects give equal strings: in the
// conventional order where the attributes are known, whatever order and string
// type a client chose.
func subjectOf(raw []byte) string {
	text := newleaf.FormatDN(raw)
	if der, err := newleaf.MarshalSubject(text); err == nil {
		return newleaf.FormatDN(der)
	}
	return text
}

// extension returns the extension with an object identifier, nil where there is none.
func extension(all []pkix.Extension, oid asn1.ObjectIdentifier) *pkix.Extension {
	i := slices.IndexFunc(all, func(e pkix.Extension) bool { return e.Id.Equal(oid) })
	if i < 0 {
		return nil
	}
	return &all[i]
}

// alternatives lists the subject alternative names among the extensions of a
// request or a certificate, sorted, written as newleaf.Request has them. Kinds
// it has no word for are written in hex, so that equal lists mean equal names.
func alternatives(extensions []pkix.Extension) ([]string, error) {
	e := extension(extensions, oidSAN)
	if e == nil {
		return []string{}, nil
	}
	var names []asn1.RawValue
	if rest, err := asn1.Unmarshal(e.Value, &names); err != nil || len(rest) > 0 {
		return nil, fmt.Errorf("the alternative names cannot be read: %w", err)
	}
	out := []string{}
	for _, n := range names {
		out = append(out, generalName(n))
	}
	slices.Sort(out)
	return slices.Compact(out), nil
}

// generalName writes one GeneralName (RFC 5280, 4.2.1.6).
func generalName(n asn1.RawValue) string {
	switch n.Tag {
	case 1:
		return "email:" + string(n.Bytes)
	case 2:
		return "dns:" + strings.ToLower(string(n.Bytes))
	case 6:
		return "uri:" + string(n.Bytes)
	case 7:
		if ip, ok := netip.AddrFromSlice(n.Bytes); ok {
			return "ip:" + ip.String()
		}
	}
	return "other:" + hex.EncodeToString(n.FullBytes)
}

// keyOf identifies the public key of a certificate.
func keyOf(c *x509.Certificate) []byte { return keySum(c.RawSubjectPublicKeyInfo) }

func keySum(spki []byte) []byte {
	sum := sha256.Sum256(spki)
	return sum[:]
}

// keyKind names the algorithm and size of a public key as newleaf.Parsed does.
func keyKind(public any) (algorithm string, bits int) {
	switch k := public.(type) {
	case *rsa.PublicKey:
		return "RSA", k.N.BitLen()
	case *ecdsa.PublicKey:
		return "ECDSA", k.Curve.Params().BitSize
	case ed25519.PublicKey:
		return "Ed25519", 256
	}
	return "unknown", 0
}
