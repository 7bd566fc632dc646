package store_test

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"newleaf"
	"newleaf/internal/store"
)

// model is what the store should hold, in the plainest way.
type model struct {
	certificates []newleaf.Certificate
	bindings     newleaf.Bindings
	owed         []newleaf.Owed
}

func (m model) clone() model {
	return model{slices.Clone(m.certificates), slices.Clone(m.bindings), slices.Clone(m.owed)}
}

func (m *model) find(id newleaf.ID) int {
	return slices.IndexFunc(m.certificates, func(c newleaf.Certificate) bool { return c.ID == id })
}

func (m *model) named(name string, other newleaf.ID) bool {
	return slices.ContainsFunc(m.certificates, func(c newleaf.Certificate) bool { return c.Name == name && c.ID != other })
}

func (m *model) add(c newleaf.Certificate) newleaf.Code {
	switch {
	case m.find(c.ID) >= 0:
		return newleaf.CodeAlreadyHeld
	case m.named(c.Name, c.ID):
		return newleaf.CodeNameTaken
	}
	m.certificates = append(m.certificates, c)
	return ""
}

func (m *model) update(c newleaf.Certificate) newleaf.Code {
	i := m.find(c.ID)
	switch {
	case m.named(c.Name, c.ID):
		return newleaf.CodeNameTaken
	case i < 0:
		return newleaf.CodeNotFound
	}
	c.Origin, c.KeyID = m.certificates[i].Origin, m.certificates[i].KeyID
	m.certificates[i] = c
	return ""
}

func (m *model) remove(id newleaf.ID) newleaf.Code {
	i := m.find(id)
	if i < 0 {
		return newleaf.CodeNotFound
	}
	m.certificates = slices.Delete(m.certificates, i, i+1)
	return ""
}

func (m *model) bind(b newleaf.Binding) {
	m.bindings = slices.DeleteFunc(m.bindings, func(o newleaf.Binding) bool { return o.Purpose == b.Purpose })
	if b.Current != "" || b.Trial != "" || b.Previous != "" || b.Loaded != "" {
		m.bindings = append(m.bindings, b)
		slices.SortFunc(m.bindings, func(a, b newleaf.Binding) int { return strings.Compare(string(a.Purpose), string(b.Purpose)) })
	}
}

func (m *model) owe(o newleaf.Owed) {
	if i := slices.IndexFunc(m.owed, func(x newleaf.Owed) bool { return x.Certificate == o.Certificate }); i >= 0 {
		m.owed[i] = o
		return
	}
	m.owed = append(m.owed, o)
}

func (m *model) settle(id newleaf.ID) {
	m.owed = slices.DeleteFunc(m.owed, func(o newleaf.Owed) bool { return o.Certificate == id })
}

// machine does the same to store and model.
type machine struct {
	t    *testing.T
	dir  string
	s    *store.Store
	pool []newleaf.Certificate
	m    model
}

// step is a random change: one for the transaction, one for the model. The first
// gives the error the second tells the code of.
func (x *machine) step(r *rapid.T) (func(*store.Tx) error, func(*model) newleaf.Code) {
	c := rapid.SampledFrom(x.pool).Draw(r, "certificate")
	id := rapid.SampledFrom([]newleaf.ID{"", c.ID})
	c.Name = rapid.SampledFrom([]string{"a", "b", "c", "d"}).Draw(r, "name")
	c.KeyID = rapid.SampledFrom([]string{"k1", "k2"}).Draw(r, "key")
	c.Pinned = rapid.Bool().Draw(r, "pinned")
	c.State = rapid.SampledFrom([]newleaf.State{newleaf.StateHeld, newleaf.StatePending, newleaf.StateRejected}).Draw(r, "state")
	c.Origin = rapid.SampledFrom([]newleaf.Origin{newleaf.Factory, newleaf.Enrolled}).Draw(r, "origin")
	switch rapid.IntRange(0, 5).Draw(r, "change") {
	case 0:
		return func(tx *store.Tx) error { return tx.AddCertificate(c) }, func(m *model) newleaf.Code { return m.add(c) }
	case 1:
		return func(tx *store.Tx) error { return tx.UpdateCertificate(c) }, func(m *model) newleaf.Code { return m.update(c) }
	case 2:
		return func(tx *store.Tx) error { return tx.DeleteCertificate(c.ID) }, func(m *model) newleaf.Code { return m.remove(c.ID) }
	case 3:
		b := newleaf.Binding{Purpose: rapid.SampledFrom([]newleaf.Purpose{"tls", "tls:portal", "ipsec"}).Draw(r, "purpose"),
			Current: id.Draw(r, "current"), Trial: id.Draw(r, "trial"), Previous: id.Draw(r, "previous"), Loaded: id.Draw(r, "loaded")}
		return func(tx *store.Tx) error { return tx.PutBinding(b) }, func(m *model) newleaf.Code { m.bind(b); return "" }
	case 4:
		o := newleaf.Owed{Certificate: c.ID, Rule: rapid.SampledFrom(newleaf.AllRules()).Draw(r, "rule"), Rules: []newleaf.Rule{}, NotBefore: then}
		return func(tx *store.Tx) error { return tx.PutOwed(o) }, func(m *model) newleaf.Code { m.owe(o); return "" }
	default:
		return func(tx *store.Tx) error { return tx.DeleteOwed(c.ID) }, func(m *model) newleaf.Code { m.settle(c.ID); return "" }
	}
}

