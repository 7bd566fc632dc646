package store_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"newleaf"
	"newleaf/internal/store"
)

func TestAddCertificate(t *testing.T) {
	s, held := filled(t)
	pending := entry(t, "Xyz4")
	pending.State = newleaf.StatePending
	write(t, s, func(tx *store.Tx) error { return tx.AddCertificate(pending) })

	tests := []struct {
		name   string
		change func(c *newleaf.Certificate)
		want   newleaf.Code
	}{
		{"DM-02 name of a held one", func(c *newleaf.Certificate) { c.Name = "Xyz1" }, newleaf.CodeNameTaken},
		{"DM-02 name of a pending one", func(c *newleaf.Certificate) { c.Name = "Xyz4" }, newleaf.CodeNameTaken},
		{"DM-02 names are exact", func(c *newleaf.Certificate) { c.Name = "xyz1" }, ""},
		{"held already", func(c *newleaf.Certificate) { c.ID, c.DER = held[0].ID, held[0].DER }, newleaf.CodeAlreadyHeld},
		{"held already under its name", func(c *newleaf.Certificate) { *c = held[1] }, newleaf.CodeAlreadyHeld},
		{"DM-03 no name", func(c *newleaf.Certificate) { c.Name = "" }, newleaf.CodeInvalid},
		{"DM-03 65 characters", func(c *newleaf.Certificate) { c.Name = strings.Repeat("ä", 65) }, newleaf.CodeInvalid},
		{"DM-03 64 characters", func(c *newleaf.Certificate) { c.Name = strings.Repeat("ä", 64) }, ""},
		{"ID of another", func(c *newleaf.Certificate) { c.ID = newleaf.IDOf([]byte("other")) }, newleaf.CodeInvalid},
		{"no certificate", func(c *newleaf.Certificate) { c.DER = []byte("x"); c.ID = newleaf.IDOf(c.DER) }, newleaf.CodeInvalid},
		{"broken chain", func(c *newleaf.Certificate) { c.Chain = [][]byte{{0x30, 5, 1}} }, newleaf.CodeInvalid},
		{"DM-28 origin unknown", func(c *newleaf.Certificate) { c.Origin = newleaf.Unknown }, newleaf.CodeInvalid},
		{"DM-33 no such state", func(c *newleaf.Certificate) { c.State = "lost" }, newleaf.CodeInvalid},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			before := len(certificates(t, s))
			c := entry(t, "fresh")
			tt.change(&c)
			wantCode(t, s.Write(t.Context(), func(tx *store.Tx) error { return tx.AddCertificate(c) }), tt.want)
			added := len(certificates(t, s)) - before
			if (added == 1) != (tt.want == "") {
				t.Errorf("%d rows added", added)
			}
		})
	}
}

// The new one comes last (DM-20), also after the last was deleted.
func TestOrderOfAdding(t *testing.T) {
	s, held := filled(t)
	c := entry(t, "Abc")
	write(t, s, func(tx *store.Tx) error {
		if err := tx.DeleteCertificate(held[2].ID); err != nil {
			return err
		}
		return tx.AddCertificate(c)
	})
	var names []string
	for _, c := range certificates(t, s) {
		names = append(names, c.Name)
	}
	if diff := cmp.Diff([]string{"Xyz1", "Xyz2", "Abc"}, names); diff != "" {
		t.Error(diff)
	}
	wantCode(t, s.Write(t.Context(), func(tx *store.Tx) error { return tx.DeleteCertificate(held[2].ID) }), newleaf.CodeNotFound)
}

