package keys

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/binary"
	"fmt"
)

// The kinds keep a secret from passing for a private key and the reverse.
const (
	kindKey    = "private key"
	kindSecret = "secret"
)

// seal encrypts plain with a data key of its own and wraps that under the live KEK.
func (v *Vault) seal(kind, id string, plain []byte) Sealed {
	data := make([]byte, kekSize)
	rand.Read(data) // never fails
	defer clear(data)
	v.mu.RLock()
	defer v.mu.RUnlock()
	return Sealed{
		ID:         id,
		Generation: v.live.n,
		Wrapped:    v.live.wrap(id, data),
		Blob:       gcm(data).Seal(nil, nil, plain, blobContext(kind, id)),
	}
}

func (v *Vault) unseal(kind string, s Sealed) ([]byte, error) {
	data, err := v.unwrap(s)
	if err != nil {
		return nil, err
	}
	defer clear(data)
	plain, err := gcm(data).Open(nil, nil, s.Blob, blobContext(kind, s.ID))
	if err != nil {
		return nil, fmt.Errorf("%w: %s", ErrDamaged, s.ID)
	}
	return plain, nil
}

// unwrap gives the data key. During a rotation both generations open.
func (v *Vault) unwrap(s Sealed) ([]byte, error) {
	v.mu.RLock()
	defer v.mu.RUnlock()
	switch {
	case s.Generation == v.live.n:
		return v.live.unwrap(s)
	case v.next != nil && s.Generation == v.next.n:
		return v.next.unwrap(s)
	}
	return nil, fmt.Errorf("%w: %s of generation %d", ErrDestroyed, s.ID, s.Generation)
}

func (g generation) wrap(id string, data []byte) []byte {
	return gcm(g.kek).Seal(nil, nil, data, wrapContext(id, g.n))
}

func (g generation) unwrap(s Sealed) ([]byte, error) {
	data, err := gcm(g.kek).Open(nil, nil, s.Wrapped, wrapContext(s.ID, g.n))
	if err != nil || len(data) != kekSize {
		return nil, fmt.Errorf("%w: %s", ErrDamaged, s.ID)
	}
	return data, nil
}

func wrapContext(id string, n uint64) []byte {
	return append(binary.BigEndian.AppendUint64([]byte("newleaf data key\x00"), n), id...)
}

func blobContext(kind, id string) []byte { return []byte("newleaf " + kind + "\x00" + id) }

// gcm is AES-256-GCM that puts a random nonce before the ciphertext. Each data
// key seals once, each KEK far fewer times than random nonces allow.
func gcm(key []byte) cipher.AEAD {
	block, err := aes.NewCipher(key)
	if err != nil {
		panic(err) // only for a wrong key size
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		panic(err)
	}
	return aead
}
