package agent_test

import (
	"context"
	"maps"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"newleaf"
	"newleaf/internal/agent"
	"newleaf/internal/ca"
	"newleaf/internal/deploy"
	"newleaf/internal/enroll"
	"newleaf/internal/keys"
	"newleaf/internal/newleaftest"
	"newleaf/internal/store"
)

// start is when the tests' time begins: after any build date.
var start = time.Date(2027, 3, 1, 12, 0, 0, 0, time.UTC)

// device is an agent on a real store, beside an authority without sockets, with
// the time in the test's hand.
type device struct {
	*agent.Agent
	t         testing.TB
	dir       string
	now       time.Time
	wall      bool // in a synctest bubble: time.Now instead of now
	trusted   bool
	authority *newleaftest.Authority
	targets   map[newleaf.Purpose]*target
	real      map[newleaf.Purpose]deploy.Target // beside targets
	restarts  int
	dial      func(newleaf.Connection) (enroll.Client, error)
	stop      func(string)
	store     *store.Store
	vault     *keys.Vault
}

// newDevice starts a device; p, if it is not nil, changes what it is provisioned
// with.
func newDevice(t testing.TB, o ca.Options, p func(*device, *agent.Provision)) *device {
	t.Helper()
	d := &device{t: t, dir: t.TempDir(), now: start, trusted: true, targets: map[newleaf.Purpose]*target{newleaf.TLS: {takes: newleaf.NeedLive, says: newleaf.EvidenceProven}}}
	d.wall = o.Now != nil
	o.Now = d.time
	d.authority = newleaftest.NewAuthority(t, o)
	d.dial = d.authority.Dial
	provision := agent.Provision{Lab: true, Now: d.time(), Kinds: newleaf.BuiltinKinds(), Settings: newleaf.DefaultSettings(),
		Reservation: newleaf.DefaultReservation("UTC"), Deletion: newleaf.DefaultDeletion()}
	c := newleaf.NewConnection(newleaf.DefaultConnection)
	c.URL = "http://authority.example/scep"
	provision.Connections = []newleaf.Connection{c}
	issuer := d.authority.Identity().Issuer
	parsed, err := newleaf.Parse(issuer.Raw)
	if err != nil {
		t.Fatal(err)
	}
	provision.Anchors = []newleaf.Anchor{{ID: newleaf.IDOf(issuer.Raw), DER: issuer.Raw, Connection: c.Name, Role: newleaf.RoleAnchor,
		Confirmed: true, Added: d.time(), Source: "provision", Parsed: parsed}}
	if p != nil {
		p(d, &provision)
	}
	st, vault := d.open()
	if err := provision.Fill(context.Background(), st, vault); err != nil {
		t.Fatal(err)
	}
	d.begin(st, vault)
	t.Cleanup(func() { _ = d.store.Close() })
	return d
}

func (d *device) open() (*store.Store, *keys.Vault) {
	d.t.Helper()
	st, err := store.Open(d.dir)
	if err != nil {
		d.t.Fatal(err)
	}
	var generation uint64
	err = st.Read(context.Background(), func(tx *store.Tx) error {
		_, err := tx.Document(store.DocGeneration, &generation)
		return err
	})
	if err != nil {
		d.t.Fatal(err)
	}
	vault, err := keys.OpenVault(filepath.Join(d.dir, "kek"), generation)
	if err != nil {
		d.t.Fatal(err)
	}
	if generation == 0 {
		err = st.Write(context.Background(), func(tx *store.Tx) error { return tx.PutDocument(store.DocGeneration, vault.Generation()) })
		if err != nil {
			d.t.Fatal(err)
		}
	}
	return st, vault
}

func (d *device) begin(st *store.Store, vault *keys.Vault) {
	d.t.Helper()
	targets := map[newleaf.Purpose]deploy.Target{}
	for p, t := range d.targets {
		targets[p] = t
	}
	maps.Copy(targets, d.real)
	a, err := agent.New(context.Background(), agent.Options{
		Store: st, Vault: vault, Kinds: newleaf.BuiltinKinds(), Targets: targets,
		Dial: func(c newleaf.Connection) (enroll.Client, error) { return d.dial(c) },
		Now:  d.time,
		Clock: func() newleaf.ClockReading {
			return newleaf.ClockReading{Now: d.time(), Build: start.AddDate(0, -1, 0), Synchronized: true, Lab: &d.trusted}
		},
		Stop: func(point string) {
			if d.stop != nil {
				d.stop(point)
			}
		},
		Restart: func(context.Context) error { d.restarts++; return nil },
		Address: func() string { return "https://device.example" }, Version: "test", Log: func(s string) { d.t.Log(s) },
	})
	if err != nil {
		d.t.Fatal(err)
	}
	d.Agent, d.store, d.vault = a, st, vault
}

func (d *device) time() time.Time {
	if d.wall {
		return time.Now()
	}
	return d.now
}

// reboot starts the agent anew on what the store holds.
func (d *device) reboot() {
	d.t.Helper()
	if err := d.store.Close(); err != nil {
		d.t.Fatal(err)
	}
	d.begin(d.open())
}

// tick lets the agent do what is due now.
func (d *device) tick() {
	d.t.Helper()
	if _, err := d.Tick(context.Background()); err != nil {
		d.t.Fatal(err)
	}
}

// after moves the clock and ticks.
func (d *device) after(step time.Duration) {
	d.t.Helper()
	d.now = d.now.Add(step)
	d.tick()
}

