package cms

import (
	"errors"
	"fmt"
)

// The kinds of failure. Every error matches exactly one of them with [errors.Is], except one that a caller's private key
// returns while signing, which is passed on.
var (
	// ErrMalformed: the bytes are not the structure that was asked for, or exceed a limit.
	ErrMalformed = errors.New("malformed message")
	// ErrUnsupported: well-formed, but an algorithm or variant we do not implement. The text names it.
	ErrUnsupported = errors.New("unsupported algorithm")
	// ErrWeak: we could, but the [Policy] (or, for MD5, this package) forbids it. The text names the algorithm.
	ErrWeak = errors.New("weak algorithm")
	// ErrSignature: the signature does not verify under the certificate's key.
	ErrSignature = errors.New("signature does not verify")
	// ErrDigest: the signature is right, but the content, or its type, is not what was signed.
	ErrDigest = errors.New("message digest does not match")
	// ErrNoRecipient: the envelope is not addressed to this certificate.
	ErrNoRecipient = errors.New("no recipient matches the certificate")
	// ErrDecrypt: the one answer to every failure after the private key was used, so that it tells nothing about the cause.
	ErrDecrypt = errors.New("decryption failed")
	// ErrInvalid: the caller's arguments cannot be encoded (wrong key for the certificate, unusable text, ...).
	ErrInvalid = errors.New("invalid argument")
)

// Policy names the weak algorithms that are accepted from a peer. The zero value accepts none.
// MD5 is never accepted. SHA-1 inside RSAES-OAEP is no signature and needs no permission.
type Policy struct {
	SHA1      bool // SHA-1 as the digest of a signature
	DES       bool // single DES content encryption
	TripleDES bool // triple DES content encryption
}

func malformed(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrMalformed, fmt.Sprintf(format, args...))
}
