//go:build !device

package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"slices"
	"time"

	"newleaf"
)

// story goes through the life of a certificate and verifies every claim by what
// can be seen from outside: lists, the authority's own records, TLS handshakes.
type story struct {
	lab *lab
	say func(string, ...any)

	Steps   []storyStep    `json:"steps"`
	Issued  []storyIssued  `json:"issued"`
	Deleted []storyDeleted `json:"deleted"`
	Kept    []storyKept    `json:"kept"`
	TLS     storyTLS       `json:"tls"`
}

type storyStep struct {
	Name string `json:"name"`
	MS   int64  `json:"ms"`
	OK   bool   `json:"ok"`
}

type storyIssued struct {
	Name   string `json:"name"`
	Serial string `json:"serial"`
	SHA256 string `json:"sha256"`
}

type storyDeleted struct {
	Name string       `json:"name"`
	Rule newleaf.Rule `json:"rule"`
}

type storyKept struct {
	Name   string         `json:"name"`
	Reason newleaf.Reason `json:"reason"`
}

type storyTLS struct {
	Serial string `json:"serial"`
	SHA256 string `json:"sha256"`
}

// tell runs the steps in order and stops at the first claim that does not hold.
func (s *story) tell(ctx context.Context) error {
	var before storyTLS
	for _, step := range []struct {
		name string
		do   func(context.Context) error
	}{
		{"the factory certificate serves TLS", func(ctx context.Context) (err error) {
			before, err = s.handshake(ctx)
			return err
		}},
		{"connect, compare the thumbprint, get a certificate by SCEP", s.lab.begin},
		{"TLS shows the new certificate without a restart", func(ctx context.Context) error { return s.serves(ctx, "web", before) }},
		{"what was unnecessary is gone, what is needed is not", func(ctx context.Context) error {
			return s.holds(ctx, []string{"vpn", "contract", "web"})
		}},
		{"update: a new key, a new certificate, proven in use", s.update},
		{"TLS shows the next certificate", func(ctx context.Context) error { return s.serves(ctx, "web-2", s.TLS) }},
		{"the replaced one is deleted", func(ctx context.Context) error { return s.holds(ctx, []string{"vpn", "contract", "web-2"}) }},
		{"the authority's records say the same", s.agrees},
		{"a TLS client that trusts the authority accepts the device", s.trusted},
	} {
		begun := time.Now()
		err := step.do(ctx)
		s.Steps = append(s.Steps, storyStep{step.name, time.Since(begun).Milliseconds(), err == nil})
		s.say("%d/9  %-60s %5d ms  %s", len(s.Steps), step.name, time.Since(begun).Milliseconds(), map[bool]string{true: "ok", false: "FAILED"}[err == nil])
		if err != nil {
			return fmt.Errorf("%s: %w", step.name, err)
		}
	}
	return s.collect(ctx)
}

// handshake asks the device's listener which certificate it serves.
func (s *story) handshake(ctx context.Context) (t storyTLS, err error) {
	d := tls.Dialer{Config: &tls.Config{InsecureSkipVerify: true}} // we look, we do not trust
	conn, err := d.DialContext(ctx, "tcp", s.lab.station.address)
	if err != nil {
		return t, err
	}
	defer conn.Close()
	p, err := newleaf.Parse(conn.(*tls.Conn).ConnectionState().PeerCertificates[0].Raw)
	return storyTLS{p.Serial, p.SHA256}, err
}

// serves verifies that a handshake sees the named certificate, another than
// before.
func (s *story) serves(ctx context.Context, name string, before storyTLS) error {
	d, err := s.lab.device.Certificate(ctx, name)
	if err != nil {
		return err
	}
	s.Issued = append(s.Issued, storyIssued{d.Name, d.Serial, d.SHA256})
	if s.TLS, err = s.handshake(ctx); err != nil {
		return err
	}
	if s.TLS.SHA256 != d.SHA256 || s.TLS.Serial == before.Serial {
		return fmt.Errorf("the handshake saw %s, not %s of %q", s.TLS.Serial, d.Serial, name)
	}
	return nil
}

// holds verifies the names in the store.
func (s *story) holds(ctx context.Context, want []string) error {
	all, err := s.lab.device.List(ctx)
	if err != nil {
		return err
	}
	var have []string
	for _, c := range all {
		have = append(have, c.Name)
	}
	if !slices.Equal(have, want) {
		return fmt.Errorf("the store holds %v, not %v", have, want)
	}
	return nil
}

func (s *story) update(ctx context.Context) error {
	_, started, err := s.lab.device.Update(ctx, []string{"web"}, false)
	if err != nil {
		return err
	}
	_, err = s.lab.follow(ctx, started[0].ID)
	return err
}

// agrees verifies that the authority registered exactly what the device got.
func (s *story) agrees(ctx context.Context) error {
	registered, err := s.lab.ca.Registered(ctx)
	if err != nil {
		return err
	}
	if len(registered) != len(s.Issued) {
		return fmt.Errorf("the authority issued %d certificates, the device got %d", len(registered), len(s.Issued))
	}
	return nil
}

// trusted makes a handshake as a client that knows only the authority.
func (s *story) trusted(ctx context.Context) error {
	roots := x509.NewCertPool()
	roots.AddCert(s.lab.ca.Identity().Issuer)
	d := tls.Dialer{Config: &tls.Config{RootCAs: roots, ServerName: "localhost"}}
	conn, err := d.DialContext(ctx, "tcp", s.lab.station.address)
	if err != nil {
		return err
	}
	return conn.Close()
}

// collect reads from the renewals what was deleted and what was kept.
func (s *story) collect(ctx context.Context) error {
	renewals, err := s.lab.device.Renewals(ctx)
	if err != nil {
		return err
	}
	for _, r := range renewals {
		for _, d := range r.Deleted {
			s.Deleted = append(s.Deleted, storyDeleted{d.Name, d.Rule})
		}
	}
	for _, v := range renewals[len(renewals)-1].Kept {
		s.Kept = append(s.Kept, storyKept{v.Name, v.Reason})
	}
	return nil
}

func (s *story) result() *story {
	s.Steps, s.Issued, s.Deleted, s.Kept = list(s.Steps), list(s.Issued), list(s.Deleted), list(s.Kept)
	return s
}

func (s *story) table() *table {
	t := newTable("certificate", "what became of it", "why")
	for _, i := range s.Issued {
		t.row(i.Name, "issued", "serial "+i.Serial)
	}
	for _, d := range s.Deleted {
		t.row(d.Name, "deleted", string(d.Rule))
	}
	for _, k := range s.Kept {
		t.row(k.Name, "kept", string(k.Reason))
	}
	return t
}
