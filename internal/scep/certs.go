package scep

import (
	"bytes"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"slices"

	"newleaf"
	"newleaf/internal/cms"
)

// maxCerts bounds the certificates of one answer, and with it the work to
// judge them.
const maxCerts = 16

// readCerts reads the answer to GetCACert or GetNextCACert by its content, as Content-Type lies: a
// DER certificate (VAR-28), a certs-only message (VAR-29), or either in PEM (VAR-30).
func readCerts(operation string, body []byte) ([]*x509.Certificate, error) {
	if len(bytes.TrimSpace(body)) == 0 {
		return nil, newleaf.Errorf(newleaf.CodeBadAnswer, "the answer to %s is empty", operation)
	}
	certs, err := parseCerts(body)
	switch {
	case err != nil:
		return nil, newleaf.Errorf(newleaf.CodeBadAnswer, "the answer to %s is neither a certificate nor a certs-only message%s: %w", operation, saying(body), err)
	case len(certs) == 0:
		return nil, newleaf.Errorf(newleaf.CodeBadAnswer, "the answer to %s holds no certificate", operation)
	}
	return certs, bounded(certs)
}

// bounded refuses what would take too much work to judge: many certificates, or
// one with an enormous key.
func bounded(certs []*x509.Certificate) error {
	if len(certs) > maxCerts {
		return newleaf.Errorf(newleaf.CodeBadAnswer, "the answer holds %d certificates, more than %d", len(certs), maxCerts)
	}
	for _, c := range certs {
		if k, ok := c.PublicKey.(*rsa.PublicKey); ok && k.N.BitLen() > cms.MaxRSA {
			return newleaf.Errorf(newleaf.CodeBadAnswer, "the certificate %q has a key of %d bits, more than %d", newleaf.FormatDN(c.RawSubject), k.N.BitLen(), cms.MaxRSA)
		}
	}
	return nil
}

func parseCerts(body []byte) ([]*x509.Certificate, error) {
	if bytes.Contains(body, []byte("-----BEGIN ")) {
		return parsePEM(body)
	}
	if c, err := x509.ParseCertificate(body); err == nil {
		return []*x509.Certificate{c}, nil
	}
	signed, err := cms.ParseSigned(body)
	if err != nil {
		return nil, err
	}
	return signed.Certificates, nil
}

func parsePEM(body []byte) ([]*x509.Certificate, error) {
	var certs []*x509.Certificate
	for len(certs) <= maxCerts {
		block, rest := pem.Decode(body)
		if block == nil {
			break
		}
		found, err := parseCerts(block.Bytes)
		if err != nil {
			return nil, err
		}
		certs, body = append(certs, found...), rest
	}
	return certs, nil
}

// withCA is [readCerts] where one of the certificates has to be able to become
// an anchor. A self-issued one of version 1 or 2 cannot say that it is a CA's.
func withCA(operation string, body []byte) ([]*x509.Certificate, error) {
	certs, err := readCerts(operation, body)
	if err != nil {
		return nil, err
	}
	if !slices.ContainsFunc(certs, func(c *x509.Certificate) bool {
		return c.IsCA && c.BasicConstraintsValid || c.Version < 3 && bytes.Equal(c.RawSubject, c.RawIssuer)
	}) {
		return nil, newleaf.Errorf(newleaf.CodeBadAnswer, "the answer to %s holds no CA certificate, only %q", operation, newleaf.FormatDN(certs[0].RawSubject)).
			WithHint("Check the URL and the CA identifier with the authority's administrator.")
	}
	return certs, nil
}
