// Package hook is a user of certificates that reads files and takes a reload
// command: one directory per generation, one symbolic link swapped, so that
// certificate and key never disagree. It cannot look into the consumer, so its
// evidence is assumed.
package hook

import (
	"context"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"newleaf"
	"newleaf/internal/deploy"
	"newleaf/internal/host"
)

// Target keeps cert.pem, chain.pem, fullchain.pem, ca.pem and key.pem under
// Dir/current, a link to a generation named after the certificate.
type Target struct {
	Dir      string   // of this purpose; created 0751
	Reload   []string // argv, no shell; empty: nothing to run
	Group    int      // owner group of the files, -1: the agent's
	Takes    newleaf.Need
	Accepted bool // accept = "assumed"
}

// Put writes a generation, swaps the link and runs the reload command. Without a
// certificate it removes the link.
func (t *Target) Put(ctx context.Context, m deploy.Material) error {
	if m.DER == nil {
		if err := os.Remove(filepath.Join(t.Dir, "current")); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return newleaf.Errorf(newleaf.CodeDiskFull, "taking the files of purpose %s away: %w", m.Purpose, err)
		}
		return nil
	}
	gen := filepath.Join(t.Dir, m.ID.Short())
	if err := t.write(gen, m); err != nil {
		return newleaf.Errorf(newleaf.CodeDiskFull, "writing the files of purpose %s: %w", m.Purpose, err)
	}
	if err := swap(t.Dir, m.ID.Short()); err != nil {
		return newleaf.Errorf(newleaf.CodeDiskFull, "switching the files of purpose %s: %w", m.Purpose, err)
	}
	if t.Takes == newleaf.NeedRestart || len(t.Reload) == 0 {
		return nil
	}
	return host.Run(ctx, t.Reload, "NEWLEAF_PURPOSE="+string(m.Purpose), "NEWLEAF_ID="+string(m.ID), "NEWLEAF_DIR="+filepath.Join(t.Dir, "current"))
}

// Evidence tells what lies in the files; the consumer may still hold the old one.
func (t *Target) Evidence(_ context.Context, m deploy.Material) (newleaf.Evidence, string) {
	to, err := os.Readlink(filepath.Join(t.Dir, "current"))
	if err != nil || to != m.ID.Short() {
		return newleaf.EvidenceNone, fmt.Sprintf("the files of purpose %s are those of another certificate", m.Purpose)
	}
	return newleaf.EvidenceAssumed, "the files were put in place; this target cannot look into the program"
}

// Retain overwrites and removes the generations of all other certificates.
func (t *Target) Retain(_ context.Context, _ newleaf.Purpose, ids []newleaf.ID) error {
	entries, err := os.ReadDir(t.Dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("listing the files of a purpose: %w", err)
	}
	current, _ := os.Readlink(filepath.Join(t.Dir, "current"))
	for _, e := range entries {
		keep := func(id newleaf.ID) bool { return id.Short() == e.Name() }
		if !e.IsDir() || e.Name() == current || slices.ContainsFunc(ids, keep) {
			continue
		}
		gen := filepath.Join(t.Dir, e.Name())
		if err := overwrite(filepath.Join(gen, "key.pem")); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("overwriting a retired key: %w", err)
		}
		if err := os.RemoveAll(gen); err != nil {
			return fmt.Errorf("removing a retired generation: %w", err)
		}
	}
	return nil
}

// Need says how the consumer takes up new files.
func (t *Target) Need() newleaf.Need { return t.Takes }

// AcceptsAssumed is what the configuration says.
func (t *Target) AcceptsAssumed() bool { return t.Accepted }

func (t *Target) write(gen string, m deploy.Material) error {
	pkcs8, err := x509.MarshalPKCS8PrivateKey(m.Key)
	if err != nil {
		return err
	}
	key := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8})
	defer clear(key)
	defer clear(pkcs8)
	if err := os.MkdirAll(t.Dir, 0o751); err != nil {
		return err
	}
	if err := os.MkdirAll(gen, 0o750); err != nil {
		return err
	}
	leaf, chain := certs(m.DER), certs(m.Chain...)
	files := []struct {
		name string
		data []byte
	}{
		{"key.pem", key}, {"cert.pem", leaf}, {"chain.pem", chain},
		{"fullchain.pem", append(leaf[:len(leaf):len(leaf)], chain...)}, {"ca.pem", certs(m.Anchors...)},
	}
	for _, f := range files {
		if err := writeFile(filepath.Join(gen, f.name), f.data, t.Group); err != nil {
			return err
		}
	}
	if t.Group >= 0 {
		if err := os.Chown(gen, -1, t.Group); err != nil {
			return err
		}
	}
	return syncDir(gen)
}

func certs(ders ...[]byte) []byte {
	var b strings.Builder
	for _, der := range ders {
		_ = pem.Encode(&b, &pem.Block{Type: "CERTIFICATE", Bytes: der}) // a Builder cannot fail
	}
	return []byte(b.String())
}

func writeFile(name string, data []byte, group int) error {
	f, err := os.OpenFile(name, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o640)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err == nil && group >= 0 {
		err = f.Chown(-1, group)
	}
	return errors.Join(err, f.Sync(), f.Close())
}

// swap points Dir/current at generation gen in one rename.
func swap(dir, gen string) error {
	next := filepath.Join(dir, ".next")
	if err := os.Remove(next); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := os.Symlink(gen, next); err != nil {
		return err
	}
	if err := os.Rename(next, filepath.Join(dir, "current")); err != nil {
		return err
	}
	return syncDir(dir)
}

func overwrite(name string) error {
	f, err := os.OpenFile(name, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	info, err := f.Stat()
	if err == nil {
		noise := make([]byte, info.Size())
		_, _ = rand.Read(noise) // never fails
		_, err = f.WriteAt(noise, 0)
	}
	return errors.Join(err, f.Sync(), f.Close())
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