func TestUpdateCertificate(t *testing.T) {
	s, held := filled(t)
	update := func(c newleaf.Certificate) error {
		return s.Write(t.Context(), func(tx *store.Tx) error { return tx.UpdateCertificate(c) })
	}

	t.Run("all that may change", func(t *testing.T) {
		c := held[0]
		c.Name, c.Pinned, c.State, c.Chain = "renamed", true, newleaf.StateRejected, [][]byte{held[1].DER}
		c.Added, c.Updated = then.AddDate(0, 0, 1), then.AddDate(0, 0, 2)
		c.Predecessor, c.Connection, c.Verified, c.Request = held[1].ID, "other", true, nil
		if err := update(c); err != nil {
			t.Fatal(err)
		}
		got := certificates(t, s)[0]
		c.Size = got.Size
		if diff := cmp.Diff(c, got); diff != "" {
			t.Errorf("-put +got:\n%s", diff)
		}
	})
	t.Run("DM-28 DM-30 what never changes", func(t *testing.T) {
		c := held[1]
		c.DER, c.KeyID, c.Origin, c.Exportable = held[0].DER, "another", newleaf.Factory, true
		if err := update(c); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(held[1], certificates(t, s)[1]); diff != "" {
			t.Errorf("-before +after:\n%s", diff)
		}
	})
	t.Run("DM-02 name taken", func(t *testing.T) {
		c := held[1]
		c.Name = "Xyz3"
		wantCode(t, update(c), newleaf.CodeNameTaken)
	})
	t.Run("not there", func(t *testing.T) { wantCode(t, update(entry(t, "nobody")), newleaf.CodeNotFound) })
	t.Run("no such origin", func(t *testing.T) {
		c := held[1]
		c.Origin = newleaf.Unknown
		wantCode(t, update(c), newleaf.CodeInvalid)
	})
}

// DLS-28: the size is that of key, certificate, chain and metadata.
func TestSize(t *testing.T) {
	s := open(t, t.TempDir())
	c, waiting := entry(t, "Schlüssel"), entry(t, "Xyz2")
	c.Chain = [][]byte{selfSigned(t, "a"), selfSigned(t, "b")}
	waiting.State = newleaf.StatePending
	write(t, s, func(tx *store.Tx) error {
		for _, c := range []newleaf.Certificate{c, waiting} {
			if err := tx.AddCertificate(c); err != nil {
				return err
			}
		}
		return tx.PutKey(store.Key{ID: c.KeyID, Wrapped: make([]byte, 60), Blob: make([]byte, 1200)})
	})
	request, err := json.Marshal(c.Request)
	if err != nil {
		t.Fatal(err)
	}
	want := int64(len(c.DER) + len(c.Chain[0]) + len(c.Chain[1]) + len("Schlüssel") + len(request) + 1260)
	if got := certificates(t, s)[0].Size; got != want {
		t.Errorf("size %d, want %d", got, want)
	}
	read(t, s, func(tx *store.Tx) error {
		number, bytes, err := tx.Usage()
		if number != 1 || bytes != want { // the pending one is in the staging slot
			t.Errorf("usage %d certificates, %d bytes, want 1, %d", number, bytes, want)
		}
		return err
	})
}

func TestKeyUsers(t *testing.T) {
	s, held := filled(t)
	shared := entry(t, "Xyz4")
	shared.KeyID = held[0].KeyID
	write(t, s, func(tx *store.Tx) error { return tx.AddCertificate(shared) })
	got := get(t, s, func(tx *store.Tx) ([]newleaf.ID, error) { return tx.KeyUsers(shared.KeyID) })
	if diff := cmp.Diff([]newleaf.ID{held[0].ID, shared.ID}, got); diff != "" {
		t.Error(diff)
	}
}

// What a caller does to a list does not reach the next one, and no more is
// remembered than there are rows.
func TestParsesAreRemembered(t *testing.T) {
	s, held := filled(t)
	held[0].SAN[0], held[0].EKU[0] = "changed", "changed"
	again := certificates(t, s)
	if again[0].SAN[0] != "dns:device.example" || again[0].EKU[0] != newleaf.EKUServerAuth {
		t.Errorf("a changed list came back: %v, %v", again[0].SAN, again[0].EKU)
	}
	write(t, s, func(tx *store.Tx) error { return tx.DeleteCertificate(held[0].ID) })
	if certificates(t, s); s.Parses() != 2 {
		t.Errorf("%d parsed certificates are remembered, want 2", s.Parses())
	}
}
