package store_test

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"newleaf"
	"newleaf/internal/store"
)

func TestKeysAndSecrets(t *testing.T) {
	s := open(t, t.TempDir())
	old := store.Key{ID: "k", Generation: 1, Wrapped: []byte("w1"), Blob: []byte("b")}
	fresh := store.Key{ID: "k", Generation: 2, Wrapped: []byte("w2"), Blob: []byte("b")}
	write(t, s, func(tx *store.Tx) error {
		for _, k := range []store.Key{old, fresh} {
			if err := tx.PutKey(k); err != nil {
				return err
			}
			if err := tx.PutSecret("password:default", k); err != nil {
				return err
			}
		}
		return nil
	})
	write(t, s, func(tx *store.Tx) error {
		k, found, err := tx.Key("k")
		if diff := cmp.Diff(fresh, k); err != nil || !found || diff != "" {
			t.Errorf("key: %v, %v\n%s", found, err, diff)
		}
		k, found, err = tx.Secret("password:default")
		if diff := cmp.Diff(fresh, k); err != nil || !found || diff != "" {
			t.Errorf("secret: %v, %v\n%s", found, err, diff)
		}
		for range 2 { // deleting twice is no error
			if err := tx.DeleteKey("k"); err != nil {
				return err
			}
			if err := tx.DeleteSecret("password:default"); err != nil {
				return err
			}
		}
		if _, found, err := tx.Key("k"); found || err != nil {
			t.Errorf("a deleted key: %v, %v", found, err)
		}
		if _, found, err := tx.Secret("password:default"); found || err != nil {
			t.Errorf("a deleted secret: %v, %v", found, err)
		}
		return nil
	})
}

func TestBindings(t *testing.T) {
	s := open(t, t.TempDir())
	put := func(b newleaf.Binding) newleaf.Bindings {
		write(t, s, func(tx *store.Tx) error { return tx.PutBinding(b) })
		return get(t, s, (*store.Tx).Bindings)
	}
	put(newleaf.Binding{Purpose: newleaf.TLS, Current: "a"})
	got := put(newleaf.Binding{Purpose: newleaf.TLS, Current: "a", Trial: "b"}) // DM-07
	if diff := cmp.Diff(newleaf.Bindings{{Purpose: newleaf.TLS, Current: "a", Trial: "b"}}, got); diff != "" {
		t.Error(diff)
	}
	if got := put(newleaf.Binding{Purpose: newleaf.TLS, Until: then}); len(got) != 0 {
		t.Errorf("a binding without certificates stays: %+v", got)
	}
}

func TestAnchors(t *testing.T) {
	s := open(t, t.TempDir())
	der := selfSigned(t, "CA01")
	a := newleaf.Anchor{ID: newleaf.IDOf(der), DER: der, Connection: "default", Role: newleaf.RoleAnchor}
	confirmed := a
	confirmed.Confirmed = true
	for _, put := range []newleaf.Anchor{a, confirmed} {
		write(t, s, func(tx *store.Tx) error { return tx.PutAnchor(put) })
	}
	if got := get(t, s, (*store.Tx).Anchors); len(got) != 1 || !got[0].Confirmed {
		t.Errorf("got %+v, want one, confirmed", got)
	}
	for name, change := range map[string]func(*newleaf.Anchor){
		"no certificate": func(a *newleaf.Anchor) { a.DER = []byte("x"); a.ID = newleaf.IDOf(a.DER) },
		"ID of another":  func(a *newleaf.Anchor) { a.ID = "x" },
		"no such role":   func(a *newleaf.Anchor) { a.Role = "" },
	} {
		bad := a
		change(&bad)
		t.Run(name, func(t *testing.T) {
			wantCode(t, s.Write(t.Context(), func(tx *store.Tx) error { return tx.PutAnchor(bad) }), newleaf.CodeInvalid)
		})
	}
	remove := func(connection string) error {
		return s.Write(t.Context(), func(tx *store.Tx) error { return tx.DeleteAnchor(a.ID, connection) })
	}
	wantCode(t, remove("other"), newleaf.CodeNotFound)
	wantCode(t, remove("default"), "")
	if got := get(t, s, (*store.Tx).Anchors); len(got) != 0 {
		t.Errorf("got %+v, want none", got)
	}
}

func TestConnections(t *testing.T) {
	s := open(t, t.TempDir())
	c := newleaf.NewConnection("default")
	c.URL = "http://ca.example/scep"
	write(t, s, func(tx *store.Tx) error { return tx.PutConnection(c) })
	c.Weak = []newleaf.Weak{newleaf.Weak3DES, newleaf.WeakSHA1}
	write(t, s, func(tx *store.Tx) error {
		if err := tx.PutConnection(c); err != nil {
			return err
		}
		got, err := tx.Connection("default")
		if diff := cmp.Diff(c, got); diff != "" {
			t.Error(diff)
		}
		_, none := tx.Connection("other")
		wantCode(t, none, newleaf.CodeNoConnection)
		wantCode(t, tx.DeleteConnection("other"), newleaf.CodeNotFound)
		return err
	})
	write(t, s, func(tx *store.Tx) error { return tx.DeleteConnection("default") })
	if got := get(t, s, (*store.Tx).Connections); len(got) != 0 {
		t.Errorf("got %+v, want none", got)
	}
	c.Weak = []newleaf.Weak{"3des,sha1"}
	if err := s.Write(t.Context(), func(tx *store.Tx) error { return tx.PutConnection(c) }); err == nil {
		t.Error("a word with a comma was stored and would come back as two")
	}
}

