package store_test

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"newleaf"
	"newleaf/internal/store"
)

// examples are values of T with whatever its fields can hold. It fails when a
// field is zero in all of them, as then the test would not notice it missing.
func examples[T any](t *testing.T, adjust func(i int, v *T)) []T {
	t.Helper()
	list := func(words ...string) *rapid.Generator[[]string] {
		return rapid.SliceOfN(rapid.SampledFrom(words), 0, 3)
	}
	generator := rapid.MakeCustom[T](rapid.MakeConfig{Types: map[reflect.Type]*rapid.Generator[any]{
		reflect.TypeFor[time.Time](): rapid.Map(rapid.Int64Range(-6e10, 2.5e11), func(s int64) time.Time {
			if s%10 == 0 {
				return time.Time{}
			}
			return time.Unix(s, s%1e9).UTC()
		}).AsAny(),
		reflect.TypeFor[[]newleaf.Rule](): rapid.Map(list("replaced", "self"), as[newleaf.Rule]).AsAny(),
		reflect.TypeFor[[]newleaf.Weak](): rapid.Map(list("3des", "sha1"), as[newleaf.Weak]).AsAny(),
		reflect.TypeFor[error]():          rapid.Just(error(nil)).AsAny(),
	}})
	all := make([]T, 12)
	for i := range all {
		all[i] = generator.Example(i + 1)
		adjust(i, &all[i])
	}
	for field := range reflect.TypeFor[T]().NumField() {
		f := reflect.TypeFor[T]().Field(field)
		used := slices.ContainsFunc(all, func(v T) bool { return !reflect.ValueOf(v).Field(field).IsZero() })
		if !used && f.Name != "Damaged" && f.Name != "Parsed" {
			t.Fatalf("no example sets %s.%s", f.Type, f.Name)
		}
	}
	return all
}

func as[T ~string](words []string) []T {
	out := []T{}
	for _, w := range words {
		out = append(out, T(w))
	}
	return out
}

// roundTrip puts values, closes the store, opens it and compares what it lists.
func roundTrip[T any](t *testing.T, want []T, put func(*store.Tx, T) error, list func(*store.Tx) ([]T, error), options ...cmp.Option) {
	t.Helper()
	dir := t.TempDir()
	s := open(t, dir)
	if empty := get(t, s, list); empty == nil || len(empty) != 0 {
		t.Errorf("a fresh store lists %#v, want an empty list", empty)
	}
	write(t, s, func(tx *store.Tx) error {
		for _, v := range want {
			if err := put(tx, v); err != nil {
				return fmt.Errorf("%+v: %w", v, err)
			}
		}
		return nil
	})
	got := get(t, reopen(t, s, dir), list)
	if diff := cmp.Diff(want, got, append(options, cmpopts.EquateEmpty())...); diff != "" {
		t.Errorf("after a restart (-put +listed):\n%s", diff)
	}
}

func TestRoundTripCertificate(t *testing.T) {
	all := examples(t, func(i int, c *newleaf.Certificate) {
		c.DER = selfSigned(t, "leaf")
		c.ID, c.Name, c.KeyID = newleaf.IDOf(c.DER), fmt.Sprintf("Xyz %d <ä>", i), fmt.Sprintf("key %d", i)
		c.Origin = []newleaf.Origin{newleaf.Factory, newleaf.Generated, newleaf.Enrolled, newleaf.Imported}[i%4]
		c.State = []newleaf.State{newleaf.StateHeld, newleaf.StatePending, newleaf.StateRejected}[i%3]
		c.Damaged, c.Chain = false, nil
		for range i % 3 {
			c.Chain = append(c.Chain, selfSigned(t, "issuer"))
		}
		var err error
		if c.Parsed, err = newleaf.Parse(c.DER); err != nil {
			t.Fatal(err)
		}
	})
	roundTrip(t, all, (*store.Tx).AddCertificate, (*store.Tx).Certificates, cmpopts.IgnoreFields(newleaf.Certificate{}, "Size"))
}

func TestRoundTripAnchor(t *testing.T) {
	all := examples(t, func(i int, a *newleaf.Anchor) {
		a.DER = selfSigned(t, "authority")
		a.ID = newleaf.IDOf(a.DER)
		a.Role = []newleaf.Role{newleaf.RoleAnchor, newleaf.RoleChain, newleaf.RoleRA}[i%3]
		var err error
		if a.Parsed, err = newleaf.Parse(a.DER); err != nil {
			t.Fatal(err)
		}
	})
	again := all[0] // the same one of another connection is a row of its own
	again.Connection += "other"
	roundTrip(t, append(all, again), (*store.Tx).PutAnchor, (*store.Tx).Anchors)
}

func TestRoundTripRenewal(t *testing.T) {
	all := examples(t, func(i int, r *newleaf.Renewal) {
		r.ID = int64(i + 1)
		r.Phase = []newleaf.Phase{newleaf.PhaseRunning, newleaf.PhaseDone, newleaf.PhasePending}[i%3]
	})
	put := func(tx *store.Tx, r newleaf.Renewal) error {
		id := r.ID
		r.ID = 0
		r, err := tx.PutRenewal(r)
		if r.ID != id {
			t.Errorf("renewal %d got ID %d", id, r.ID)
		}
		return err
	}
	roundTrip(t, all, put, func(tx *store.Tx) ([]newleaf.Renewal, error) { return tx.Renewals(false) })
}

