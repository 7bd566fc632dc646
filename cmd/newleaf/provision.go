package main

import (
	"context"
	"crypto"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"newleaf"
	"newleaf/internal/agent"
	"newleaf/internal/keys"
)

func provisionCommand(a *app) *cobra.Command {
	var configFile string
	cmd := &cobra.Command{
		Use:   "provision FILE",
		Short: "Fill an empty store at the factory",
		Long: `Fills an empty store with what a device is shipped with: settings, connection,
reservation, automatic deletion, CA certificates, and certificates with their
keys. All of the file is applied, or nothing. It is refused once an agent has
used the store.`,
		Example: `  newleaf provision --state /var/lib/newleaf factory.toml
  newleaf provision --state ./state lab.toml && newleaf serve --state ./state --lab clock.toml`,
		Args: arguments,
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := readConfig(configFile)
			if err != nil {
				return err
			}
			kinds, err := c.kinds()
			if err != nil {
				return err
			}
			p, err := readProvision(args[0], a.now(), kinds)
			if err != nil {
				return err
			}
			if err := fill(cmd.Context(), a.stateDir(), p); err != nil {
				return err
			}
			return a.done(map[string]int{"certificates": len(p.Certificates), "connections": len(p.Connections), "anchors": len(p.Anchors)},
				"In the store: certificates %d, connections %d, CA certificates %d.", len(p.Certificates), len(p.Connections), len(p.Anchors))
		},
	}
	cmd.Flags().StringVar(&configFile, "config", "", "TOML file of the machine's owner, for further purposes")
	return cmd
}

// fill provisions the store in dir.
func fill(ctx context.Context, dir string, p agent.Provision) error {
	st, vault, err := openState(dir)
	if err != nil {
		return err
	}
	return errors.Join(p.Fill(ctx, st, vault), st.Close())
}

// provisionFile is the file of the factory, or of a lab.
type provisionFile struct {
	Lab         bool                   `toml:"lab"`
	Capacity    int                    `toml:"capacity"`
	Quota       int64                  `toml:"quota"`
	Zone        string                 `toml:"zone"`
	Settings    map[string]any         `toml:"settings"`
	Connection  map[string]any         `toml:"connection"`
	Reservation map[string]any         `toml:"reservation"`
	Deletion    map[string]any         `toml:"deletion"`
	Anchor      []provisionAnchor      `toml:"anchor"`
	Certificate []provisionCertificate `toml:"certificate"`
}

type provisionAnchor struct {
	File       string `toml:"file"`
	Connection string `toml:"connection"`
}

type provisionCertificate struct {
	Name       string         `toml:"name"`
	PKCS12     string         `toml:"pkcs12"`
	Cert       string         `toml:"cert"`
	Key        string         `toml:"key"`
	Passphrase string         `toml:"passphrase"`
	Origin     string         `toml:"origin"`
	Purposes   any            `toml:"purposes"` // "tls,ipsec" or ["tls", "ipsec"]
	Pinned     bool           `toml:"pinned"`
	Exportable bool           `toml:"exportable"`
	Added      time.Time      `toml:"added"`
	Request    map[string]any `toml:"request"` // keys are the flags of "cert issue"
}

// readProvision reads the file; paths in it are relative to its folder.
func readProvision(path string, now time.Time, kinds newleaf.Kinds) (agent.Provision, error) {
	p := agent.Provision{Now: now, Kinds: kinds, Settings: newleaf.DefaultSettings(), Deletion: newleaf.DefaultDeletion()}
	data, err := os.ReadFile(path)
	if err != nil {
		return p, newleaf.Errorf(newleaf.CodeInvalid, "the provisioning file cannot be read: %w", err)
	}
	var f provisionFile
	if err := decodeTOML(path, data, &f); err != nil {
		return p, err
	}
	p.Lab, p.Settings.Quota = f.Lab, f.Quota
	if f.Capacity != 0 {
		p.Settings.Capacity = f.Capacity
	}
	if f.Zone != "" {
		p.Settings.Zone = f.Zone
	}
	if err := setTable(&p.Settings, settingsFields(), f.Settings, "settings"); err != nil {
		return p, err
	}
	p.Reservation = newleaf.DefaultReservation(p.Settings.Zone)
	p.Reservation.Saved = now.UTC()
	if err := oneMethod(f.Reservation); err != nil {
		return p, err
	}
	err = errors.Join(
		setTable(&p.Reservation, reservationKeys(), f.Reservation, "reservation"),
		setTable(&p.Deletion, deletionFields(), f.Deletion, "deletion"))
	if err != nil {
		return p, err
	}
	return p, f.fill(&p, filepath.Dir(path))
}

