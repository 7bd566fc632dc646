package cms

import (
	"bytes"
	"crypto/cipher"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"fmt"

	"golang.org/x/crypto/cryptobyte"
	casn1 "golang.org/x/crypto/cryptobyte/asn1"
)

// EncryptOptions says how to encrypt. The zero value is AES-128-CBC with PKCS #1 v1.5 key transport.
type EncryptOptions struct {
	Cipher Cipher
	OAEP   bool // RSAES-OAEP with SHA-256 (RFC 4055) instead of PKCS #1 v1.5
}

// Encrypt wraps content in an EnvelopedData, or AuthEnvelopedData for a GCM cipher, for the one recipient to, named by
// issuer and serial number. The certificate must hold an RSA key; else [ErrUnsupported].
func Encrypt(content []byte, to *x509.Certificate, o EncryptOptions) ([]byte, error) {
	if to == nil || !o.Cipher.valid() {
		return nil, fmt.Errorf("%w: %v without a recipient or unknown", ErrInvalid, o.Cipher)
	}
	key := make([]byte, suites[o.Cipher].key)
	rand.Read(key)
	wrapped, err := wrapKey(key, to, o.OAEP)
	if err != nil {
		return nil, err
	}
	if suites[o.Cipher].gcm {
		return encryptGCM(content, key, o, to, wrapped)
	}
	iv := make([]byte, suites[o.Cipher].block)
	rand.Read(iv)
	sealed := pad(content, len(iv))
	if err := sealCBC(o.Cipher, key, iv, sealed); err != nil {
		return nil, err
	}
	return encodeContentInfo(oidEnvelopedData, func(b *cryptobyte.Builder) {
		addEnvelope(b, o, to, wrapped, iv, sealed)
	})
}

// sealer encrypts whole blocks in place.
type sealer func(key, iv, blocks []byte) error

func sealCBC(c Cipher, key, iv, blocks []byte) error {
	if c == DESCBC {
		if seal := desSealer(); seal != nil {
			return seal(key, iv, blocks)
		}
		return fmt.Errorf("%w: encrypting with %v", ErrWeak, c)
	}
	block, err := suites[c].cipher(key)
	if err != nil {
		return fmt.Errorf("preparing %v: %w", c, err)
	}
	cipher.NewCBCEncrypter(block, iv).CryptBlocks(blocks, blocks)
	return nil
}

func encryptGCM(content, key []byte, o EncryptOptions, to *x509.Certificate, wrapped []byte) ([]byte, error) {
	block, err := suites[o.Cipher].cipher(key)
	if err != nil {
		return nil, fmt.Errorf("preparing %v: %w", o.Cipher, err)
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		return nil, fmt.Errorf("preparing %v: %w", o.Cipher, err)
	}
	nonce := make([]byte, gcmNonce)
	rand.Read(nonce)
	sealed := aead.Seal(nil, nonce, content, nil)
	text, tag := sealed[:len(content)], sealed[len(content):]
	return encodeContentInfo(oidAuthEnveloped, func(b *cryptobyte.Builder) {
		addEnvelope(b, o, to, wrapped, nonce, text)
		b.AddASN1OctetString(tag)
	})
}

// addEnvelope writes what both kinds of envelope begin with: version, recipients and the encrypted content.
func addEnvelope(b *cryptobyte.Builder, o EncryptOptions, to *x509.Certificate, wrapped, iv, sealed []byte) {
	b.AddASN1Int64(0)
	b.AddASN1(casn1.SET, func(b *cryptobyte.Builder) {
		b.AddASN1(casn1.SEQUENCE, func(b *cryptobyte.Builder) {
			b.AddASN1Int64(0)
			addIssuerAndSerial(b, to)
			if o.OAEP {
				addOAEP(b)
			} else {
				addAlgorithm(b, oidRSA, addNull)
			}
			b.AddASN1OctetString(wrapped)
		})
	})
	b.AddASN1(casn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1ObjectIdentifier(oidData)
		addCipher(b, o.Cipher, iv)
		b.AddASN1(tag0, addRaw(sealed))
	})
}

// wrapKey encrypts a content key for the certificate.
func wrapKey(key []byte, to *x509.Certificate, oaep bool) (wrapped []byte, err error) {
	pub, ok := to.PublicKey.(*rsa.PublicKey)
	if !ok {
		return nil, fmt.Errorf("%w: encrypting to %T", ErrUnsupported, to.PublicKey)
	}
	if err := checkRSA(pub); err != nil {
		return nil, err
	}
	if oaep {
		wrapped, err = rsa.EncryptOAEP(sha256.New(), rand.Reader, pub, key, nil)
	} else {
		//lint:ignore SA1019 RFC 8894 section 3.1 and its peers know no other key transport.
		wrapped, err = rsa.EncryptPKCS1v15(rand.Reader, pub, key)
	}
	if err != nil {
		return nil, fmt.Errorf("encrypting content key: %w", err)
	}
	return wrapped, nil
}

// pad returns a copy of content with the padding of RFC 5652 section 6.3.
func pad(content []byte, block int) []byte {
	n := block - len(content)%block
	return append(append(make([]byte, 0, len(content)+n), content...), bytes.Repeat([]byte{byte(n)}, n)...)
}