func TestRoundTrip(t *testing.T) {
	t.Run("connection", func(t *testing.T) {
		all := examples(t, func(i int, c *newleaf.Connection) { c.Name = fmt.Sprint("authority ", i) })
		roundTrip(t, all, (*store.Tx).PutConnection, (*store.Tx).Connections)
	})
	t.Run("owed", func(t *testing.T) {
		all := examples(t, func(i int, o *newleaf.Owed) { o.Certificate = newleaf.ID(fmt.Sprint("id", i)) })
		roundTrip(t, all, (*store.Tx).PutOwed, (*store.Tx).Owed)
	})
	t.Run("token", func(t *testing.T) {
		all := examples(t, func(i int, k *newleaf.Token) { k.ID = fmt.Sprint("t", i) })
		put := func(tx *store.Tx, k newleaf.Token) error { return tx.PutToken(k, []byte("hash of "+k.ID)) }
		roundTrip(t, all, put, (*store.Tx).Tokens)
	})
	t.Run("binding", func(t *testing.T) {
		all := examples(t, func(i int, b *newleaf.Binding) {
			b.Purpose, b.Loaded = newleaf.Purpose(fmt.Sprintf("tls:%02d", i)), newleaf.ID(fmt.Sprint("id", i))
		})
		list := func(tx *store.Tx) ([]newleaf.Binding, error) { return tx.Bindings() }
		roundTrip(t, all, (*store.Tx).PutBinding, list)
	})
	t.Run("key", func(t *testing.T) {
		all := examples(t, func(i int, k *store.Key) { k.ID = fmt.Sprintf("%02d", i) })
		all[0].Generation = 1<<64 - 1
		roundTrip(t, all, (*store.Tx).PutKey, (*store.Tx).Keys)
	})
	t.Run("secret", func(t *testing.T) {
		all := examples(t, func(i int, k *store.Key) { k.ID = fmt.Sprintf("sealed %02d", i) })
		put := func(tx *store.Tx, k store.Key) error { return tx.PutSecret("password of "+k.ID, k) }
		roundTrip(t, all, put, func(tx *store.Tx) ([]store.Key, error) {
			byName, err := tx.Secrets()
			list := []store.Key{}
			for name, k := range byName {
				if name != "password of "+k.ID {
					t.Errorf("secret %q stands under %q", k.ID, name)
				}
				list = append(list, k)
			}
			slices.SortFunc(list, func(a, b store.Key) int { return strings.Compare(a.ID, b.ID) })
			return list, err
		})
	})
	t.Run("event", func(t *testing.T) {
		var sealed []newleaf.Event
		put := func(tx *store.Tx, e newleaf.Event) error {
			e, err := tx.Append(e)
			sealed = append(sealed, e)
			return err
		}
		all := examples(t, func(i int, e *newleaf.Event) { e.Data = map[string]string{"k": fmt.Sprint(i)} })
		list := func(tx *store.Tx) ([]newleaf.Event, error) { return tx.Events(0, 0) }
		roundTrip(t, all, put, list, cmpopts.IgnoreFields(newleaf.Event{}, "ID", "Prev", "Hash"))
		if len(sealed) != len(all) || sealed[0].ID != 1 {
			t.Errorf("Append returned %+v", sealed)
		}
	})
}

func TestRoundTripDocument(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	want := newleaf.DefaultSettings()
	want.Capacity, want.Needs = 12, map[newleaf.Purpose]newleaf.Need{newleaf.TLS: newleaf.NeedReload}
	write(t, s, func(tx *store.Tx) error {
		if found, err := tx.Document(store.DocSettings, new(newleaf.Settings)); err != nil || found {
			t.Errorf("in an empty store: %v, %v", found, err)
		}
		if err := tx.PutDocument(store.DocLab, map[string]bool{"lab": true}); err != nil {
			return err
		}
		if err := tx.PutDocument(store.DocSettings, newleaf.DefaultSettings()); err != nil {
			return err
		}
		return tx.PutDocument(store.DocSettings, want)
	})
	s = reopen(t, s, dir)
	var got newleaf.Settings
	if !get(t, s, func(tx *store.Tx) (bool, error) { return tx.Document(store.DocSettings, &got) }) {
		t.Error("the settings are gone")
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("after a restart (-put +got):\n%s", diff)
	}
	s.Exec(t, `UPDATE documents SET body = '{' WHERE key = 'settings'`)
	wantCode(t, s.Read(t.Context(), func(tx *store.Tx) error {
		_, err := tx.Document(store.DocSettings, &got)
		return err
	}), newleaf.CodeDamaged)
	defaults := newleaf.DefaultSettings()
	s.Exec(t, `UPDATE documents SET body = '{"capacity": 3}' WHERE key = 'settings'`)
	if get(t, s, func(tx *store.Tx) (bool, error) { return tx.Document(store.DocSettings, &defaults) }); defaults.Capacity != 3 || defaults.JournalEvents != 5000 {
		t.Errorf("a field that the document does not have lost its default: %+v", defaults)
	}
}