// issue asks for a certificate and lets the agent walk.
func (d *device) issue(name string, purposes ...newleaf.Purpose) newleaf.Renewal {
	d.t.Helper()
	r, err := d.Issue(context.Background(), issueOf(name, purposes...))
	if err != nil {
		d.t.Fatal(err)
	}
	d.tick()
	return d.renewal(r.ID)
}

func issueOf(name string, purposes ...newleaf.Purpose) newleaf.Issue {
	q := newleaf.DefaultRequest()
	q.Name, q.Key, q.Subject, q.Purposes = name, newleaf.RSA1024, "C=JP,O=ABC,OU=DEV01,CN="+name, purposes
	return newleaf.Issue{Request: q, Password: "secret"}
}

func (d *device) renewal(id int64) newleaf.Renewal {
	d.t.Helper()
	r, err := d.Renewal(context.Background(), id)
	if err != nil {
		d.t.Fatal(err)
	}
	return r
}

// last is the newest renewal.
func (d *device) last() newleaf.Renewal {
	d.t.Helper()
	all, err := d.Renewals(context.Background())
	if err != nil || len(all) == 0 {
		d.t.Fatalf("no renewal: %v", err)
	}
	return all[len(all)-1]
}

// holds checks the store: "name" or "name:purpose,purpose", in order.
func (d *device) holds(want ...string) {
	d.t.Helper()
	all, err := d.List(context.Background())
	if err != nil {
		d.t.Fatal(err)
	}
	var have []string
	for _, c := range all {
		s := c.Name
		for i, p := range c.Purposes {
			s += map[bool]string{true: ":", false: ","}[i == 0] + string(p)
		}
		have = append(have, s)
	}
	if !slices.Equal(have, want) {
		d.t.Fatalf("the store holds %q, want %q", have, want)
	}
}

// deleting switches automatic deletion on with these rules.
func (d *device) deleting(change func(*newleaf.DeletionPolicy), rules ...newleaf.Rule) {
	d.t.Helper()
	p := newleaf.DefaultDeletion()
	p.Auto, p.Rules = true, rules
	if change != nil {
		change(&p)
	}
	if _, err := d.SetDeletion(context.Background(), p); err != nil {
		d.t.Fatal(err)
	}
}

// reserve sets the update reservation, without jitter.
func (d *device) reserve(change func(*newleaf.Reservation)) {
	d.t.Helper()
	r := newleaf.DefaultReservation("UTC")
	r.Jitter = 0
	change(&r)
	if _, err := d.SetReservation(context.Background(), r); err != nil {
		d.t.Fatal(err)
	}
}

// events lists the kinds of events so far, of one kind only if given.
func (d *device) events(kind newleaf.EventKind) []newleaf.Event {
	d.t.Helper()
	all, err := d.Events(context.Background(), 0, 0)
	if err != nil {
		d.t.Fatal(err)
	}
	return slices.DeleteFunc(all, func(e newleaf.Event) bool { return e.Kind != kind })
}

// target is a user of certificates that takes what it is given and says what the
// test wants.
type target struct {
	takes   newleaf.Need
	says    newleaf.Evidence
	accepts bool
	fails   error
	serves  newleaf.ID
	history []newleaf.ID
}

func (t *target) Put(_ context.Context, m deploy.Material) error {
	if t.fails != nil {
		return t.fails
	}
	t.serves = m.ID
	t.history = append(t.history, m.ID)
	return nil
}

func (t *target) Evidence(_ context.Context, m deploy.Material) (newleaf.Evidence, string) {
	if t.serves != m.ID {
		return newleaf.EvidenceNone, "the target serves another certificate"
	}
	return t.says, "the target was asked"
}

func (t *target) Retain(context.Context, newleaf.Purpose, []newleaf.ID) error { return nil }
func (t *target) Need() newleaf.Need                                          { return t.takes }
func (t *target) AcceptsAssumed() bool                                        { return t.accepts }

// fx17A is the store of Fig. 17A, issued by the device's authority.
func fx17A(d *device, p *agent.Provision) {
	for _, c := range []struct {
		name    string
		purpose newleaf.Purpose
	}{{"Xyz1", newleaf.TLS}, {"Xyz2", newleaf.IPsec}, {"Xyz3", newleaf.Dot1X}} {
		d.add(p, c.name, newleaf.Enrolled, start.AddDate(-1, 0, 0), start.AddDate(1, 0, 0), c.purpose)
	}
}

// add provisions one more certificate of the given origin.
func (d *device) add(p *agent.Provision, name string, origin newleaf.Origin, from, to time.Time, purposes ...newleaf.Purpose) {
	d.t.Helper()
	var parent *enroll.Credential
	if origin == newleaf.Enrolled || origin == newleaf.Imported {
		former := newleaftest.Certificate(d.t, "C=JP,CN=CA01", from, to, nil)
		parent = &former
	}
	c := newleaftest.Certificate(d.t, "C=JP,O=ABC,OU=Dev.A,CN=Device001", from, to, parent)
	one := agent.Provisioned{Key: c.Key, Purposes: purposes, Certificate: newleaf.Certificate{Name: name, DER: c.Certificate.Raw, Origin: origin, Added: from}}
	if origin == newleaf.Enrolled {
		one.Connection = newleaf.DefaultConnection
	}
	p.Certificates = append(p.Certificates, one)
}
