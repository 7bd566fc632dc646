package main

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"newleaf"
)

var fakeNow = time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)

// fakeDevice is a device whose store is that of Fig. 17A and that obeys the
// root package's own decisions. Its walks do what outcome says.
type fakeDevice struct {
	newleaf.Device // what no test reaches

	mu          sync.Mutex
	certs       []newleaf.Certificate
	bindings    newleaf.Bindings
	settings    newleaf.Settings
	connections []newleaf.Connection
	anchors     []newleaf.AnchorInfo
	reservation newleaf.Reservation
	deletion    newleaf.DeletionPolicy
	events      []newleaf.Event
	renewals    []newleaf.Renewal
	tokens      []newleaf.Token
	outcome     newleaf.Renewal // phase, error and times of walks to come
	secrets     []string        // passwords and passphrases received
	writes      []string        // what changed settings
}

func fakeID(digit string) newleaf.ID { return newleaf.ID(strings.Repeat(digit, 64)) }

func fakeCert(digit, name, subject string, origin newleaf.Origin, until int) newleaf.Certificate {
	c := newleaf.Certificate{ID: fakeID(digit), Name: name, Origin: origin, KeyID: name,
		Added: fakeNow.AddDate(-1, 0, 0), Connection: newleaf.DefaultConnection}
	c.Subject, c.Issuer = subject, "CN=CA01,C=JP"
	c.NotBefore, c.NotAfter = fakeNow.AddDate(-2, 0, 0), time.Date(until, 1, 1, 0, 0, 0, 0, time.UTC)
	c.KeyAlgorithm, c.KeyBits = "RSA", 2048
	c.Serial, c.SHA1, c.SHA256 = "0a1b2c", strings.Repeat(digit, 40), strings.Repeat(digit, 64)
	c.SAN, c.EKU = []string{"dns:device.example"}, []string{newleaf.EKUServerAuth}
	r := newleaf.DefaultRequest()
	r.Name, r.Subject = name, subject
	c.Request = &r
	return c
}

func newFake() *fakeDevice {
	f := &fakeDevice{settings: newleaf.DefaultSettings(), deletion: newleaf.DefaultDeletion(),
		reservation: newleaf.DefaultReservation("Europe/Berlin"), outcome: newleaf.Renewal{Phase: newleaf.PhaseDone}}
	f.certs = []newleaf.Certificate{
		fakeCert("1", "Xyz1", "CN=Device001,OU=Dev.A,O=ABC,C=JP", newleaf.Enrolled, 2028),
		fakeCert("2", "Xyz2", "CN=Device001,OU=Dev.A,O=ABC,C=JP", newleaf.Factory, 2036),
		fakeCert("3", "Evil", "CN=\x1b[2J\u202eevil\u009b31m", newleaf.Imported, 2026),
	}
	f.certs[2].Request = nil
	f.certs[2].Pinned = true
	f.bindings = newleaf.Bindings{{Purpose: newleaf.TLS, Current: fakeID("1")}, {Purpose: newleaf.IPsec, Current: fakeID("2")}}
	c := newleaf.NewConnection(newleaf.DefaultConnection)
	c.URL = "http://ca.example/scep"
	f.connections = []newleaf.Connection{c}
	for i := range int64(3) {
		e := newleaf.Event{ID: i + 1, At: fakeNow, Kind: newleaf.EventImported, By: "root", Text: fmt.Sprintf("certificate %d imported", i+1)}
		f.events = append(f.events, e.Seal(""))
	}
	return f
}

func (f *fakeDevice) lock() func() { f.mu.Lock(); return f.mu.Unlock }

func (f *fakeDevice) find(ref string) (*newleaf.Certificate, error) {
	for i := range f.certs {
		c := &f.certs[i]
		if c.Name == ref || len(ref) >= 8 && strings.HasPrefix(string(c.ID), ref) {
			return c, nil
		}
	}
	return nil, newleaf.Errorf(newleaf.CodeNotFound, "there is no certificate %q", ref)
}

func (f *fakeDevice) row(c *newleaf.Certificate) newleaf.Listed {
	return newleaf.ListedFrom(c, f.bindings, fakeNow)
}

func (f *fakeDevice) Status(context.Context) (newleaf.Status, error) {
	defer f.lock()()
	s := newleaf.Status{Version: "v1", Address: "https://device.example", Now: fakeNow, Zone: "Europe/Berlin",
		Clock: newleaf.ClockState{Trusted: true, Reason: newleaf.ClockOK}, Stored: len(f.certs), Capacity: f.settings.Capacity,
		JournalHead: strings.Repeat("ab", 32), JournalCount: len(f.events)}
	for _, b := range f.bindings {
		c, _ := f.find(string(b.Current))
		if c == nil {
			continue
		}
		s.Purposes = append(s.Purposes, newleaf.PurposeStatus{Renewal: newleaf.OutlookPerson, Purpose: b.Purpose, Certificate: c.ID, Name: c.Name, NotAfter: c.NotAfter, Need: newleaf.NeedLive, Alarm: newleaf.AlarmNone})
		s.NeedsUpdate = s.NeedsUpdate || c.Expired(fakeNow)
	}
	return s, nil
}

