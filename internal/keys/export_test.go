package keys

import (
	"bytes"
	"crypto/x509"
)

// KeepOld switches the destruction off: the control of every test that finds nothing.
func (v *Vault) KeepOld() { v.keepOld = true }

// KEK is a copy of the live key-encryption key.
func (v *Vault) KEK() []byte { return bytes.Clone(v.live.kek) }

// KEK is a copy of the new key-encryption key.
func (r *Rotation) KEK() []byte { return bytes.Clone(r.next.kek) }

// TryKEK opens s with a candidate for its key-encryption key, as somebody would
// who has the disk and knows the formats.
func TryKEK(candidate []byte, s Sealed) bool {
	data, err := generation{s.Generation, candidate}.unwrap(s)
	if err != nil {
		return false
	}
	plain, err := gcm(data).Open(nil, nil, s.Blob, blobContext(kindKey, s.ID))
	if err != nil {
		return false
	}
	_, err = x509.ParsePKCS8PrivateKey(plain[1:])
	return err == nil
}

// SlotDestroyed reports whether the slot of generation n is known to hold nothing.
func SlotDestroyed(path string, n uint64) (bool, error) {
	slots, err := readSlots(path)
	return err == nil && isDestroyed(slots[n%2]), err
}
