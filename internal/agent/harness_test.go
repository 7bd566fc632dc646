package agent_test

import (
	"bytes"
	"context"
	"encoding/pem"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"newleaf"
	"newleaf/internal/agent"
	"newleaf/internal/ca"
	"newleaf/internal/store"
)

// held is what must not change when a renewal fails: the entries with their
// purposes, the anchors, and the keys that can still be opened.
type held struct {
	Certificates []newleaf.Listed
	Bindings     newleaf.Bindings
	Anchors      []newleaf.AnchorInfo
	Keys         []string
}

// holding reads it.
func (d *device) holding() (h held) {
	d.t.Helper()
	var err error
	if h.Certificates, err = d.List(context.Background()); err != nil {
		d.t.Fatal(err)
	}
	for i := range h.Certificates {
		h.Certificates[i].Expired, h.Certificates[i].States = false, nil // time alone changes them
	}
	if h.Anchors, err = d.AnchorList(context.Background()); err != nil {
		d.t.Fatal(err)
	}
	d.read(func(tx *store.Tx) error {
		if h.Bindings, err = tx.Bindings(); err != nil {
			return err
		}
		sealed, err := tx.Keys()
		for _, k := range sealed {
			h.Keys = append(h.Keys, k.ID)
		}
		return err
	})
	return h
}

// unchanged compares with what was held before.
func (d *device) unchanged(before held) {
	d.t.Helper()
	if diff := cmp.Diff(before, d.holding()); diff != "" {
		d.t.Errorf("what the device holds has changed:\n%s", diff)
	}
}

func (d *device) read(f func(*store.Tx) error) {
	d.t.Helper()
	if err := d.store.Read(context.Background(), f); err != nil {
		d.t.Fatal(err)
	}
}

// secrets names the passwords in the store.
func (d *device) secrets() (names []string) {
	d.t.Helper()
	d.read(func(tx *store.Tx) error {
		all, err := tx.Secrets()
		for name := range all {
			names = append(names, name)
		}
		return err
	})
	slices.Sort(names)
	return names
}

// generation counts the destructions of keys.
func (d *device) generation() (n uint64) {
	d.t.Helper()
	d.read(func(tx *store.Tx) error { _, err := tx.Document(store.DocGeneration, &n); return err })
	return n
}

// update starts an update by hand and lets the agent walk.
func (d *device) update(ref string) newleaf.Renewal {
	d.t.Helper()
	_, started, err := d.Update(context.Background(), []string{ref}, false)
	if err != nil {
		d.t.Fatal(err)
	}
	d.tick()
	return d.renewal(started[0].ID)
}

// named is the certificate of that name.
func (d *device) named(name string) newleaf.Detail {
	d.t.Helper()
	c, err := d.Certificate(context.Background(), name)
	if err != nil {
		d.t.Fatal(err)
	}
	return c
}

// stands checks phase and code of a renewal.
func (d *device) stands(r newleaf.Renewal, phase newleaf.Phase, code newleaf.Code) {
	d.t.Helper()
	var have newleaf.Code
	if r.Error != nil {
		have = r.Error.Code
	}
	if r.Phase != phase || have != code {
		d.t.Fatalf("the renewal stands at %s, %s with code %q (%v), want %s with %q", r.Step, r.Phase, have, r.Error, phase, code)
	}
}

// until lets time pass from one thing to do to the next, as Run does. Where there
// is nothing to do it goes by this step, or by an eighth of the time that is left.
func (d *device) until(end time.Time, step time.Duration) {
	d.t.Helper()
	for d.now.Before(end) {
		next, err := d.Tick(context.Background())
		if err != nil {
			d.t.Fatal(err)
		}
		idle := d.now.Add(max(step, end.Sub(d.now)/8))
		d.now = earliest(end, idle, latest(next, d.now.Add(time.Second)))
	}
	d.tick()
}

func earliest(all ...time.Time) time.Time { return slices.MinFunc(all, time.Time.Compare) }
func latest(all ...time.Time) time.Time   { return slices.MaxFunc(all, time.Time.Compare) }

// decisions are the lines of the authority's log.
func (d *device) decisions() []ca.Entry {
	d.t.Helper()
	log, err := d.authority.Requests(context.Background(), 0)
	if err != nil {
		d.t.Fatal(err)
	}
	return log
}

// requests counts the messages that reached the authority, answered or not.
func (d *device) requests() (n int) {
	for _, x := range d.authority.Exchanges() {
		if x.Operation == "PKIOperation" {
			n++
		}
	}
	return n
}

// misbehave replaces the authority's script; none ends it.
func (d *device) misbehave(words ...string) {
	d.t.Helper()
	if err := d.authority.SetMischief(words); err != nil {
		d.t.Fatal(err)
	}
}

// connect changes the connection.
func (d *device) connect(change func(*newleaf.Connection)) {
	d.t.Helper()
	all, err := d.ConnectionList(context.Background())
	if err != nil {
		d.t.Fatal(err)
	}
	c := all[0].Connection
	change(&c)
	if _, err := d.SetConnection(context.Background(), c); err != nil {
		d.t.Fatal(err)
	}
}

// whole checks the journal's chain of hashes.
func (d *device) whole() {
	d.t.Helper()
	d.read(func(tx *store.Tx) error { return tx.VerifyJournal() })
}

// ders are the certificates that an event carries.
func ders(e newleaf.Event) (out [][]byte) {
	for _, text := range e.Data {
		for block, rest := pem.Decode([]byte(text)); block != nil; block, rest = pem.Decode(rest) {
			out = append(out, block.Bytes)
		}
	}
	return out
}

// carries reports that an event has this certificate.
func carries(e newleaf.Event, id newleaf.ID) bool {
	return slices.ContainsFunc(ders(e), func(der []byte) bool { return newleaf.IDOf(der) == id })
}

// spared finds the event that tells why a rule that hit id did not delete it.
func (d *device) spared(id newleaf.ID) newleaf.Reason {
	d.t.Helper()
	for _, e := range slices.Backward(d.events(newleaf.EventSpared)) {
		if e.Certificate == id {
			return newleaf.Reason(e.Data["reason"])
		}
	}
	return ""
}

// deletedBy maps the names of deleted certificates to their rule.
func (d *device) deletedBy() map[string]string {
	d.t.Helper()
	out := map[string]string{}
	for _, e := range d.events(newleaf.EventDeleted) {
		out[e.Data["name"]] = e.Data["rule"]
	}
	return out
}

// unused adds to fx17A one certificate without a purpose.
func unused(d *device, p *agent.Provision) {
	fx17A(d, p)
	d.add(p, "Old", newleaf.Enrolled, start.AddDate(-2, 0, 0), start.AddDate(1, 0, 0))
}

// pemOf is the PEM form of a DER certificate.
func pemOf(ders ...[]byte) []byte {
	var b bytes.Buffer
	for _, der := range ders {
		_ = pem.Encode(&b, &pem.Block{Type: "CERTIFICATE", Bytes: der}) // a Buffer cannot fail
	}
	return b.Bytes()
}

// wantCode checks the code of an error.
func wantCode(t testing.TB, err error, want newleaf.Code) {
	t.Helper()
	if have := newleaf.CodeOf(err); have != want {
		t.Fatalf("the code is %q (%v), want %q", have, err, want)
	}
}

// says checks that a text has all of the words.
func says(t testing.TB, text string, words ...string) {
	t.Helper()
	for _, w := range words {
		if !strings.Contains(text, w) {
			t.Errorf("%q does not say %q", text, w)
		}
	}
}

var _ = fmt.Sprint