func (f *fakeDevice) Doctor(context.Context) ([]newleaf.Finding, error) {
	return []newleaf.Finding{{OK: true, Topic: "clock", Text: "believable"}, {Topic: "store", Text: "nearly full", Hint: "Delete one."}}, nil
}

func (f *fakeDevice) Restart(context.Context) error { return nil }

func (f *fakeDevice) List(context.Context) ([]newleaf.Listed, error) {
	defer f.lock()()
	rows := []newleaf.Listed{}
	for i := range f.certs {
		rows = append(rows, f.row(&f.certs[i]))
	}
	return rows, nil
}

func (f *fakeDevice) Certificate(_ context.Context, ref string) (newleaf.Detail, error) {
	defer f.lock()()
	c, err := f.find(ref)
	if err != nil {
		return newleaf.Detail{}, err
	}
	return newleaf.Detail{Listed: f.row(c), SAN: c.SAN, EKU: c.EKU, Used: f.bindings.Used(c.ID), Connection: c.Connection, Request: c.Request,
		Forecast: newleaf.Verdict{Reason: newleaf.KeepOff}}, nil
}

func (f *fakeDevice) Generate(_ context.Context, g newleaf.Generation) (newleaf.Listed, error) {
	return f.add(fakeCert("4", g.Name, g.Subject, newleaf.Generated, 2027), g.Purposes)
}

func (f *fakeDevice) Import(_ context.Context, i newleaf.Import) (newleaf.Listed, error) {
	f.secrets = append(f.secrets, i.Passphrase)
	return f.add(fakeCert("5", i.Name, string(bytes.TrimSpace(i.Data)), newleaf.Imported, 2027), i.Purposes)
}

func (f *fakeDevice) add(c newleaf.Certificate, purposes []newleaf.Purpose) (newleaf.Listed, error) {
	defer f.lock()()
	if err := newleaf.BuiltinKinds().Check(purposes); err != nil {
		return newleaf.Listed{}, err
	}
	f.certs = append(f.certs, c)
	f.bind(c.ID, purposes)
	return f.row(&c), nil
}

func (f *fakeDevice) bind(id newleaf.ID, purposes []newleaf.Purpose) {
	f.bindings = slices.DeleteFunc(f.bindings, func(b newleaf.Binding) bool {
		return b.Current == id || slices.Contains(purposes, b.Purpose)
	})
	for _, p := range purposes {
		f.bindings = append(f.bindings, newleaf.Binding{Purpose: p, Current: id})
	}
}

func (f *fakeDevice) Export(_ context.Context, ref string, format newleaf.Format, passphrase string) ([]byte, error) {
	defer f.lock()()
	f.secrets = append(f.secrets, passphrase)
	c, err := f.find(ref)
	if err != nil {
		return nil, err
	}
	return []byte(fmt.Sprintf("%s of %s\n", format, c.Name)), nil
}

func (f *fakeDevice) Delete(_ context.Context, ref string, force bool) error {
	defer f.lock()()
	c, err := f.find(ref)
	if err != nil {
		return err
	}
	if len(f.bindings.Used(c.ID)) > 0 && !force {
		return newleaf.Errorf(newleaf.CodeInUse, "certificate %s is in use", c.Name)
	}
	id := c.ID
	f.certs = slices.DeleteFunc(f.certs, func(c newleaf.Certificate) bool { return c.ID == id })
	return nil
}

func (f *fakeDevice) Pin(_ context.Context, ref string, pinned bool) (newleaf.Listed, error) {
	defer f.lock()()
	c, err := f.find(ref)
	if err != nil {
		return newleaf.Listed{}, err
	}
	c.Pinned = pinned
	return f.row(c), nil
}

func (f *fakeDevice) SetPurposes(_ context.Context, ref string, purposes []newleaf.Purpose) (newleaf.Listed, error) {
	defer f.lock()()
	c, err := f.find(ref)
	if err != nil {
		return newleaf.Listed{}, err
	}
	if err := newleaf.BuiltinKinds().Check(purposes); err != nil {
		return newleaf.Listed{}, err
	}
	f.bind(c.ID, purposes)
	return f.row(c), nil
}

func (f *fakeDevice) SetRequest(_ context.Context, ref string, r newleaf.Request) (newleaf.Request, error) {
	defer f.lock()()
	c, err := f.find(ref)
	if err == nil {
		err = r.Validate(newleaf.BuiltinKinds())
	}
	if err != nil {
		return r, err
	}
	c.Request = &r
	return r, nil
}

