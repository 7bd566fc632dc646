package keys_test

import (
	"bytes"
	"database/sql"
	"slices"
	"testing"

	"newleaf/internal/keys"
)

// attack is what somebody can do who has every file and copies of the sealed
// rows from before their deletion: try each 32 bytes, wherever they stand, as
// the key-encryption key. One row of each generation tells whether it is one.
// It gives back how many of the rows open.
func attack(files map[string][]byte, captured []keys.Sealed) int {
	groups := make(map[uint64][]keys.Sealed)
	for _, s := range captured {
		groups[s.Generation] = append(groups[s.Generation], s)
	}
	opened := make(map[string]bool)
	for _, content := range files {
		for i := 0; i+32 <= len(content); i++ {
			for _, group := range groups {
				if !keys.TryKEK(content[i:i+32], group[0]) {
					continue
				}
				for _, s := range group {
					if keys.TryKEK(content[i:i+32], s) {
						opened[s.ID] = true
					}
				}
			}
		}
	}
	return len(opened)
}

// The test of the contract, "Key destruction": 0 of 50 deleted keys can be
// unwrapped with every remaining file in hand, 50 of 50 without rotation.
func TestDestruction(t *testing.T) {
	deleteRows := func(t *testing.T, s *state, gone []keys.Sealed) {
		s.write(t, func(tx *sql.Tx) error {
			for _, k := range gone {
				if _, err := tx.Exec(`DELETE FROM key WHERE id = ?`, k.ID); err != nil {
					return err
				}
			}
			return nil
		})
	}
	tests := []struct {
		name string
		// delete gives back the sealed rows as they were captured on the way.
		delete func(t *testing.T, s *state, gone []keys.Sealed) (captured []keys.Sealed)
		want   int
	}{
		{"rows deleted, no rotation", func(t *testing.T, s *state, gone []keys.Sealed) []keys.Sealed {
			deleteRows(t, s, gone)
			return gone
		}, 50},
		{"rotation that keeps the old generation", func(t *testing.T, s *state, gone []keys.Sealed) []keys.Sealed {
			s.v.KeepOld()
			s.destroy(t, gone, nowhere)
			return gone
		}, 50},
		{"rotation", func(t *testing.T, s *state, gone []keys.Sealed) []keys.Sealed {
			s.destroy(t, gone, nowhere)
			return gone
		}, 0},
		{"two rotations", func(t *testing.T, s *state, gone []keys.Sealed) (captured []keys.Sealed) {
			for some := range slices.Chunk(gone, 25) {
				for _, row := range s.rows(t) {
					if slices.ContainsFunc(gone, func(g keys.Sealed) bool { return g.ID == row.ID }) {
						captured = append(captured, row)
					}
				}
				s.destroy(t, some, nowhere)
			}
			return captured
		}, 0},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			s := openState(t, t.TempDir())
			gone, kept := s.add(t, 50), s.add(t, 5)
			old := s.v.KEK()
			captured := test.delete(t, s, gone)

			files := s.files(t)
			for name, content := range files {
				t.Logf("%-12s %6d bytes", name, len(content))
			}
			if got := attack(files, captured); got != test.want {
				t.Errorf("%d of 50 deleted keys can be unwrapped, want %d", got, test.want)
			}
			if got := bytes.Contains(files["kek"], old); got != (test.want > 0) {
				t.Errorf("the old key-encryption key is in the key file: %v", got)
			}
			// The attack works, as what is left shows.
			if got := attack(map[string][]byte{"kek": files["kek"]}, s.rows(t)); got != len(kept) {
				t.Errorf("%d of the surviving keys can be unwrapped, want %d", got, len(kept))
			}
			s.close(t)
			if got := attack(s.files(t), captured); got != test.want {
				t.Errorf("after closing: %d of 50 deleted keys can be unwrapped, want %d", got, test.want)
			}
		})
	}
}
