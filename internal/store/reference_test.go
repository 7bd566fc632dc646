package store_test

import (
	"strings"
	"testing"

	"newleaf"
	"newleaf/internal/store"
)

func TestReference(t *testing.T) {
	s, held := filled(t)
	// One is named as the ID of another, one as the first digits of another.
	for _, name := range []string{string(held[0].ID), held[1].ID.Short(), "web of the portal"} {
		c := entry(t, name)
		write(t, s, func(tx *store.Tx) error { return tx.AddCertificate(c) })
	}
	held = certificates(t, s)
	// Two that begin alike, as no one can make on purpose.
	s.Exec(t, `INSERT INTO certificates SELECT 90, '0123456789abcdef', 'twin 1', der, chain, key_id, exportable, origin, pinned,
		state, added, updated, predecessor, connection, verified, request FROM certificates WHERE seq = 1`)
	s.Exec(t, `INSERT INTO certificates SELECT 91, '0123456789abcd00', 'twin 2', der, chain, key_id, exportable, origin, pinned,
		state, added, updated, predecessor, connection, verified, request FROM certificates WHERE seq = 1`)

	id := string(held[2].ID)
	tests := []struct {
		name, ref string
		want      string // name of the certificate
		code      newleaf.Code
		hint      string
	}{
		{"name", "Xyz3", "Xyz3", "", ""},
		{"name with spaces", "web of the portal", "web of the portal", "", ""},
		{"ID", id, "Xyz3", "", ""},
		{"ID in capitals", strings.ToUpper(id), "Xyz3", "", ""},
		{"eight digits", id[:8], "Xyz3", "", ""},
		{"eight digits in capitals", strings.ToUpper(id[:8]), "Xyz3", "", ""},
		{"sixty-three digits", id[:63], "Xyz3", "", ""},
		{"seven digits", id[:7], "", newleaf.CodeNotFound, "newleaf cert list"},
		{"ID before name", string(held[0].ID), "Xyz1", "", ""},
		{"name before digits", held[1].ID.Short(), held[1].ID.Short(), "", ""},
		{"digits of several", "01234567", "", newleaf.CodeInvalid, "more digits"},
		{"digits of one of them", "0123456789abcde", "twin 1", "", ""},
		{"digits of none", "fffffffffffffff0", "", newleaf.CodeNotFound, "newleaf cert list"},
		{"wildcard", "*", "", newleaf.CodeNotFound, "newleaf cert list"},
		{"misspelled", "wep of teh portal", "", newleaf.CodeNotFound, `Did you mean "web of the portal"?`},
		{"other case", "XYZ2", "", newleaf.CodeNotFound, `Did you mean "Xyz2"?`},
		{"nothing", "", "", newleaf.CodeNotFound, "newleaf cert list"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			read(t, s, func(tx *store.Tx) error {
				c, err := tx.Certificate(tt.ref)
				wantCode(t, err, tt.code)
				if c.Name != tt.want {
					t.Errorf("got %q, want %q", c.Name, tt.want)
				}
				if err != nil && !strings.Contains(newleaf.AsError(err).Hint, tt.hint) {
					t.Errorf("hint %q does not have %q", newleaf.AsError(err).Hint, tt.hint)
				}
				return nil
			})
		})
	}
}

func TestReferenceInAnEmptyStore(t *testing.T) {
	s := open(t, t.TempDir())
	read(t, s, func(tx *store.Tx) error {
		_, err := tx.Certificate("Xyz1")
		wantCode(t, err, newleaf.CodeNotFound)
		if hint := newleaf.AsError(err).Hint; strings.Contains(hint, "mean") {
			t.Errorf("hint %q", hint)
		}
		return nil
	})
}