// write does one to four steps in one transaction; the first that fails undoes all.
func (x *machine) write(r *rapid.T) {
	next, want := x.m.clone(), newleaf.Code("")
	err := x.s.Write(x.t.Context(), func(tx *store.Tx) error {
		for range rapid.IntRange(1, 4).Draw(r, "steps") {
			change, expect := x.step(r)
			want = expect(&next)
			if err := change(tx); err != nil || want != "" {
				return err
			}
		}
		return nil
	})
	if newleaf.CodeOf(err) != want {
		r.Fatalf("got %v, want code %q", err, want)
	}
	if err == nil {
		x.m = next
	}
}

// abandon does one step and lets the transaction fail.
func (x *machine) abandon(r *rapid.T) {
	abandoned := errors.New("abandoned")
	err := x.s.Write(x.t.Context(), func(tx *store.Tx) error {
		change, _ := x.step(r)
		_ = change(tx) // whether or not it succeeds
		return abandoned
	})
	if !errors.Is(err, abandoned) {
		r.Fatal(err)
	}
}

func (x *machine) reopen(r *rapid.T) {
	if rapid.IntRange(0, 9).Draw(r, "rarely") == 0 {
		x.s = reopen(x.t, x.s, x.dir)
	}
}

func (x *machine) check(r *rapid.T) {
	err := x.s.Read(x.t.Context(), func(tx *store.Tx) error {
		var got model
		var err error
		if got.certificates, err = tx.Certificates(); err != nil {
			return err
		}
		if got.bindings, err = tx.Bindings(); err != nil {
			return err
		}
		if got.owed, err = tx.Owed(); err != nil {
			return err
		}
		want := x.m.clone()
		for i := range want.certificates[:min(len(want.certificates), len(got.certificates))] {
			want.certificates[i].Size = got.certificates[i].Size
		}
		if !reflect.DeepEqual(want, got) { // a Diff each time would take most of the time
			return fmt.Errorf("-model +store:\n%s", cmp.Diff(want, got, cmp.AllowUnexported(model{})))
		}
		held := slices.DeleteFunc(slices.Clone(got.certificates), func(c newleaf.Certificate) bool { return c.State != newleaf.StateHeld })
		size := int64(0)
		for _, c := range held {
			size += c.Size
		}
		number, bytes, err := tx.Usage()
		if err == nil && (number != len(held) || bytes != size) {
			return fmt.Errorf("usage %d, %d; want %d, %d", number, bytes, len(held), size)
		}
		return err
	})
	if err != nil {
		r.Fatal(err)
	}
}

func TestModel(t *testing.T) {
	x := machine{t: t, dir: t.TempDir()}
	x.s = open(t, x.dir)
	for i := range 6 {
		c := entry(t, fmt.Sprint("pool ", i))
		var err error
		if c.Parsed, err = newleaf.Parse(c.DER); err != nil {
			t.Fatal(err)
		}
		x.pool = append(x.pool, c)
	}
	rapid.Check(t, func(r *rapid.T) {
		x.m = model{[]newleaf.Certificate{}, newleaf.Bindings{}, []newleaf.Owed{}}
		x.s.Exec(t, `DELETE FROM certificates; DELETE FROM bindings; DELETE FROM owed`)
		r.Repeat(map[string]func(*rapid.T){"": x.check, "write": x.write, "abandon": x.abandon, "reopen": x.reopen})
	})
}
