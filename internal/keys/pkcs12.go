package keys

import (
	"crypto"
	"crypto/x509"
	"encoding/asn1"
	"errors"
	"fmt"

	"software.sslmate.com/src/go-pkcs12"
)

const (
	// maxIterations bounds the work that a file can ask of the key derivation.
	maxIterations = 2_000_000
	// exportIterations is what EncodePKCS12 asks of whoever guesses the passphrase.
	exportIterations = 100_000
)

// DecodePKCS12 reads a PKCS #12 file (RFC 7292) with one private key: the
// certificate of that key and the others in order of issue. Errors:
// ErrPassphrase, ErrMismatch, ErrNoKey, ErrNoCertificate, ErrKeyType, ErrFormat.
func DecodePKCS12(der, pass []byte) (key crypto.Signer, leaf *x509.Certificate, chain []*x509.Certificate, err error) {
	switch {
	case len(der) > maxFile:
		return nil, nil, nil, fmt.Errorf("%w: it has more than %d bytes", ErrFormat, maxFile)
	case costly(der, 0):
		return nil, nil, nil, fmt.Errorf("%w: it asks for more than %d iterations of the key derivation", ErrFormat, maxIterations)
	}
	parsed, first, others, err := pkcs12.DecodeChain(der, string(pass))
	switch {
	case errors.Is(err, pkcs12.ErrIncorrectPassword), errors.Is(err, pkcs12.ErrDecryption):
		return nil, nil, nil, ErrPassphrase
	case err != nil && err.Error() == "pkcs12: private key missing": // the library has no value for these
		return nil, nil, nil, ErrNoKey
	case err != nil && err.Error() == "pkcs12: certificate missing":
		return nil, nil, nil, ErrNoCertificate
	case err != nil:
		return nil, nil, nil, fmt.Errorf("%w: %w", ErrFormat, err)
	}
	if key, err = supported(parsed); err != nil {
		return nil, nil, nil, err
	}
	leaf, chain, err = matching(key, append([]*x509.Certificate{first}, others...))
	if err != nil {
		return nil, nil, nil, err
	}
	return key, leaf, chain, nil
}

// EncodePKCS12 writes key and certificates with AES-256-CBC, PBKDF2 and SHA-256
// (OpenSSL 1.1 and later, Windows Server 2019, Java 12). The passphrase must not be empty.
func EncodePKCS12(key crypto.Signer, leaf *x509.Certificate, chain []*x509.Certificate, pass []byte) ([]byte, error) {
	if len(pass) == 0 {
		return nil, ErrPassphrase
	}
	der, err := pkcs12.Modern2023.WithIterations(exportIterations).Encode(key, leaf, chain, string(pass))
	if err != nil {
		return nil, fmt.Errorf("writing PKCS #12: %w", err)
	}
	return der, nil
}

// costly reports whether a salt in der is followed by an iteration count above
// maxIterations. It reads what can be read without the passphrase, octet strings included.
func costly(der []byte, depth int) bool {
	const octets, integer, maxDepth = asn1.TagOctetString, asn1.TagInteger, 24
	afterSalt := false
	for len(der) > 0 && depth < maxDepth {
		var v asn1.RawValue
		rest, err := asn1.Unmarshal(der, &v)
		if err != nil {
			return false // not DER; where it should be, the reader refuses it as well
		}
		if afterSalt && v.Tag == integer && above(v.Bytes, maxIterations) {
			return true
		}
		if (v.IsCompound || v.Tag == octets) && costly(v.Bytes, depth+1) {
			return true
		}
		afterSalt = v.Tag == octets
		der = rest
	}
	return false
}

// above reports whether the contents of an INTEGER are more than limit.
func above(contents []byte, limit uint64) bool {
	var n uint64
	for _, b := range contents {
		if n > limit {
			return true
		}
		n = n<<8 | uint64(b)
	}
	return n > limit
}
