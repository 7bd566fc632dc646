package agent

import (
	"bytes"
	"context"
	"crypto"
	"crypto/rand"
	"crypto/x509"
	"errors"
	"fmt"
	"math/big"
	"net/netip"
	"slices"
	"strings"
	"time"

	"newleaf"
	"newleaf/internal/keys"
	"newleaf/internal/store"
)

// Generate makes a key pair and a certificate signed by the device itself
// (VAR-13).
func (a *Agent) Generate(ctx context.Context, g newleaf.Generation) (l newleaf.Listed, err error) {
	q := newleaf.Request{Name: g.Name, Key: g.Key, Subject: g.Subject, SAN: g.SAN, Purposes: g.Purposes}
	if err := q.Validate(a.Kinds); err != nil {
		return l, err
	}
	if g.Days < 1 || g.Days > 36500 {
		return l, newleaf.Errorf(newleaf.CodeInvalid, "a validity of %d days is not between 1 and 36500", g.Days)
	}
	err = a.Store.Read(ctx, func(tx *store.Tx) error {
		return errors.Join(allowedKey(tx, g.Key), nameFree(tx, g.Name))
	})
	if err != nil {
		return l, err
	}
	key, err := keys.Generate(keys.Spec(g.Key))
	if err != nil {
		return l, newleaf.Errorf(newleaf.CodeInternal, "making a key of kind %s: %w", g.Key, err)
	}
	der, err := selfSign(key, g, a.Now())
	if err != nil {
		return l, err
	}
	c := newleaf.Certificate{Name: g.Name, DER: der, Origin: newleaf.Generated, Exportable: g.Exportable}
	return a.add(ctx, c, key, g.Purposes, newleaf.EventGenerated)
}

func selfSign(key crypto.Signer, g newleaf.Generation, now time.Time) ([]byte, error) {
	subject, err := newleaf.MarshalSubject(g.Subject)
	if err != nil {
		return nil, err
	}
	serial := make([]byte, 16)
	_, _ = rand.Read(serial) // never fails
	serial[0] = serial[0]&0x7f | 0x40
	t := &x509.Certificate{
		SerialNumber: new(big.Int).SetBytes(serial), RawSubject: subject,
		NotBefore: now.Add(-time.Minute), NotAfter: now.AddDate(0, 0, g.Days),
		KeyUsage: x509.KeyUsageDigitalSignature, BasicConstraintsValid: true,
	}
	if g.Key.IsRSA() {
		t.KeyUsage |= x509.KeyUsageKeyEncipherment
	}
	for _, s := range g.SAN {
		kind, value, _ := strings.Cut(s, ":")
		switch kind {
		case "dns":
			t.DNSNames = append(t.DNSNames, value)
		case "email":
			t.EmailAddresses = append(t.EmailAddresses, value)
		case "ip":
			ip, err := netip.ParseAddr(value)
			if err != nil {
				return nil, newleaf.Errorf(newleaf.CodeInvalid, "reading the address %q: %w", value, err)
			}
			t.IPAddresses = append(t.IPAddresses, ip.AsSlice())
		}
	}
	der, err := x509.CreateCertificate(rand.Reader, t, t, key.Public(), key)
	if err != nil {
		return nil, newleaf.Errorf(newleaf.CodeInternal, "signing the certificate: %w", err)
	}
	return der, nil
}

// Import adds a certificate with its key from PEM or PKCS #12.
func (a *Agent) Import(ctx context.Context, i newleaf.Import) (l newleaf.Listed, err error) {
	if err := errors.Join(newleaf.ValidName(i.Name), a.Kinds.Check(i.Purposes)); err != nil {
		return l, err
	}
	c, key, err := readImport(i)
	if err != nil {
		return l, err
	}
	c.Name, c.Origin, c.Exportable = i.Name, newleaf.Imported, i.Exportable
	return a.add(ctx, c, key, i.Purposes, newleaf.EventImported)
}

// readImport reads the file by its content.
func readImport(i newleaf.Import) (c newleaf.Certificate, key crypto.Signer, err error) {
	var leaf *x509.Certificate
	var chain []*x509.Certificate
	if bytes.Contains(i.Data, []byte("-----BEGIN ")) {
		key, leaf, chain, err = keys.DecodePEM(i.Data, i.Key, []byte(i.Passphrase))
	} else {
		key, leaf, chain, err = keys.DecodePKCS12(i.Data, []byte(i.Passphrase))
	}
	switch {
	case errors.Is(err, keys.ErrPassphrase):
		return c, nil, newleaf.Errorf(newleaf.CodePassphrase, "the file cannot be opened: %w", err)
	case errors.Is(err, keys.ErrMismatch):
		return c, nil, newleaf.Errorf(newleaf.CodeKeyMismatch, "the private key does not belong to the certificate")
	case err != nil:
		return c, nil, newleaf.Errorf(newleaf.CodeInvalid, "the file cannot be read: %w", err)
	}
	c.DER = leaf.Raw
	for _, ca := range chain {
		if string(ca.RawIssuer) != string(ca.RawSubject) {
			c.Chain = append(c.Chain, ca.Raw)
		}
	}
	return c, key, nil
}

