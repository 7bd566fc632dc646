package keys

import (
	"errors"
	"fmt"
)

// Rotation replaces the live generation n by n+1 and so destroys every key
// that it does not rewrap. The order is:
//
//  1. Begin writes generation n+1 to the other slot.
//  2. In one transaction the caller deletes rows, replaces all others by what
//     Rewrap gives, and stores Generation() as the live one.
//  3. After the commit: Commit. If certainly nothing was committed: Abort. If
//     the outcome is unknown: neither; both generations then stay until the
//     next OpenVault, which is told what the database says.
//
// A crash anywhere in between is settled by OpenVault in the same way.
type Rotation struct {
	v     *Vault
	next  *generation
	state rotationState // guarded by v.mu
}

type rotationState int

const (
	begun rotationState = iota
	committed
	aborted
)

// Begin starts a rotation. One is possible at a time: ErrRotating. Meanwhile
// Open works for both generations and Seal uses the old one.
func (v *Vault) Begin() (*Rotation, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.next != nil {
		return nil, ErrRotating
	}
	g := newGeneration(v.live.n + 1)
	block := g.block()
	defer clear(block)
	if err := writeSlot(v.path, g.n, block); err != nil {
		err = fmt.Errorf("writing generation %d of the key file: %w", g.n, err)
		return nil, errors.Join(err, v.destroy(g.n))
	}
	v.next = &g
	return &Rotation{v: v, next: &g}, nil
}

// Generation is the one that the transaction makes live.
func (r *Rotation) Generation() uint64 { return r.next.n }

// Rewrap wraps the data key of a surviving row under the new generation.
// ErrDamaged: the row is beyond help; the caller may keep it as it is.
func (r *Rotation) Rewrap(s Sealed) (Sealed, error) {
	r.v.mu.RLock()
	ended := r.state != begun
	r.v.mu.RUnlock()
	if ended {
		return Sealed{}, errEnded
	}
	data, err := r.v.unwrap(s)
	if err != nil {
		return Sealed{}, err
	}
	defer clear(data)
	s.Generation, s.Wrapped = r.next.n, r.next.wrap(s.ID, data)
	return s, nil
}

var errEnded = errors.New("the rotation has already ended")

// Commit makes the new generation live and destroys the old one. After an error
// the new generation is live all the same; call Commit again to destroy the old
// one, or leave that to the next rotation or OpenVault.
func (r *Rotation) Commit() error {
	v := r.v
	v.mu.Lock()
	defer v.mu.Unlock()
	switch r.state {
	case aborted:
		return errEnded
	case begun:
		r.state = committed
		clear(v.live.kek)
		v.live, v.next = *r.next, nil
	}
	if v.keepOld || v.next != nil || v.live.n != r.next.n { // a later rotation has overwritten the slot
		return nil
	}
	return v.destroy(r.next.n - 1)
}

// Abort destroys the new generation. After Commit it does nothing.
func (r *Rotation) Abort() error {
	v := r.v
	v.mu.Lock()
	defer v.mu.Unlock()
	if r.state != begun {
		return nil
	}
	if err := v.destroy(r.next.n); err != nil {
		return err
	}
	r.state = aborted
	clear(r.next.kek)
	v.next = nil
	return nil
}

// destroy overwrites generation n in place.
func (v *Vault) destroy(n uint64) error {
	if err := writeSlot(v.path, n, destroyedSlot()); err != nil {
		return fmt.Errorf("destroying generation %d of the key file: %w", n, err)
	}
	return nil
}
