package keys

import (
	"crypto"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"sync"
)

// Sealed is a private key or a small secret at rest; the store keeps its fields
// as the columns of a row. Rewrapping changes Generation and Wrapped only.
type Sealed struct {
	ID         string // ID of the key, or name of the secret
	Generation uint64
	Wrapped    []byte // the data key, under the KEK of Generation
	Blob       []byte // the contents, under the data key
}

// Vault seals and opens with the key-encryption key of one store. Its methods
// are safe for concurrent use.
//
// Seal uses the generation that is live at that moment. A rotation may be
// committed before the caller has stored the row, so the transaction that stores
// it must compare Generation with the live generation in the database and, if
// they differ, give up and seal again; otherwise the key would be lost.
type Vault struct {
	path string

	mu      sync.RWMutex
	live    generation
	next    *generation // while a rotation is under way
	keepOld bool        // for tests: a rotation that destroys nothing
}

// OpenVault opens the key file at path for a store whose live generation is
// live, as the database says; 0 is a fresh store, for which generation 1 is
// made. What the other slot holds, from a crash before or after a commit, is
// destroyed. ErrKeyFile: the file is missing or damaged, or belongs to another
// state of the store; it is then left as it is.
func OpenVault(path string, live uint64) (*Vault, error) {
	slots, err := readSlots(path)
	if live == 0 {
		return openFresh(path, slots, err)
	}
	switch {
	case errors.Is(err, os.ErrNotExist):
		return nil, fmt.Errorf("%w: %s is missing; without generation %d the private keys of this store cannot be opened", ErrKeyFile, path, live)
	case err != nil:
		return nil, fmt.Errorf("reading the key file: %w", err)
	}
	g, ok := parseSlot(slots[live%2])
	if !ok || g.n != live {
		return nil, fmt.Errorf("%w: %s does not hold generation %d; without it the private keys of this store cannot be opened", ErrKeyFile, path, live)
	}
	v := &Vault{path: path, live: g}
	if !isDestroyed(slots[(live+1)%2]) {
		if err := v.destroy(live + 1); err != nil {
			return nil, err
		}
	}
	return v, nil
}

// openFresh makes the key file, or takes the one that a crash left before the
// database knew of it. A file with a history is not touched: its store may
// only be away for a moment.
func openFresh(path string, slots [2][]byte, err error) (*Vault, error) {
	if err != nil && !errors.Is(err, os.ErrNotExist) && !errors.Is(err, ErrKeyFile) {
		return nil, fmt.Errorf("reading the key file: %w", err)
	}
	even, ok0 := parseSlot(slots[0])
	odd, ok1 := parseSlot(slots[1])
	switch {
	case ok0 || ok1 && odd.n != 1:
		return nil, fmt.Errorf("%w: %s holds generation %d, but the store is new; put the store back, or remove the key file and lose its keys",
			ErrKeyFile, path, max(even.n, odd.n))
	case ok1:
		return &Vault{path: path, live: odd}, nil
	}
	g := newGeneration(1)
	if err := createSlots(path, g); err != nil {
		return nil, fmt.Errorf("making the key file: %w", err)
	}
	return &Vault{path: path, live: g}, nil
}

// Generation is the live one: what the database has to hold for OpenVault.
func (v *Vault) Generation() uint64 {
	v.mu.RLock()
	defer v.mu.RUnlock()
	return v.live.n
}

// Seal encrypts a private key. Whether Export will give it back is fixed here.
func (v *Vault) Seal(key crypto.Signer, exportable bool) (Sealed, error) {
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return Sealed{}, fmt.Errorf("%w: %w", ErrKeyType, err)
	}
	defer clear(der)
	plain := append(make([]byte, 0, 1+len(der)), flags(exportable))
	plain = append(plain, der...)
	defer clear(plain)
	return v.seal(kindKey, ID(key.Public()), plain), nil
}

// Open gives the private key for use on the device.
// Errors: ErrDestroyed, ErrDamaged.
func (v *Vault) Open(s Sealed) (crypto.Signer, error) {
	der, _, err := v.open(s)
	if err != nil {
		return nil, err
	}
	defer clear(der)
	key, err := x509.ParsePKCS8PrivateKey(der)
	if err != nil {
		return nil, fmt.Errorf("reading private key %s: %w", s.ID, err)
	}
	return supported(key)
}

// OpenPKCS8 gives the PKCS #8 encoding of the key, for targets on the device.
// The caller clears it after use.
func (v *Vault) OpenPKCS8(s Sealed) ([]byte, error) {
	der, _, err := v.open(s)
	return der, err
}

// Export gives the key to somebody outside the device; ErrNotExportable.
func (v *Vault) Export(s Sealed) (crypto.Signer, error) {
	der, exportable, err := v.open(s)
	if err != nil {
		return nil, err
	}
	clear(der)
	if !exportable {
		return nil, ErrNotExportable
	}
	return v.Open(s)
}

func (v *Vault) open(s Sealed) (der []byte, exportable bool, err error) {
	plain, err := v.unseal(kindKey, s)
	if err != nil {
		return nil, false, err
	}
	if len(plain) == 0 {
		return nil, false, ErrDamaged
	}
	return plain[1:], plain[0] == flags(true), nil
}

func flags(exportable bool) byte {
	if exportable {
		return 1
	}
	return 0
}

// SealBytes encrypts a small secret, such as a challenge password, under a name.
func (v *Vault) SealBytes(name string, secret []byte) (Sealed, error) {
	return v.seal(kindSecret, name, secret), nil
}

// OpenBytes gives the secret back. The caller clears it after use.
func (v *Vault) OpenBytes(s Sealed) ([]byte, error) { return v.unseal(kindSecret, s) }
