package store_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"newleaf"
	"newleaf/internal/store"
)

// F5A-G1: an unreadable record is shown as damaged, the rest is still shown.
func TestDamagedCertificate(t *testing.T) {
	const bytesOf = "bytes of the certificate are still good"
	tests := []struct{ name, set string }{
		{"certificate", `der = x'30820101'`},
		{"certificate gone", `der = x''`},
		{"certificate of another", `der = (SELECT der FROM certificates WHERE seq = 1)`},
		{"one byte of the certificate", `der = CAST(substr(der, 1, length(der) - 1) || x'ff' AS BLOB)`},
		{"ID", `id = 'zz'`},
		{"ID gone", `id = ''`},
		{"name, " + bytesOf, `name = char(7)`},
		{"name gone, " + bytesOf, `name = ''`},
		{"chain, " + bytesOf, `chain = x'3005ff'`},
		{"origin, " + bytesOf, `origin = 'found'`},
		{"state, " + bytesOf, `state = '?'`},
		{"added, " + bytesOf, `added = 'yesterday'`},
		{"updated, " + bytesOf, `updated = '2026-02-30T00:00:00Z'`},
		{"pinned, " + bytesOf, `pinned = 7`},
		{"exportable, " + bytesOf, `exportable = 7`},
		{"verified, " + bytesOf, `verified = -1`},
		{"request, " + bytesOf, `request = '{"name":'`},
		{"request of another kind, " + bytesOf, `request = '[1]'`},
		{"everything", `id = 'a', name = '', der = x'', chain = x'01', added = 'x', updated = 'x', request = 'x', origin = '', state = 'x', pinned = 9`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s, want := filled(t)
			s.Exec(t, `UPDATE certificates SET `+tt.set+` WHERE seq = 2`)
			got := certificates(t, s)
			if len(got) != 3 {
				t.Fatalf("%d certificates are listed, want 3", len(got))
			}
			if diff := cmp.Diff([]newleaf.Certificate{want[0], want[2]}, []newleaf.Certificate{got[0], got[2]}); diff != "" {
				t.Errorf("the others changed:\n%s", diff)
			}
			c := got[1]
			if !c.Damaged || c.Origin != newleaf.Unknown || c.SHA256 != "" || c.Request != nil || c.State != newleaf.StateHeld || c.Exportable {
				t.Errorf("not shown as damaged: %+v", c)
			}
			if good := strings.HasSuffix(tt.name, bytesOf); good != bytes.Equal(c.DER, want[1].DER) {
				t.Errorf("%d bytes of the certificate are given", len(c.DER))
			}
			if c.ID != want[1].ID && c.Name != want[1].Name && tt.name != "everything" {
				t.Errorf("neither ID nor name: %q, %q", c.ID, c.Name)
			}
			wantCode(t, s.Write(t.Context(), func(tx *store.Tx) error { return tx.UpdateCertificate(c) }), newleaf.CodeDamaged)
			read(t, s, func(tx *store.Tx) error {
				if number, _, err := tx.Usage(); err != nil || number != 3 {
					t.Errorf("usage %d (%v), want 3: it takes room", number, err)
				}
				return nil
			})
			write(t, s, func(tx *store.Tx) error { return tx.DeleteCertificate(c.ID) }) // by hand
			if left := certificates(t, s); len(left) != 2 {
				t.Errorf("%d left after its deletion, want 2", len(left))
			}
		})
	}
}

// A byte of the file that changes under SQLite can even give a column a type
// that the table does not allow.
func TestDamagedFile(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	want := entry(t, "a name to be found in the file")
	write(t, s, func(tx *store.Tx) error {
		if err := tx.AddCertificate(want); err != nil {
			return err
		}
		return tx.AddCertificate(entry(t, "Xyz2"))
	})
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "newleaf.db")
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	// The record's header (https://www.sqlite.org/fileformat.html, 2.1): seq,
	// id, name, der, chain, key_id and then exportable, whose type says 0.
	text := func(n int) []byte { return varint(uint64(13 + 2*n)) }
	header := bytes.Join([][]byte{{0}, text(64), text(len(want.Name)), varint(uint64(12 + 2*len(want.DER))), {12}, text(len(want.KeyID)), {8}}, nil)
	at := bytes.Index(raw, header)
	if at < 0 {
		t.Fatal("the record is not in the file")
	}
	raw[at+len(header)-1] = 0 // NULL
	if err := os.WriteFile(path, raw, 0o600); err != nil {
		t.Fatal(err)
	}
	got := certificates(t, open(t, dir))
	if len(got) != 2 || !got[0].Damaged || got[0].ID != want.ID || got[0].Name != want.Name || got[1].Damaged {
		t.Errorf("got %+v", got)
	}
}

