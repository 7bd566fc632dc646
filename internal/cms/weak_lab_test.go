//go:build !device

package cms

import (
	"crypto"
	"testing"
)

// TestWeakLab: builds without the tag "device" can play a peer that knows DES and SHA-1 only (trap T6, quirks Q10, Q11).
func TestWeakLab(t *testing.T) {
	der := must(Encrypt([]byte("content"), rsa1024().cert, EncryptOptions{Cipher: DESCBC}))
	if got, err := decrypt(der, rsa1024(), Policy{DES: true}); string(got) != "content" {
		t.Errorf("%q, %v", got, err)
	}
	_, err := decrypt(der, rsa1024(), Policy{SHA1: true, TripleDES: true})
	wantError(t, err, ErrWeak)

	signer := rsa1024().signer()
	signer.Hash = crypto.SHA1
	der = must(Sign([]byte("content"), signer, nil, nil))
	s := must(ParseSigned(der))
	wantError(t, s.Verify(&s.Signers[0], rsa1024().cert, Policy{SHA1: true}), nil)
	wantError(t, s.Verify(&s.Signers[0], rsa1024().cert, Policy{DES: true, TripleDES: true}), ErrWeak)
}
