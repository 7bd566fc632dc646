package keys

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// The key file has two slots, each one block of the file system, so that one
// can be overwritten without touching the other. Generation n lives in slot n%2:
//
//	0   magic, 16 bytes
//	16  generation, 8 bytes, big endian
//	24  KEK, 32 bytes
//	56  SHA-256 of the bytes before, then zeros
//
// All of that is in the first 512 bytes, which a disk writes whole or not at all.
// A destroyed slot is random but for a checksum, by which it is known as such.
const (
	slotSize  = 4096
	kekSize   = 32
	slotMagic = "newleaf kek v1\n\x00"
)

// generation is one key-encryption key with its number, counted from 1.
type generation struct {
	n   uint64
	kek []byte
}

func newGeneration(n uint64) generation {
	kek := make([]byte, kekSize)
	rand.Read(kek) // never fails
	return generation{n, kek}
}

// block is the slot that holds g.
func (g generation) block() []byte {
	b := make([]byte, 0, slotSize)
	b = append(b, slotMagic...)
	b = binary.BigEndian.AppendUint64(b, g.n)
	b = append(b, g.kek...)
	sum := sha256.Sum256(b)
	return append(b, sum[:]...)[:slotSize]
}

// parseSlot reads a block written by generation.block.
func parseSlot(block []byte) (g generation, ok bool) {
	const end = 24 + kekSize
	if len(block) != slotSize || !bytes.HasPrefix(block, []byte(slotMagic)) {
		return g, false
	}
	if sum := sha256.Sum256(block[:end]); !bytes.Equal(sum[:], block[end:end+len(sum)]) {
		return g, false
	}
	return generation{binary.BigEndian.Uint64(block[16:]), bytes.Clone(block[24:end])}, true
}

// destroyedSlot is a block that holds nothing.
func destroyedSlot() []byte {
	b := make([]byte, slotSize)
	rand.Read(b)
	sum := destroyedSum(b)
	copy(b[slotSize-len(sum):], sum)
	return b
}

func isDestroyed(block []byte) bool {
	return len(block) == slotSize && bytes.HasSuffix(block, destroyedSum(block))
}

func destroyedSum(block []byte) []byte {
	sum := sha256.Sum256(append([]byte("newleaf destroyed"), block[:slotSize-sha256.Size]...))
	return sum[:]
}

// readSlots gives the blocks of the key file.
func readSlots(path string) (slots [2][]byte, err error) {
	content, err := os.ReadFile(path)
	if err != nil {
		return slots, err
	}
	defer clear(content)
	if len(content) != 2*slotSize {
		return slots, fmt.Errorf("%w: %s has %d bytes instead of %d", ErrKeyFile, path, len(content), 2*slotSize)
	}
	return [2][]byte{bytes.Clone(content[:slotSize]), bytes.Clone(content[slotSize:])}, nil
}

// writeSlot overwrites the slot of generation n in place and syncs.
func writeSlot(path string, n uint64, block []byte) error {
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = f.WriteAt(block, int64(n%2)*slotSize)
	return errors.Join(err, f.Sync(), f.Close())
}

// createSlots makes a key file with g in it. Both blocks are written, so that
// no later rotation needs room on the disk.
func createSlots(path string, g generation) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	blocks := make([]byte, 0, 2*slotSize)
	if g.n%2 == 0 {
		blocks = append(append(blocks, g.block()...), destroyedSlot()...)
	} else {
		blocks = append(append(blocks, destroyedSlot()...), g.block()...)
	}
	defer clear(blocks)
	_, err = f.Write(blocks)
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}
