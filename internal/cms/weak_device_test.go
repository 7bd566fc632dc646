//go:build device

package cms

import (
	"crypto"
	"testing"
)

// TestWeakDevice: the build that packages ship writes neither DES nor SHA-1 signatures.
func TestWeakDevice(t *testing.T) {
	_, err := Encrypt([]byte("content"), rsa1024().cert, EncryptOptions{Cipher: DESCBC})
	wantError(t, err, ErrWeak)
	signer := rsa1024().signer()
	signer.Hash = crypto.SHA1
	_, err = Sign([]byte("content"), signer, nil, nil)
	wantError(t, err, ErrWeak)
}