func TestTokens(t *testing.T) {
	s := open(t, t.TempDir())
	want := newleaf.Token{ID: "t1", Name: "ci", Role: newleaf.Viewer, Created: then, Expires: then.AddDate(0, 1, 0)}
	write(t, s, func(tx *store.Tx) error { return tx.PutToken(want, []byte("hash")) })
	write(t, s, func(tx *store.Tx) error {
		got, found, err := tx.TokenByHash([]byte("hash"))
		if diff := cmp.Diff(want, got); err != nil || !found || diff != "" {
			t.Errorf("%v, %v\n%s", found, err, diff)
		}
		if _, found, err := tx.TokenByHash([]byte("hash2")); found || err != nil {
			t.Errorf("a wrong hash: %v, %v", found, err)
		}
		if _, found, err := tx.TokenByHash(nil); found || err != nil {
			t.Errorf("no hash: %v, %v", found, err)
		}
		wantCode(t, tx.DeleteToken("t2"), newleaf.CodeNotFound)
		if err := tx.DeleteToken("t1"); err != nil {
			return err
		}
		if _, found, err := tx.TokenByHash([]byte("hash")); found || err != nil {
			t.Errorf("a revoked one: %v, %v", found, err)
		}
		return nil
	})
}

func TestOwedIsOnePerCertificate(t *testing.T) {
	s := open(t, t.TempDir())
	want := newleaf.Owed{Certificate: "a", Rule: newleaf.RuleSelf, Rules: []newleaf.Rule{newleaf.RuleSelf, newleaf.RuleExpired}, NotBefore: then}
	write(t, s, func(tx *store.Tx) error {
		if err := tx.PutOwed(newleaf.Owed{Certificate: "a", Rule: newleaf.RuleReplaced}); err != nil {
			return err
		}
		return tx.PutOwed(want)
	})
	if diff := cmp.Diff([]newleaf.Owed{want}, get(t, s, (*store.Tx).Owed)); diff != "" {
		t.Error(diff)
	}
	write(t, s, func(tx *store.Tx) error { return tx.DeleteOwed("a") })
	write(t, s, func(tx *store.Tx) error { return tx.DeleteOwed("a") })
	if got := get(t, s, (*store.Tx).Owed); len(got) != 0 {
		t.Errorf("got %+v, want none", got)
	}
}

func TestRenewals(t *testing.T) {
	s := open(t, t.TempDir())
	write(t, s, func(tx *store.Tx) error {
		put := func(r newleaf.Renewal) newleaf.Renewal {
			t.Helper()
			r, err := tx.PutRenewal(r)
			if err != nil {
				t.Fatal(err)
			}
			return r
		}
		slow := put(newleaf.Renewal{Phase: newleaf.PhasePending})
		for i := range 205 {
			r := put(newleaf.Renewal{Phase: newleaf.PhaseRunning})
			r.Phase, r.Tries = newleaf.PhaseDone, i
			put(r)
			if i == 50 {
				put(newleaf.Renewal{ID: 3, Phase: newleaf.PhaseDone}) // it ended long ago and does not become newer
			}
		}
		slow.Phase = newleaf.PhaseFailed
		put(slow)

		all, err := tx.Renewals(false)
		if err != nil {
			return err
		}
		// The slow one ended last and so stays; its ID puts it first in the list.
		if len(all) != 200 || all[0].ID != slow.ID || all[1].ID != 8 || all[199].ID != 206 {
			t.Errorf("%d are kept: %d, %d ... %d", len(all), all[0].ID, all[1].ID, all[len(all)-1].ID)
		}
		running, err := tx.Renewals(true)
		if err != nil || len(running) != 0 {
			t.Errorf("open: %+v, %v", running, err)
		}
		slow.Phase = newleaf.PhaseRetry // a person retries it
		put(slow)
		if running, err = tx.Renewals(true); err != nil || len(running) != 1 || running[0].ID != slow.ID {
			t.Errorf("open: %+v, %v", running, err)
		}
		got, err := tx.Renewal(slow.ID)
		if diff := cmp.Diff(slow, got); err != nil || diff != "" {
			t.Errorf("%v\n%s", err, diff)
		}
		_, err = tx.Renewal(2)
		wantCode(t, err, newleaf.CodeNotFound)
		_, err = tx.PutRenewal(newleaf.Renewal{ID: 2})
		wantCode(t, err, newleaf.CodeNotFound)
		return nil
	})
}

// The ID of a renewal that was forgotten never names another.
func TestRenewalIDs(t *testing.T) {
	s := open(t, t.TempDir())
	for i := range 3 {
		var r newleaf.Renewal
		write(t, s, func(tx *store.Tx) (err error) { r, err = tx.PutRenewal(r); return err })
		if r.ID != int64(i+1) {
			t.Errorf("got ID %d, want %d", r.ID, i+1)
		}
		s.Exec(t, fmt.Sprintf(`DELETE FROM renewals WHERE id = %d`, r.ID))
	}
}
