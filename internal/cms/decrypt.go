package cms

import (
	"crypto"
	"crypto/cipher"
	"crypto/rand"
	"crypto/rsa"
	"crypto/subtle"
	"crypto/x509"
	"fmt"
)

// Decrypt returns the content with the key of cert, which must be among the recipients ([ErrNoRecipient]).
// A cipher that policy does not allow is refused with [ErrWeak] before the key is used.
//
// Every failure from then on is [ErrDecrypt]: a wrong PKCS #1 padding continues with a random key (RFC 3218
// section 2.3.2) and the CBC padding is checked in constant time. About one in 256 forged CBC messages still decrypts to random
// bytes, so a caller must answer an unreadable content exactly like ErrDecrypt.
func (e *Enveloped) Decrypt(key crypto.Decrypter, cert *x509.Certificate, policy Policy) ([]byte, error) {
	r, err := e.recipient(cert)
	if err != nil {
		return nil, err
	}
	if err := e.Cipher.allowed(policy); err != nil {
		return nil, err
	}
	if key == nil || !sameKey(key.Public(), cert) {
		return nil, fmt.Errorf("%w: the key does not belong to the recipient's certificate", ErrInvalid)
	}
	contentKey, err := r.unwrap(key, suites[e.Cipher].key)
	if err != nil {
		return nil, err
	}
	content, ok := e.open(contentKey)
	if !ok {
		return nil, ErrDecrypt
	}
	return content, nil
}

// recipient returns the first recipient that names cert.
func (e *Enveloped) recipient(cert *x509.Certificate) (*Recipient, error) {
	for i := range e.Recipients {
		if cert != nil && e.Recipients[i].Names(cert) {
			return &e.Recipients[i], nil
		}
	}
	return nil, ErrNoRecipient
}

// unwrap returns the content key of size bytes; a random one when the padding is wrong or the size differs.
func (r *Recipient) unwrap(key crypto.Decrypter, size int) ([]byte, error) {
	if _, ok := key.Public().(*rsa.PublicKey); !ok {
		return nil, fmt.Errorf("%w: decrypting with %T", ErrUnsupported, key.Public())
	}
	var options crypto.DecrypterOpts
	switch {
	case r.Algorithm.Equal(oidRSA):
		//lint:ignore SA1019 RFC 8894 section 3.1 and its peers know no other key transport.
		options = &rsa.PKCS1v15DecryptOptions{SessionKeyLen: size}
	case r.Algorithm.Equal(oidOAEP):
		oaep, err := readOAEP(r.params)
		if err != nil {
			return nil, err
		}
		options = oaep
	default:
		return nil, fmt.Errorf("%w: key transport %v", ErrUnsupported, r.Algorithm)
	}
	random := make([]byte, size)
	rand.Read(random)
	got, err := key.Decrypt(rand.Reader, r.wrapped, options)
	if err != nil || len(got) != size {
		return random, nil
	}
	return got, nil
}

// open decrypts the content.
func (e *Enveloped) open(key []byte) ([]byte, bool) {
	s := suites[e.Cipher]
	block, err := s.cipher(key)
	if err != nil {
		return nil, false
	}
	if s.gcm {
		aead, err := cipher.NewGCMWithTagSize(block, e.tag)
		if err != nil {
			return nil, false
		}
		content, err := aead.Open(nil, e.iv, e.sealed, e.aad)
		return content, err == nil
	}
	content := make([]byte, len(e.sealed))
	cipher.NewCBCDecrypter(block, e.iv).CryptBlocks(content, e.sealed)
	return unpad(content, s.block)
}

// unpad strips the padding of RFC 5652 section 6.3 from whole blocks. Its time depends on the sizes only.
func unpad(b []byte, block int) ([]byte, bool) {
	last := b[len(b)-1]
	n := int(last)
	good := subtle.ConstantTimeLessOrEq(1, n) & subtle.ConstantTimeLessOrEq(n, block)
	for i := 1; i <= block; i++ {
		outside := subtle.ConstantTimeLessOrEq(n+1, i)
		good &= outside | subtle.ConstantTimeByteEq(b[len(b)-i], last)
	}
	return b[:len(b)-subtle.ConstantTimeSelect(good, n, 0)], good == 1
}
