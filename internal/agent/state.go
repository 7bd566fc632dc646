package agent

import (
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"fmt"
	"slices"
	"strings"
	"time"

	"newleaf"
	"newleaf/internal/enroll"
	"newleaf/internal/keys"
	"newleaf/internal/store"
)

// The settings, with a fresh device's where nothing was saved.

func settings(tx *store.Tx) (newleaf.Settings, error) {
	s := newleaf.DefaultSettings()
	_, err := tx.Document(store.DocSettings, &s)
	return s, err
}

func reservation(tx *store.Tx) (newleaf.Reservation, error) {
	s, err := settings(tx)
	if err != nil {
		return newleaf.Reservation{}, err
	}
	r := newleaf.DefaultReservation(s.Zone)
	_, err = tx.Document(store.DocReservation, &r)
	return r, err
}

func deletion(tx *store.Tx) (newleaf.DeletionPolicy, error) {
	p := newleaf.DefaultDeletion()
	_, err := tx.Document(store.DocDeletion, &p)
	return p, err
}

// policy is the deletion policy as renewal r applies it.
func (a *Agent) policy(tx *store.Tx, r *newleaf.Renewal) (newleaf.DeletionPolicy, error) {
	p, err := deletion(tx)
	p.Auto = p.Auto && r.ApplyPlan
	return p, err
}

// snapshot is the store as it is now, for the decisions.
func (a *Agent) snapshot(tx *store.Tx) (newleaf.Snapshot, error) {
	s := newleaf.Snapshot{Now: a.Now(), ClockTrusted: a.clock.state().Trusted, NewSize: typicalSize}
	set, err := settings(tx)
	if err != nil {
		return s, err
	}
	s.Capacity, s.Quota = set.Capacity, set.Quota
	if s.Certificates, err = tx.Certificates(); err != nil {
		return s, err
	}
	if s.Bindings, err = tx.Bindings(); err != nil {
		return s, err
	}
	conns, err := tx.Connections()
	if err != nil {
		return s, err
	}
	for _, c := range conns {
		_, secret, err := tx.Secret(connectionSecret(c.Name))
		if err != nil {
			return s, err
		}
		s.Connections = append(s.Connections, newleaf.Credentials{Connection: c.Name, Protocol: c.Protocol, Secret: secret})
	}
	return s, nil
}

// snapshotOf is what a renewal remembers of s to be judged on again.
func snapshotOf(s newleaf.Snapshot, p newleaf.DeletionPolicy, plan []newleaf.Verdict) newleaf.RunSnapshot {
	run := newleaf.RunSnapshot{At: s.Now, Clock: s.ClockTrusted, Bindings: s.Bindings, Policy: p, Plan: plan}
	for i := range s.Certificates {
		run.IDs = append(run.IDs, s.Certificates[i].ID)
	}
	return run
}

// gone refuses to go on with a renewal whose certificate was deleted meanwhile.
func gone(r *newleaf.Renewal, s newleaf.Snapshot) error {
	if r.Replaces == "" || find(s.Certificates, r.Replaces) != nil {
		return nil
	}
	return newleaf.Errorf(newleaf.CodeNotFound, "the certificate that renewal %d updates is gone", r.ID)
}

// admit decides whether one more finds room. What other walks have kept and not
// proven yet takes a place too: the staging slot is there once (contract, "Room").
func admit(s newleaf.Snapshot, plan []newleaf.Verdict) error {
	staged := 0
	for i := range s.Certificates {
		if s.Certificates[i].State != newleaf.StateHeld {
			staged++
		}
	}
	s.Capacity -= staged
	err := newleaf.Admit(s, plan)
	if err != nil && staged > 0 {
		return newleaf.Errorf(newleaf.CodeSlotTaken, "another renewal has the staging slot, and beside it there is no room: %w", err)
	}
	return err
}

// typicalSize stands for the bytes of a certificate that is not there yet.
const typicalSize = 4096

// held is what the timing needs to know of the store.
func held(s newleaf.Snapshot) []newleaf.Held {
	var out []newleaf.Held
	for i := range s.Certificates {
		c := &s.Certificates[i]
		if c.Damaged {
			continue
		}
		out = append(out, newleaf.Held{ID: c.ID, Name: c.Name, NotBefore: c.NotBefore, NotAfter: c.NotAfter, Updated: c.Updated,
			InUse: len(s.Bindings.Held(c.ID)) > 0, Renewable: c.Request != nil && c.State == newleaf.StateHeld})
	}
	return out
}

