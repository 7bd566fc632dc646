package agent_test

import (
	"context"
	"crypto/x509"
	"encoding/pem"
	"testing"

	"newleaf"
	"newleaf/internal/agent"
	"newleaf/internal/ca"
	"newleaf/internal/newleaftest"
)

// imported is a certificate with its key as a person brings it.
func imported(t testing.TB, d *device, name string, purposes ...newleaf.Purpose) newleaf.Import {
	t.Helper()
	issuer := newleaftest.CACertificate(t, "CN=Shop", d.now.AddDate(-1, 0, 0), d.now.AddDate(5, 0, 0), nil)
	c := newleaftest.Certificate(t, "CN="+name, d.now.AddDate(0, 0, -1), d.now.AddDate(2, 0, 0), &issuer)
	key, err := x509.MarshalPKCS8PrivateKey(c.Key)
	must(t, err)
	data := append(pemOf(c.Certificate.Raw), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key})...)
	return newleaf.Import{Name: name, Data: data, Purposes: purposes}
}

// TestAdded: what does not come from an authority starts no deletion, unless that
// is switched on for it (DLS-40, AMB-35).
func TestAdded(t *testing.T) {
	add := map[string]func(*device) error{
		"import": func(d *device) error {
			_, err := d.Import(context.Background(), imported(d.t, d, "New", newleaf.TLS))
			return err
		},
		"generation": func(d *device) error {
			_, err := d.Generate(context.Background(), newleaf.Generation{Name: "New", Key: newleaf.RSA1024, Subject: "CN=New", Days: 90, Purposes: []newleaf.Purpose{newleaf.TLS}})
			return err
		},
	}
	for name, f := range add {
		for _, on := range []bool{false, true} {
			t.Run(map[bool]string{false: "DLS-40 not by ", true: "DLS-40 switched on by "}[on]+name, func(t *testing.T) {
				t.Parallel()
				d := newDevice(t, ca.Options{}, unused)
				d.deleting(nil, newleaf.AllRules()...)
				d.setting(func(s *newleaf.Settings) { s.DeleteOnAdd = on })
				must(t, f(d))
				d.tick()
				if on {
					d.holds("Xyz2:ipsec", "Xyz3:dot1x", "New:tls")
				} else {
					d.holds("Xyz1", "Xyz2:ipsec", "Xyz3:dot1x", "Old", "New:tls")
				}
				if s := d.targets[newleaf.TLS].serves; s != d.named("New").ID {
					t.Errorf("the target serves %s", s.Short())
				}
			})
		}
	}
	t.Run("DLS-40 a full store refuses, and makes room only where that is switched on", func(t *testing.T) {
		t.Parallel()
		d := newDevice(t, ca.Options{}, func(d *device, p *agent.Provision) { unused(d, p); p.Settings.Capacity = 4 })
		d.deleting(nil, newleaf.RuleNoPurpose)
		before := d.holding()
		_, err := d.Import(context.Background(), imported(t, d, "New"))
		wantCode(t, err, newleaf.CodeStoreFull)
		d.unchanged(before)
		d.setting(func(s *newleaf.Settings) { s.DeleteOnAdd = true })
		_, err = d.Import(context.Background(), imported(t, d, "New"))
		must(t, err)
		d.tick()
		d.holds("Xyz1:tls", "Xyz2:ipsec", "Xyz3:dot1x", "New")
	})
	t.Run("INV-02 the one in use goes only when its successor is seen in use", func(t *testing.T) {
		t.Parallel()
		d := newDevice(t, ca.Options{}, unused)
		d.deleting(nil, newleaf.AllRules()...)
		d.setting(func(s *newleaf.Settings) { s.DeleteOnAdd = true })
		d.targets[newleaf.TLS].says = newleaf.EvidenceNone
		_, err := d.Import(context.Background(), imported(t, d, "New", newleaf.TLS))
		must(t, err)
		d.tick()
		if _, err := d.Certificate(context.Background(), "Xyz1"); err != nil {
			t.Errorf("it went although nobody saw the new one in use: %v", err)
		}
	})
	t.Run("INV-01 one that a restart alone lets go of is not deleted before", func(t *testing.T) {
		t.Parallel()
		d := newDevice(t, ca.Options{}, unused)
		d.deleting(nil, newleaf.RuleReplaced)
		d.setting(func(s *newleaf.Settings) { s.DeleteOnAdd = true })
		_, err := d.Import(context.Background(), imported(t, d, "New", newleaf.Dot1X))
		must(t, err)
		d.tick()
		d.holds("Xyz1:tls", "Xyz2:ipsec", "Xyz3", "Old", "New:dot1x")
	})
	t.Run("VAR-13 DM-29 nothing is added under a name, or as a certificate, that is there", func(t *testing.T) {
		t.Parallel()
		d := newDevice(t, ca.Options{}, fx17A)
		i := imported(t, d, "New")
		_, err := d.Import(context.Background(), i)
		must(t, err)
		before := d.holding()
		_, err = d.Import(context.Background(), i)
		wantCode(t, err, newleaf.CodeNameTaken)
		i.Name = "Other"
		_, err = d.Import(context.Background(), i)
		wantCode(t, err, newleaf.CodeAlreadyHeld)
		i.Name, i.Data = "Third", pemOf([]byte("no certificate"))
		_, err = d.Import(context.Background(), i)
		wantCode(t, err, newleaf.CodeInvalid)
		d.unchanged(before)
	})
}