// add stores a certificate that did not come from an authority. Where automatic
// deletion is switched on for such ones too, it then goes the same way as one that
// did, from step 4 on: trial, proof, deletion.
func (a *Agent) add(ctx context.Context, c newleaf.Certificate, key crypto.Signer, purposes []newleaf.Purpose, kind newleaf.EventKind) (l newleaf.Listed, err error) {
	c.ID, c.Added = newleaf.IDOf(c.DER), a.Now()
	if c.Parsed, err = newleaf.Parse(c.DER); err != nil {
		return l, err
	}
	by := newleaf.ActorOf(ctx).Name
	err = a.seal(ctx, func(tx *store.Tx) error {
		sealed, err := a.Vault.Seal(key, c.Exportable)
		if err != nil {
			return newleaf.Errorf(newleaf.CodeInternal, "sealing the key: %w", err)
		}
		c.KeyID = sealed.ID
		if err := errors.Join(nameFree(tx, c.Name), a.fit(c, purposes)); err != nil {
			return err
		}
		run, err := a.roomFor(tx, c, purposes)
		if err != nil {
			return err
		}
		if run.Policy.Auto {
			c.State = newleaf.StatePending
		}
		if err := errors.Join(tx.PutKey(store.Key(sealed)), tx.AddCertificate(c)); err != nil {
			return err
		}
		if err := a.note(tx, newleaf.Event{Kind: kind, By: by, Certificate: c.ID,
			Text: fmt.Sprintf("certificate %q was %s", c.Name, kind), Data: a.facts(c.DER)}); err != nil {
			return err
		}
		if !run.Policy.Auto {
			return a.rebind(ctx, tx, c, purposes)
		}
		r, err := a.begin(tx, newleaf.Renewal{Cause: newleaf.CauseManual, By: by, Step: newleaf.StepBind, Certificate: c.ID, Verified: true,
			Request: newleaf.Request{Name: c.Name, Purposes: purposes}, Snapshot: run, ApplyPlan: true})
		if err != nil {
			return err
		}
		return a.putOnTrial(tx, &r)
	})
	if err != nil {
		return l, err
	}
	defer a.Wake()
	if err := a.apply(ctx); err != nil {
		return l, err
	}
	return a.listed(ctx, string(c.ID), nil)
}

// roomFor admits c and returns what its deletions are judged on; the policy is off
// unless the administrator switched it on for added certificates (AMB-35, DLS-40).
func (a *Agent) roomFor(tx *store.Tx, c newleaf.Certificate, purposes []newleaf.Purpose) (run newleaf.RunSnapshot, err error) {
	set, err := settings(tx)
	if err != nil {
		return run, err
	}
	s, err := a.snapshot(tx)
	if err != nil {
		return run, err
	}
	policy, err := deletion(tx)
	if err != nil {
		return run, err
	}
	policy.Auto = policy.Auto && set.DeleteOnAdd
	s.For, s.NewSize = purposes, int64(len(c.DER))+typicalSize/2
	run = snapshotOf(s, policy, policy.Plan(s))
	return run, admit(s, run.Plan)
}

// Export returns the certificate, or with PKCS #12 its key too, if that was made
// exportable and the machine's owner allows exports.
func (a *Agent) Export(ctx context.Context, ref string, format newleaf.Format, passphrase string) (out []byte, err error) {
	if !slices.Contains([]newleaf.Format{newleaf.FormatPEM, newleaf.FormatDER, newleaf.FormatChain, newleaf.FormatPKCS12}, format) {
		return nil, newleaf.Errorf(newleaf.CodeInvalid, "there is no format %q", format).WithHint("Use pem, der, chain or pkcs12.")
	}
	err = a.Store.Write(ctx, func(tx *store.Tx) error {
		c, err := tx.Certificate(ref)
		if err != nil {
			return err
		}
		switch format {
		case newleaf.FormatDER:
			out = c.DER
			return nil
		case newleaf.FormatPEM:
			out = []byte(pemOf(c.DER))
			return nil
		case newleaf.FormatChain:
			out = []byte(pemOf(append([][]byte{c.DER}, c.Chain...)...))
			return nil
		}
		if out, err = a.exportKey(tx, c, passphrase); err != nil {
			return err
		}
		return a.note(tx, newleaf.Event{Kind: newleaf.EventExported, By: newleaf.ActorOf(ctx).Name, Certificate: c.ID,
			Text: fmt.Sprintf("certificate %q was exported with its private key", c.Name)})
	})
	return out, err
}

func (a *Agent) exportKey(tx *store.Tx, c newleaf.Certificate, passphrase string) ([]byte, error) {
	switch {
	case !a.Options.Export:
		return nil, newleaf.Errorf(newleaf.CodeNotExportable, "this device does not export private keys").
			WithHint("The owner of the machine can allow it with \"allow_export = true\" in the configuration file.")
	case !c.Exportable:
		return nil, newleaf.Errorf(newleaf.CodeNotExportable, "the private key of %q was not made exportable", c.Name)
	case len(passphrase) < 8:
		return nil, newleaf.Errorf(newleaf.CodePassphrase, "a passphrase of at least 8 characters is needed")
	}
	sealed, found, err := tx.Key(c.KeyID)
	if err != nil || !found {
		return nil, errors.Join(err, newleaf.Errorf(newleaf.CodeDamaged, "the key of %q is missing", c.Name))
	}
	key, err := a.Vault.Export(keys.Sealed(sealed))
	if err != nil {
		return nil, newleaf.Errorf(newleaf.CodeDamaged, "opening the key of %q: %w", c.Name, err)
	}
	leaf, err := x509.ParseCertificate(c.DER)
	if err != nil {
		return nil, newleaf.Errorf(newleaf.CodeDamaged, "reading certificate %q: %w", c.Name, err)
	}
	var chain []*x509.Certificate
	for _, der := range c.Chain {
		if ca, err := x509.ParseCertificate(der); err == nil {
			chain = append(chain, ca)
		}
	}
	return keys.EncodePKCS12(key, leaf, chain, []byte(passphrase))
}
