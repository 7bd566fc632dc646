// Package hook is a user of certificates that reads files: one directory per
// generation, one symbolic link swapped, so that certificate and key never
// disagree. A command makes the program read them; another may look into it and
// tell whether the new certificate is really in use. Without that one its
// evidence is assumed.
package hook

import (
	"bytes"
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
// Dir/current, a link to a generation named after the certificate's ID.
type Target struct {
	Dir      string   // of this purpose alone; created 0751
	Reload   []string // argv, no shell; empty: nothing to run
	Proof    []string // argv; exit 0 proves the use, 1 refuses it, anything else says nothing
	Group    int      // owner group of the files, -1: the agent's
	Takes    newleaf.Need
	Accepted bool // accept = "assumed"
}

// Put writes a generation, unless it is there already, swaps the link and runs
// the reload command. Without a certificate it removes the link.
func (t *Target) Put(ctx context.Context, m deploy.Material) error {
	if m.DER == nil {
		if err := os.Remove(t.current()); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return newleaf.Errorf(newleaf.CodeDiskFull, "taking the files of purpose %s away: %w", m.Purpose, err)
		}
		return nil
	}
	if err := t.write(m); err != nil {
		return newleaf.Errorf(newleaf.CodeDiskFull, "writing the files of purpose %s: %w", m.Purpose, err)
	}
	if err := t.swap(m.ID); err != nil {
		return newleaf.Errorf(newleaf.CodeDiskFull, "switching the files of purpose %s: %w", m.Purpose, err)
	}
	if t.Takes == newleaf.NeedRestart || len(t.Reload) == 0 {
		return nil
	}
	return host.Run(ctx, t.Reload, t.environment(m)...)
}

// environment tells commands which certificate they are run for.
func (t *Target) environment(m deploy.Material) []string {
	return []string{"NEWLEAF_PURPOSE=" + string(m.Purpose), "NEWLEAF_ID=" + string(m.ID), "NEWLEAF_DIR=" + t.current()}
}

func (t *Target) current() string { return filepath.Join(t.Dir, "current") }

// Evidence runs the proof command. Without one it can only tell what lies in the
// files; the program may still hold the old certificate.
func (t *Target) Evidence(ctx context.Context, m deploy.Material) (newleaf.Evidence, string) {
	to, err := os.Readlink(t.current())
	if err != nil || to != string(m.ID) {
		return newleaf.EvidenceNone, fmt.Sprintf("the files of purpose %s are those of another certificate", m.Purpose)
	}
	if len(t.Proof) == 0 {
		return newleaf.EvidenceAssumed, "the files were put in place; this target cannot look into the program"
	}
	err = host.Run(ctx, t.Proof, t.environment(m)...)
	switch {
	case err == nil:
		return newleaf.EvidenceProven, "the proof command of purpose " + string(m.Purpose) + " saw the certificate in use"
	case host.ExitStatus(err) == 1:
		return newleaf.EvidenceRefused, err.Error()
	}
	return newleaf.EvidenceNone, err.Error()
}

// Retain overwrites and removes the generations of all other certificates. It
// touches nothing that is not named as a generation is.
func (t *Target) Retain(_ context.Context, _ newleaf.Purpose, ids []newleaf.ID) error {
	entries, err := os.ReadDir(t.Dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("listing the files of a purpose: %w", err)
	}
	var failed error
	for _, e := range entries {
		id := newleaf.ID(e.Name())
		if e.IsDir() && isGeneration(e.Name()) && !slices.Contains(ids, id) {
			failed = errors.Join(failed, erase(filepath.Join(t.Dir, e.Name())))
		}
	}
	return failed
}

// isGeneration recognizes an ID, and one that was not finished.
func isGeneration(name string) bool {
	id := strings.TrimSuffix(name, unfinished)
	return len(id) == 64 && strings.Trim(id, "0123456789abcdef") == ""
}

const unfinished = ".new"

func erase(gen string) error {
	if err := overwrite(filepath.Join(gen, "key.pem")); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("overwriting a retired key: %w", err)
	}
	if err := os.RemoveAll(gen); err != nil {
		return fmt.Errorf("removing a retired generation: %w", err)
	}
	return nil
}

// Need says how the consumer takes up new files.
func (t *Target) Need() newleaf.Need { return t.Takes }

// AcceptsAssumed is what the configuration says.
func (t *Target) AcceptsAssumed() bool { return t.Accepted }

// write makes the generation of m: beside the others, whole, then named. One that
// is complete is left alone, as a program may be reading it.
func (t *Target) write(m deploy.Material) error {
	files, err := render(m)
	if err != nil {
		return err
	}
	defer clear(files[0].data)
	gen := filepath.Join(t.Dir, string(m.ID))
	if complete(gen, files) {
		return nil
	}
	if err := os.MkdirAll(t.Dir, 0o751); err != nil {
		return err
	}
	next := gen + unfinished
	if err := errors.Join(erase(next), erase(gen), os.Mkdir(next, 0o750)); err != nil {
		return err
	}
	for _, f := range files {
		if err := writeFile(filepath.Join(next, f.name), f.data, t.Group); err != nil {
			return err
		}
	}
	if t.Group >= 0 {
		if err := os.Chown(next, -1, t.Group); err != nil {
			return err
		}
	}
	return errors.Join(syncDir(next), os.Rename(next, gen), syncDir(t.Dir))
}

type file struct {
	name string
	data []byte
}

// render is the content of a generation, the key first.
func render(m deploy.Material) ([]file, error) {
	pkcs8, err := x509.MarshalPKCS8PrivateKey(m.Key)
	if err != nil {
		return nil, err
	}
	defer clear(pkcs8)
	leaf, chain := certs(m.DER), certs(m.Chain...)
	return []file{
		{"key.pem", pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8})},
		{"cert.pem", leaf}, {"chain.pem", chain}, {"fullchain.pem", slices.Concat(leaf, chain)}, {"ca.pem", certs(m.Anchors...)},
	}, nil
}

func complete(gen string, files []file) bool {
	return !slices.ContainsFunc(files, func(f file) bool {
		have, err := os.ReadFile(filepath.Join(gen, f.name))
		defer clear(have)
		return err != nil || !bytes.Equal(have, f.data)
	})
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

// swap points Dir/current at the generation of id in one rename.
func (t *Target) swap(id newleaf.ID) error {
	if to, err := os.Readlink(t.current()); err == nil && to == string(id) {
		return nil
	}
	next := filepath.Join(t.Dir, ".next")
	if err := os.Remove(next); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := os.Symlink(string(id), next); err != nil {
		return err
	}
	if err := os.Rename(next, t.current()); err != nil {
		return err
	}
	return syncDir(t.Dir)
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