func (f *fakeDevice) FetchAnchors(_ context.Context, connection, thumbprint string) ([]newleaf.AnchorInfo, error) {
	defer f.lock()()
	a, thumbprint := anchorInfo(connection), plainHex(thumbprint)
	if thumbprint != "" && thumbprint != a.SHA1 && thumbprint != a.SHA256 {
		return nil, newleaf.Errorf(newleaf.CodeThumbprint, "the thumbprint does not match")
	}
	a.Confirmed = thumbprint != ""
	f.anchors = []newleaf.AnchorInfo{a}
	return f.anchors, nil
}

func (f *fakeDevice) ConfirmAnchors(context.Context, string) ([]newleaf.AnchorInfo, error) {
	defer f.lock()()
	for i := range f.anchors {
		f.anchors[i].Confirmed = true
	}
	return f.anchors, nil
}

func (f *fakeDevice) AnchorList(context.Context) ([]newleaf.AnchorInfo, error) {
	defer f.lock()()
	return slices.Clone(f.anchors), nil
}

func (f *fakeDevice) AddAnchor(_ context.Context, connection string, _ []byte) ([]newleaf.AnchorInfo, error) {
	defer f.lock()()
	f.writes = append(f.writes, "anchor")
	a := anchorInfo(connection)
	a.Confirmed = true
	f.anchors = append(f.anchors, a)
	return []newleaf.AnchorInfo{a}, nil
}

func (f *fakeDevice) RemoveAnchor(_ context.Context, id newleaf.ID) error {
	defer f.lock()()
	f.anchors = slices.DeleteFunc(f.anchors, func(a newleaf.AnchorInfo) bool { return a.ID == id })
	return nil
}

// anchorInfo is a CA certificate that is the same in every run.
func anchorInfo(connection string) newleaf.AnchorInfo {
	key := ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize))
	t := &x509.Certificate{SerialNumber: big.NewInt(7), Subject: pkix.Name{CommonName: "CA01", Country: []string{"JP"}},
		NotBefore: fakeNow, NotAfter: fakeNow.AddDate(10, 0, 0), IsCA: true, BasicConstraintsValid: true}
	der, err := x509.CreateCertificate(nil, t, t, key.Public(), key)
	if err != nil {
		panic(err)
	}
	p, err := newleaf.Parse(der)
	if err != nil {
		panic(err)
	}
	return newleaf.AnchorInfo{ID: newleaf.IDOf(der), Connection: connection, Role: newleaf.RoleAnchor, Subject: p.Subject, Issuer: p.Issuer,
		NotBefore: p.NotBefore, NotAfter: p.NotAfter, Serial: p.Serial, SHA1: p.SHA1, SHA256: p.SHA256,
		PEM: string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))}
}

func (f *fakeDevice) ConnectionList(context.Context) ([]newleaf.ConnectionInfo, error) {
	defer f.lock()()
	out := []newleaf.ConnectionInfo{}
	for _, c := range f.connections {
		out = append(out, connectionInfo(c))
	}
	return out, nil
}

func connectionInfo(c newleaf.Connection) newleaf.ConnectionInfo {
	endpoint, _ := c.Endpoint()
	return newleaf.ConnectionInfo{Connection: c, Endpoint: endpoint}
}

func (f *fakeDevice) SetConnection(_ context.Context, c newleaf.Connection) (newleaf.ConnectionInfo, error) {
	defer f.lock()()
	f.writes = append(f.writes, "connection")
	if err := c.Validate(); err != nil {
		return newleaf.ConnectionInfo{}, err
	}
	f.connections = append(slices.DeleteFunc(f.connections, func(o newleaf.Connection) bool { return o.Name == c.Name }), c)
	return connectionInfo(c), nil
}

func (f *fakeDevice) RemoveConnection(_ context.Context, name string) error {
	defer f.lock()()
	f.connections = slices.DeleteFunc(f.connections, func(o newleaf.Connection) bool { return o.Name == name })
	return nil
}

func (f *fakeDevice) TestConnection(context.Context, string) (newleaf.ConnectionTest, error) {
	return newleaf.ConnectionTest{Endpoint: "http://ca.example/scep", Capabilities: []string{"AES", "SHA-256"},
		Findings: []newleaf.Finding{{OK: true, Text: "speaks SCEP"}}}, nil
}

// runFake runs one command against f in this process.
func runFake(t *testing.T, f newleaf.Device, stdin string, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	a := newApp(strings.NewReader(stdin), &out, &errs)
	a.device = func() (newleaf.Device, error) { return f, nil }
	code = a.run(t.Context(), args)
	return code, out.String(), errs.String()
}
