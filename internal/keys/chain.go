package keys

import (
	"bytes"
	"crypto"
	"crypto/x509"
	"slices"
)

// maxFile bounds what is read as PEM or PKCS #12, in bytes.
const maxFile = 1 << 20

// matching picks the certificate of key as leaf and puts the others in the
// order of issue, those that lead nowhere last. ErrMismatch, ErrNoCertificate.
func matching(key crypto.Signer, certs []*x509.Certificate) (leaf *x509.Certificate, chain []*x509.Certificate, err error) {
	if len(certs) == 0 {
		return nil, nil, ErrNoCertificate
	}
	pub, ok := key.Public().(interface{ Equal(crypto.PublicKey) bool })
	i := slices.IndexFunc(certs, func(c *x509.Certificate) bool { return ok && pub.Equal(c.PublicKey) })
	if i < 0 {
		return nil, nil, ErrMismatch
	}
	leaf = certs[i]
	rest := slices.DeleteFunc(slices.Clone(certs), leaf.Equal)
	for last := leaf; !bytes.Equal(last.RawIssuer, last.RawSubject); {
		i := slices.IndexFunc(rest, func(c *x509.Certificate) bool { return issued(c, last) })
		if i < 0 {
			break
		}
		last = rest[i]
		chain = append(chain, last)
		rest = slices.Delete(rest, i, i+1)
	}
	return leaf, append(chain, rest...), nil
}

// issued goes by names and, where both have them, key identifiers; whether the
// signature holds is a question for those who trust the chain.
func issued(issuer, c *x509.Certificate) bool {
	named := bytes.Equal(issuer.RawSubject, c.RawIssuer)
	identified := len(issuer.SubjectKeyId) == 0 || len(c.AuthorityKeyId) == 0 || bytes.Equal(issuer.SubjectKeyId, c.AuthorityKeyId)
	return named && identified
}