// A page that is lost takes only its own rows; the indexes still tell which.
func TestLostPages(t *testing.T) {
	long := make([][]byte, 60) // more than a page: the row goes on in others
	for i := range long {
		long[i] = selfSigned(t, "issuer")
	}
	tests := []struct {
		name string
		lose func(pages [][]byte)
	}{
		{"a page in the middle of a row", func(pages [][]byte) {
			for _, page := range pages {
				if bytes.Contains(page[4:], long[20]) {
					copy(page, "\x7f\xff\xff\xff") // the number of the next page
				}
			}
		}},
		{"the page where a row begins", func(pages [][]byte) {
			for _, page := range pages {
				if page[0] == 0x0d && bytes.Contains(page, []byte("Xyz2")) {
					clear(page)
				}
			}
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			s := open(t, dir)
			all := []newleaf.Certificate{entry(t, "Xyz1"), entry(t, "Xyz2"), entry(t, "Xyz3")}
			all[1].Chain = long
			write(t, s, func(tx *store.Tx) error {
				return errors.Join(tx.AddCertificate(all[0]), tx.AddCertificate(all[1]), tx.AddCertificate(all[2]))
			})
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			path := filepath.Join(dir, "newleaf.db")
			raw, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			tt.lose(slices.Collect(slices.Chunk(raw, 4096)))
			if err := os.WriteFile(path, raw, 0o600); err != nil {
				t.Fatal(err)
			}
			got := certificates(t, open(t, dir))
			if len(got) != 3 {
				t.Fatalf("%d certificates are listed, want 3", len(got))
			}
			for i, c := range got {
				if c.ID != all[i].ID || c.Name != all[i].Name || c.Damaged != (i == 1) {
					t.Errorf("row %d: %s %q, damaged %v; want %s %q", i, c.ID, c.Name, c.Damaged, all[i].ID, all[i].Name)
				}
			}
		})
	}
}

// varint is n as SQLite writes it, for n below 2^14.
func varint(n uint64) []byte {
	if n < 128 {
		return []byte{byte(n)}
	}
	return binary.BigEndian.AppendUint16(nil, uint16(n>>7<<8|n&0x7f|0x8000))
}

// No damaged row of any other noun breaks its list or is trusted.
func TestDamagedRows(t *testing.T) {
	s := open(t, t.TempDir())
	a, b := selfSigned(t, "CA1"), selfSigned(t, "CA2")
	write(t, s, func(tx *store.Tx) error {
		for i, name := range []string{"first", "second"} {
			der := [][]byte{a, b}[i]
			renewal, err := tx.PutRenewal(newleaf.Renewal{Phase: newleaf.PhasePending, Step: newleaf.StepRequest})
			for _, e := range []error{err,
				tx.PutAnchor(newleaf.Anchor{ID: newleaf.IDOf(der), DER: der, Connection: name, Role: newleaf.RoleAnchor, Confirmed: true}),
				tx.PutConnection(newleaf.Connection{Name: name, URL: "http://ca.example", Protocol: newleaf.SCEP}),
				tx.PutOwed(newleaf.Owed{Certificate: newleaf.ID(name), Rule: newleaf.RuleReplaced, Renewal: renewal.ID}),
				tx.PutToken(newleaf.Token{ID: name, Role: newleaf.Administrator, Expires: then}, []byte(name)),
				tx.PutBinding(newleaf.Binding{Purpose: newleaf.Purpose(name), Current: "x"}),
			} {
				if e != nil {
					return e
				}
			}
		}
		return nil
	})
	s.Exec(t, `UPDATE anchors SET added = 'x' WHERE connection = 'first'; UPDATE connections SET keep_password = 9 WHERE name = 'first';
		UPDATE owed SET not_before = 'x' WHERE certificate = 'first'; UPDATE tokens SET created = 'x' WHERE id = 'first';
		UPDATE renewals SET body = '{' WHERE id = 1; UPDATE bindings SET until = 'x' WHERE purpose = 'first'`)

	if got := get(t, s, (*store.Tx).Anchors); len(got) != 2 || got[0].Confirmed || got[0].DER != nil || got[0].Connection != "first" || !got[1].Confirmed {
		t.Errorf("anchors: %+v", got)
	}
	if got := get(t, s, (*store.Tx).Connections); len(got) != 2 || got[0].Name != "first" || got[0].URL != "" || got[1].URL == "" {
		t.Errorf("connections: %+v", got)
	}
	if got := get(t, s, (*store.Tx).Owed); len(got) != 1 || got[0].Certificate != "second" {
		t.Errorf("owed: %+v", got)
	}
	if got := get(t, s, (*store.Tx).Tokens); len(got) != 2 || got[0].ID != "first" || !got[0].Expires.IsZero() || got[1].Expires != then {
		t.Errorf("tokens: %+v", got)
	}
	if got := get(t, s, (*store.Tx).Bindings); len(got) != 2 || got[0].Current != "x" {
		t.Errorf("bindings: %+v", got)
	}
	all := get(t, s, func(tx *store.Tx) ([]newleaf.Renewal, error) { return tx.Renewals(false) })
	if len(all) != 2 || all[0].ID != 1 || all[0].Phase != newleaf.PhaseFailed || newleaf.CodeOf(all[0].Error) != newleaf.CodeDamaged {
		t.Errorf("renewals: %+v", all)
	}
	running := func(tx *store.Tx) ([]newleaf.Renewal, error) { return tx.Renewals(true) }
	if got := get(t, s, running); len(got) != 1 || got[0].ID != 2 {
		t.Errorf("open renewals: %+v", got)
	}
	s.Exec(t, `UPDATE anchors SET der = x'30' WHERE connection = 'second'`)
	if got := get(t, s, (*store.Tx).Anchors); len(got) != 2 || got[1].Confirmed || got[1].DER != nil {
		t.Errorf("anchors: %+v", got)
	}
}