// fill adds connection, anchors and certificates.
func (f provisionFile) fill(p *agent.Provision, dir string) error {
	name := newleaf.DefaultConnection
	if len(f.Connection) > 0 {
		if n, ok := f.Connection["name"].(string); ok {
			name = n
		}
		c := newleaf.NewConnection(name)
		table := maps.Clone(f.Connection)
		delete(table, "name")
		if err := setTable(&c, connectionFields(), table, "connection"); err != nil {
			return err
		}
		p.Connections = append(p.Connections, c)
	}
	for _, n := range f.Anchor {
		connection := name
		if n.Connection != "" {
			connection = n.Connection
		}
		anchors, err := readAnchors(inFolder(dir, n.File), connection, p.Now)
		if err != nil {
			return err
		}
		p.Anchors = append(p.Anchors, anchors...)
	}
	for _, c := range f.Certificate {
		one, err := c.read(dir, name, p.Kinds)
		if err != nil {
			return err
		}
		p.Certificates = append(p.Certificates, one)
	}
	return nil
}

func inFolder(dir, path string) string {
	if filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(dir, path)
}

// readAnchors reads CA certificates in PEM or DER; what the factory ships is
// confirmed.
func readAnchors(path, connection string, now time.Time) ([]newleaf.Anchor, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, newleaf.Errorf(newleaf.CodeInvalid, "the CA certificate cannot be read: %w", err)
	}
	var ders [][]byte
	for block, rest := pem.Decode(data); block != nil; block, rest = pem.Decode(rest) {
		if block.Type == "CERTIFICATE" {
			ders = append(ders, block.Bytes)
		}
	}
	if len(ders) == 0 {
		ders = [][]byte{data}
	}
	var out []newleaf.Anchor
	for _, der := range ders {
		parsed, err := newleaf.Parse(der)
		if err != nil {
			return nil, err
		}
		n := newleaf.Anchor{ID: newleaf.IDOf(der), DER: der, Connection: connection, Role: newleaf.RoleAnchor, Confirmed: true, Added: now, Source: "provision", Parsed: parsed}
		if !parsed.IsCA {
			n.Role = newleaf.RoleRA
		}
		out = append(out, n)
	}
	return out, nil
}

// read turns an entry of the file into a certificate with its key.
func (c provisionCertificate) read(dir, connection string, kinds newleaf.Kinds) (p agent.Provisioned, err error) {
	p.Name, p.Origin, p.Pinned, p.Exportable, p.Added = c.Name, newleaf.Origin(c.Origin), c.Pinned, c.Exportable, c.Added
	if c.Origin == "" {
		p.Origin = newleaf.Factory
	}
	if !slices.Contains([]newleaf.Origin{newleaf.Factory, newleaf.Generated, newleaf.Enrolled, newleaf.Imported, newleaf.Unknown}, p.Origin) {
		return p, newleaf.Errorf(newleaf.CodeInvalid, "certificate %q: there is no origin %q", c.Name, c.Origin).
			WithHint("Use factory, generated, enrolled or imported.")
	}
	if c.Purposes != nil {
		if p.Purposes, err = kinds.Parse(plainText(c.Purposes)); err != nil {
			return p, err
		}
	}
	leaf, chain, key, err := c.material(dir)
	if err != nil {
		return p, newleaf.Errorf(newleaf.CodeInvalid, "certificate %q cannot be read: %w", c.Name, err)
	}
	p.DER, p.Key = leaf.Raw, key
	for _, ca := range chain {
		if string(ca.RawIssuer) != string(ca.RawSubject) {
			p.Chain = append(p.Chain, ca.Raw)
		}
	}
	if p.Origin == newleaf.Enrolled {
		p.Connection, p.Updated = connection, c.Added
	}
	if c.Request == nil {
		return p, nil
	}
	q := newleaf.DefaultRequest()
	q.Name, q.Connection, q.Purposes = c.Name, connection, p.Purposes
	if err := setTable(&q, requestFields(), c.Request, "certificate.request"); err != nil {
		return p, err
	}
	p.Request = &q
	return p, q.Validate(kinds)
}

func (c provisionCertificate) material(dir string) (leaf *x509.Certificate, chain []*x509.Certificate, key crypto.Signer, err error) {
	if c.PKCS12 != "" {
		der, err := os.ReadFile(inFolder(dir, c.PKCS12))
		if err != nil {
			return nil, nil, nil, err
		}
		key, leaf, chain, err = keys.DecodePKCS12(der, []byte(c.Passphrase))
		return leaf, chain, key, err
	}
	cert, err := os.ReadFile(inFolder(dir, c.Cert))
	if err != nil {
		return nil, nil, nil, err
	}
	var private []byte
	if c.Key != "" {
		if private, err = os.ReadFile(inFolder(dir, c.Key)); err != nil {
			return nil, nil, nil, err
		}
	}
	key, leaf, chain, err = keys.DecodePEM(cert, private, []byte(c.Passphrase))
	return leaf, chain, key, err
}
