package keys

import (
	"crypto"
	"crypto/x509"
	"encoding/pem"
	"fmt"
)

// DecodePEM reads a certificate with its chain and the private key, which may
// stand in the same file (then key is nil) or in one of its own. Keys are
// PKCS #8 (RFC 5958, also encrypted), PKCS #1 (RFC 8017) or SEC 1 (RFC 5915).
// Errors: ErrPassphrase, ErrEncrypted, ErrMismatch, ErrNoKey,
// ErrNoCertificate, ErrKeyType, ErrFormat.
func DecodePEM(cert, key, pass []byte) (signer crypto.Signer, leaf *x509.Certificate, chain []*x509.Certificate, err error) {
	if len(cert) > maxFile || len(key) > maxFile {
		return nil, nil, nil, fmt.Errorf("%w: it has more than %d bytes", ErrFormat, maxFile)
	}
	var certs []*x509.Certificate
	for block := range blocks(cert, key) {
		switch block.Type {
		case "CERTIFICATE", "X509 CERTIFICATE":
			c, err := x509.ParseCertificate(block.Bytes)
			if err != nil {
				return nil, nil, nil, fmt.Errorf("%w: certificate %d: %w", ErrFormat, len(certs)+1, err)
			}
			certs = append(certs, c)
		case "PRIVATE KEY", "ENCRYPTED PRIVATE KEY", "RSA PRIVATE KEY", "EC PRIVATE KEY":
			if signer != nil {
				return nil, nil, nil, fmt.Errorf("%w: it has more than one private key", ErrFormat)
			}
			if signer, err = decodeKey(block, pass); err != nil {
				return nil, nil, nil, err
			}
		}
	}
	if signer == nil {
		return nil, nil, nil, ErrNoKey
	}
	if leaf, chain, err = matching(signer, certs); err != nil {
		return nil, nil, nil, err
	}
	return signer, leaf, chain, nil
}

// blocks yields the PEM blocks of all files in turn.
func blocks(files ...[]byte) func(yield func(*pem.Block) bool) {
	return func(yield func(*pem.Block) bool) {
		for _, rest := range files {
			for {
				var block *pem.Block
				if block, rest = pem.Decode(rest); block == nil {
					break
				}
				if !yield(block) {
					return
				}
			}
		}
	}
}

func decodeKey(block *pem.Block, pass []byte) (crypto.Signer, error) {
	if block.Headers["DEK-Info"] != "" {
		return nil, fmt.Errorf("%w: convert it with openssl pkcs8 -topk8", ErrEncrypted)
	}
	defer clear(block.Bytes)
	var key any
	var err error
	switch block.Type {
	case "ENCRYPTED PRIVATE KEY":
		der, err := decryptPKCS8(block.Bytes, pass)
		if err != nil {
			return nil, err
		}
		defer clear(der)
		key, err = x509.ParsePKCS8PrivateKey(der)
		if err != nil {
			return nil, fmt.Errorf("%w: private key: %w", ErrFormat, err)
		}
		return supported(key)
	case "RSA PRIVATE KEY":
		key, err = x509.ParsePKCS1PrivateKey(block.Bytes)
	case "EC PRIVATE KEY":
		key, err = x509.ParseECPrivateKey(block.Bytes)
	default:
		key, err = x509.ParsePKCS8PrivateKey(block.Bytes)
	}
	if err != nil {
		return nil, fmt.Errorf("%w: private key: %w", ErrFormat, err)
	}
	return supported(key)
}
