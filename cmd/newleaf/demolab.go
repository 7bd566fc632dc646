//go:build !device

package main

import (
	"context"
	"crypto/rand"
	"crypto/x509"
	"encoding/hex"
	"fmt"
	"log/slog"
	"math/big"
	"net"
	"path/filepath"
	"time"

	"newleaf"
	"newleaf/internal/agent"
	"newleaf/internal/api"
	"newleaf/internal/ca"
	"newleaf/internal/keys"
)

// lab is an authority and a device on loopback.
type lab struct {
	ca        *ca.CA
	listener  net.Listener
	authority string // URL of SCEP
	challenge string

	station *station
	device  newleaf.Device // over its socket, as any other program
	ready   chan struct{}
}

// newLab opens both; life is the validity of issued certificates.
func newLab(ctx context.Context, dir string, life time.Duration) (*lab, error) {
	l := &lab{challenge: rand.Text(), ready: make(chan struct{})}
	var err error
	l.ca, err = ca.Open(ca.Options{Dir: filepath.Join(dir, "ca"), Challenge: l.challenge, Validity: life, Live: 100, Now: time.Now})
	if err != nil {
		return nil, err
	}
	if l.listener, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
		return nil, err
	}
	l.authority = "http://" + l.listener.Addr().String() + "/scep"
	state := filepath.Join(dir, "device")
	if err := shipped(ctx, state); err != nil {
		return nil, err
	}
	l.device = api.NewSocketClient(filepath.Join(state, "agent.sock"))
	l.station = &station{dir: state, listen: "127.0.0.1:0", config: config{Device: "demo"}, clock: machineClock{trust: true},
		log: func(string) {}, ready: func(*station, newleaf.Device) { close(l.ready) }}
	return l, nil
}

func (l *lab) serveAuthority(ctx context.Context) error {
	return serveCA(ctx, l.listener, l.ca, slog.New(slog.DiscardHandler))
}

func (l *lab) close() { _ = l.ca.Close() }

// begin does what an administrator does once: connect, compare the thumbprint,
// ask for the first certificate, and let the device look after itself.
func (l *lab) begin(ctx context.Context) error {
	c := newleaf.NewConnection(newleaf.DefaultConnection)
	c.URL = l.authority
	if _, err := l.device.SetConnection(ctx, c); err != nil {
		return err
	}
	if _, err := l.device.FetchAnchors(ctx, c.Name, string(newleaf.IDOf(l.ca.Identity().Issuer.Raw))); err != nil {
		return err
	}
	p := newleaf.DefaultDeletion()
	p.Auto, p.Rules = true, []newleaf.Rule{newleaf.RuleReplaced, newleaf.RuleNoPurpose, newleaf.RuleExpired}
	if _, err := l.device.SetDeletion(ctx, p); err != nil {
		return err
	}
	r := newleaf.DefaultReservation("UTC")
	r.Method, r.Before, r.Jitter = newleaf.MethodBefore, 50*time.Second, 0
	if _, err := l.device.SetReservation(ctx, r); err != nil {
		return err
	}
	_, err := l.issue(ctx, "web")
	return err
}

// issue gets a certificate for TLS and waits for the end of the renewal.
func (l *lab) issue(ctx context.Context, name string) (newleaf.Renewal, error) {
	q := newleaf.DefaultRequest()
	q.Name, q.Subject, q.SAN, q.Purposes = name, "C=JP,O=ABC,OU=DEV01,CN=Device001", []string{"dns:localhost", "ip:127.0.0.1"}, []newleaf.Purpose{newleaf.TLS}
	r, err := l.device.Issue(ctx, newleaf.Issue{Request: q, Password: l.challenge})
	if err != nil {
		return r, err
	}
	return l.follow(ctx, r.ID)
}

// follow waits for the end of a renewal; anything but success is an error.
func (l *lab) follow(ctx context.Context, id int64) (newleaf.Renewal, error) {
	r, err := l.device.Watch(ctx, id, func(newleaf.Progress) {})
	if err == nil && r.Phase != newleaf.PhaseDone {
		err = newleaf.Errorf(newleaf.CodeNotProven, "renewal %d stands at step %s (%s)", r.ID, r.Step, r.Phase)
		if r.Error != nil {
			err = r.Error
		}
	}
	return r, err
}

// shipped provisions a device as it comes out of years of use: the factory's
// self-certificate serves TLS, an old certificate has lost its purpose, one has
// expired, one serves IPsec and one is pinned.
func shipped(ctx context.Context, dir string) error {
	now := time.Now()
	former, err := keys.Generate("rsa-2048")
	if err != nil {
		return fmt.Errorf("making the former authority: %w", err)
	}
	issuer := &x509.Certificate{SerialNumber: big.NewInt(1), RawSubject: subjectOfDemo("C=JP,CN=Former LAB CA"), NotBefore: now.AddDate(-10, 0, 0),
		NotAfter: now.AddDate(10, 0, 0), IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}
	p := agent.Provision{Lab: true, Now: now, Kinds: newleaf.BuiltinKinds(), Settings: newleaf.DefaultSettings(),
		Reservation: newleaf.DefaultReservation("UTC"), Deletion: newleaf.DefaultDeletion()}
	add := func(name string, origin newleaf.Origin, from, to time.Time, pinned bool, purposes ...newleaf.Purpose) error {
		key, err := keys.Generate("rsa-2048")
		if err != nil {
			return err
		}
		t := &x509.Certificate{SerialNumber: serial(), RawSubject: subjectOfDemo("C=JP,O=ABC,OU=DEV01,CN=Device001"), NotBefore: from, NotAfter: to}
		parent, signer := issuer, former
		if origin == newleaf.Factory {
			parent, signer = t, key
		}
		der, err := x509.CreateCertificate(rand.Reader, t, parent, key.Public(), signer)
		if err != nil {
			return err
		}
		p.Certificates = append(p.Certificates, agent.Provisioned{Key: key, Purposes: purposes,
			Certificate: newleaf.Certificate{Name: name, DER: der, Origin: origin, Pinned: pinned, Connection: "former", Added: from}})
		return nil
	}
	for _, c := range []struct {
		name     string
		origin   newleaf.Origin
		from, to time.Time
		pinned   bool
		purposes []newleaf.Purpose
	}{
		{"factory", newleaf.Factory, now.AddDate(-3, 0, 0), now.AddDate(17, 0, 0), false, []newleaf.Purpose{newleaf.TLS}},
		{"web-2024", newleaf.Enrolled, now.AddDate(-2, 0, 0), now.AddDate(1, 0, 0), false, nil},
		{"web-2023", newleaf.Enrolled, now.AddDate(-3, 0, 0), now.AddDate(0, -1, 0), false, nil},
		{"vpn", newleaf.Enrolled, now.AddDate(-1, 0, 0), now.AddDate(2, 0, 0), false, []newleaf.Purpose{newleaf.IPsec}},
		{"contract", newleaf.Imported, now.AddDate(-1, 0, 0), now.AddDate(3, 0, 0), true, nil},
	} {
		if err := add(c.name, c.origin, c.from, c.to, c.pinned, c.purposes...); err != nil {
			return fmt.Errorf("making the certificate %s: %w", c.name, err)
		}
	}
	return fill(ctx, dir, p)
}

func subjectOfDemo(s string) []byte {
	der, err := newleaf.MarshalSubject(s)
	if err != nil {
		panic(err) // the subjects stand above
	}
	return der
}

func serial() *big.Int {
	b := make([]byte, 8)
	_, _ = rand.Read(b) // never fails
	n, _ := new(big.Int).SetString("1"+hex.EncodeToString(b), 16)
	return n
}