// trust is what the administrator confirmed for a connection; nothing is sent to
// an authority without (contract, "Trust").
func (a *Agent) trust(tx *store.Tx, connection string) (enroll.Trust, error) {
	var t enroll.Trust
	anchors, err := tx.Anchors()
	if err != nil {
		return t, err
	}
	seen := false
	for _, an := range anchors {
		if an.Connection != connection {
			continue
		}
		seen = true
		c, err := x509.ParseCertificate(an.DER)
		switch {
		case err != nil || !an.Confirmed:
		case an.Role == newleaf.RoleAnchor:
			t.Anchors = append(t.Anchors, c)
		case an.Role == newleaf.RoleRA:
			t.RAs = append(t.RAs, an.ID)
		default:
			t.Chain = append(t.Chain, c)
		}
	}
	switch {
	case !seen:
		return t, newleaf.Errorf(newleaf.CodeNoAnchor, "no CA certificate is held for connection %q", connection)
	case len(t.Anchors) == 0:
		return t, newleaf.Errorf(newleaf.CodeUnconfirmed, "the CA certificate of connection %q has not been confirmed", connection)
	}
	return t, nil
}

// presentCredential is the certificate that can sign the renewal of what r
// replaces: issued through the same connection or by the factory, not expired, its
// key readable.
func (a *Agent) presentCredential(tx *store.Tx, r *newleaf.Renewal) (*newleaf.Certificate, store.Key, error) {
	if r.Replaces == "" {
		return nil, store.Key{}, nil
	}
	c, err := tx.Certificate(string(r.Replaces))
	if newleaf.CodeOf(err) == newleaf.CodeNotFound {
		return nil, store.Key{}, nil
	}
	if err != nil {
		return nil, store.Key{}, err
	}
	issued := c.Connection == r.Request.Connection || c.Origin == newleaf.Factory && !c.SelfSigned()
	usable := !c.Damaged && issued && c.KeyAlgorithm == "RSA" && !c.Expired(a.Now())
	if !usable {
		return nil, store.Key{}, nil
	}
	key, found, err := tx.Key(c.KeyID)
	if !found {
		return nil, store.Key{}, err
	}
	return &c, key, err
}

// credential opens the key of c.
func (a *Agent) credential(c newleaf.Certificate, key store.Key) (*enroll.Credential, error) {
	signer, err := a.Vault.Open(keys.Sealed(key))
	if err != nil {
		return nil, newleaf.Errorf(newleaf.CodeDamaged, "opening the key of %q: %w", c.Name, err)
	}
	leaf, err := x509.ParseCertificate(c.DER)
	if err != nil {
		return nil, newleaf.Errorf(newleaf.CodeDamaged, "reading certificate %q: %w", c.Name, err)
	}
	return &enroll.Credential{Certificate: leaf, Key: signer}, nil
}

// Names of sealed secrets.
func connectionSecret(name string) string { return "connection:" + name }
func renewalSecret(id int64) string       { return fmt.Sprintf("renewal:%d", id) }

// password is the challenge password for r: given with the request, else the one
// that the administrator had kept for the connection, else none.
func (a *Agent) password(tx *store.Tx, r *newleaf.Renewal) (string, error) {
	for _, name := range []string{renewalSecret(r.ID), connectionSecret(r.Request.Connection)} {
		sealed, found, err := tx.Secret(name)
		if err != nil {
			return "", err
		}
		if found {
			secret, err := a.Vault.OpenBytes(keys.Sealed(sealed))
			return string(secret), err
		}
	}
	return "", nil
}

// setState changes where a walk has a certificate.
func (a *Agent) setState(tx *store.Tx, id newleaf.ID, s newleaf.State) error {
	c, err := tx.Certificate(string(id))
	if err != nil || c.State == s {
		return err
	}
	c.State = s
	return tx.UpdateCertificate(c)
}

func find(among []newleaf.Certificate, id newleaf.ID) *newleaf.Certificate {
	i := slices.IndexFunc(among, func(c newleaf.Certificate) bool { return c.ID == id })
	if i < 0 {
		return nil
	}
	return &among[i]
}

// labels names purposes for a sentence.
func (a *Agent) labels(ps []newleaf.Purpose) string {
	if len(ps) == 0 {
		return "no purpose"
	}
	var out []string
	for _, p := range ps {
		out = append(out, a.Kinds.Label(p))
	}
	return strings.Join(out, ", ")
}

// facts are what an event tells of a certificate, public bytes included, so that
// a deletion can be traced (DLS-33, DLS-34).
func (a *Agent) facts(der []byte) map[string]string {
	p, err := newleaf.Parse(der)
	if err != nil {
		sum := sha256.Sum256(der)
		return map[string]string{"sha256": hex.EncodeToString(sum[:])}
	}
	return map[string]string{"subject": p.Subject, "issuer": p.Issuer, "serial": p.Serial, "sha1": p.SHA1, "sha256": p.SHA256,
		"notBefore": p.NotBefore.Format(time.RFC3339), "notAfter": p.NotAfter.Format(time.RFC3339), "certificate": pemOf(der)}
}

func pemOf(ders ...[]byte) string {
	var b strings.Builder
	for _, der := range ders {
		_ = pem.Encode(&b, &pem.Block{Type: "CERTIFICATE", Bytes: der}) // a Builder cannot fail
	}
	return b.String()
}
