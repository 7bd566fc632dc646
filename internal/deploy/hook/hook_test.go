package hook_test

import (
	"bytes"
	"crypto"
	"crypto/tls"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"newleaf"
	"newleaf/internal/deploy"
	"newleaf/internal/deploy/hook"
	"newleaf/internal/newleaftest"
)

var today = time.Date(2027, 3, 1, 12, 0, 0, 0, time.UTC)

// material is a certificate under an intermediate CA, ready to be put.
func material(t *testing.T, subject string) deploy.Material {
	t.Helper()
	from, to := today.Add(-time.Hour), today.AddDate(1, 0, 0)
	root := newleaftest.CACertificate(t, "CN=Root", from, to, nil)
	middle := newleaftest.CACertificate(t, "CN=Middle", from, to, &root)
	leaf := newleaftest.Certificate(t, subject, from, to, &middle)
	return deploy.Material{Purpose: newleaf.TLS, ID: newleaf.IDOf(leaf.Certificate.Raw), DER: leaf.Certificate.Raw,
		Chain: [][]byte{middle.Certificate.Raw}, Anchors: [][]byte{root.Certificate.Raw}, Key: leaf.Key}
}

func newTarget(t *testing.T) *hook.Target {
	return &hook.Target{Dir: filepath.Join(t.TempDir(), "tls"), Group: -1}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// read is a file of the generation in force.
func read(t *testing.T, target *hook.Target, name string) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(target.Dir, "current", name))
	must(t, err)
	return data
}

// serves checks that a program which reads the files now gets m, key and all.
func serves(t *testing.T, target *hook.Target, m deploy.Material) {
	t.Helper()
	pair, err := tls.X509KeyPair(read(t, target, "fullchain.pem"), read(t, target, "key.pem"))
	must(t, err)
	if newleaf.IDOf(pair.Certificate[0]) != m.ID || len(pair.Certificate) != 1+len(m.Chain) {
		t.Errorf("the files hold %s with %d certificates, want %s with %d",
			newleaf.IDOf(pair.Certificate[0]).Short(), len(pair.Certificate), m.ID.Short(), 1+len(m.Chain))
	}
}

func TestPut(t *testing.T) {
	target, first, second := newTarget(t), material(t, "CN=First"), material(t, "CN=Second")
	must(t, target.Put(t.Context(), first))
	serves(t, target, first)
	for name, want := range map[string][][]byte{"cert.pem": {first.DER}, "chain.pem": first.Chain, "ca.pem": first.Anchors} {
		var have [][]byte
		for block, rest := pem.Decode(read(t, target, name)); block != nil; block, rest = pem.Decode(rest) {
			have = append(have, block.Bytes)
		}
		if fmt.Sprint(have) != fmt.Sprint(want) {
			t.Errorf("%s holds %d certificates, not what it is to hold", name, len(have))
		}
	}
	gen := filepath.Join(target.Dir, string(first.ID))
	for name, want := range map[string]fs.FileMode{
		target.Dir: fs.ModeDir | 0o751, gen: fs.ModeDir | 0o750, filepath.Join(gen, "key.pem"): 0o640, filepath.Join(target.Dir, "current"): fs.ModeSymlink | 0o777,
	} {
		info, err := os.Lstat(name)
		must(t, err)
		if info.Mode() != want {
			t.Errorf("%s has mode %s, want %s", name, info.Mode(), want)
		}
	}

	// A program that has the old files open goes on with them.
	open, err := os.Open(filepath.Join(target.Dir, "current", "key.pem"))
	must(t, err)
	defer open.Close()
	before := read(t, target, "key.pem")
	must(t, target.Put(t.Context(), second))
	serves(t, target, second)
	held := make([]byte, len(before))
	if _, err := open.ReadAt(held, 0); err != nil || !bytes.Equal(held, before) {
		t.Errorf("the files of the old generation were changed in place (%v)", err)
	}
	must(t, target.Put(t.Context(), first)) // put back
	serves(t, target, first)

	must(t, target.Put(t.Context(), deploy.Material{Purpose: newleaf.TLS}))
	must(t, target.Put(t.Context(), deploy.Material{Purpose: newleaf.TLS}))
	if _, err := os.Lstat(filepath.Join(target.Dir, "current")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("taken away, and the link is still there: %v", err)
	}
	if entries, err := os.ReadDir(target.Dir); err != nil || len(entries) != 2 {
		t.Errorf("the folder holds %v (%v), want two generations", entries, err)
	}
}

// TestPutResumes: whatever a crash left behind, the next Put makes whole files of it.
func TestPutResumes(t *testing.T) {
	for name, spoil := range map[string]func(gen, dir string) error{
		"a generation without its key":       func(gen, _ string) error { return os.Remove(filepath.Join(gen, "key.pem")) },
		"half a certificate":                 func(gen, _ string) error { return os.Truncate(filepath.Join(gen, "cert.pem"), 100) },
		"a generation that was not finished": func(gen, _ string) error { return os.Rename(gen, gen+".new") },
		"a link that was not renamed":        func(gen, dir string) error { return os.Symlink(filepath.Base(gen), filepath.Join(dir, ".next")) },
		"the link is missing":                func(_, dir string) error { return os.Remove(filepath.Join(dir, "current")) },
	} {
		t.Run(name, func(t *testing.T) {
			target, m := newTarget(t), material(t, "CN=Device001")
			must(t, target.Put(t.Context(), m))
			must(t, spoil(filepath.Join(target.Dir, string(m.ID)), target.Dir))
			must(t, target.Put(t.Context(), m))
			serves(t, target, m)
			must(t, target.Retain(t.Context(), newleaf.TLS, []newleaf.ID{m.ID}))
			serves(t, target, m)
			if kept, err := filepath.Glob(filepath.Join(target.Dir, "[0-9a-f]*", "key.pem")); err != nil || len(kept) != 2 {
				t.Errorf("the keys are %v (%v), want one, and the same by the link", kept, err)
			}
		})
	}
}

// TestPutAgain: a generation that is whole is not written anew, as a program may be
// reading it, and one that is not never becomes the current one.
func TestPutAgain(t *testing.T) {
	target, m := newTarget(t), material(t, "CN=Device001")
	key := filepath.Join(target.Dir, "current", "key.pem")
	stat := func() os.FileInfo {
		t.Helper()
		info, err := os.Stat(key)
		must(t, err)
		return info
	}
	must(t, target.Put(t.Context(), m))
	before := stat()
	must(t, target.Put(t.Context(), m))
	if after := stat(); !os.SameFile(before, after) || !after.ModTime().Equal(before.ModTime()) {
		t.Errorf("it was written again, at %s", after.ModTime())
	}

	// The next one breaks off: its folder is in the way of a file.
	next := material(t, "CN=Next")
	must(t, os.MkdirAll(filepath.Join(target.Dir, string(next.ID)+".new", "key.pem", "full"), 0o700))
	if err := target.Put(t.Context(), next); err == nil {
		t.Error("nobody is told that it failed")
	}
	serves(t, target, m)
	if _, err := os.Stat(filepath.Join(target.Dir, string(next.ID))); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("half of it has the name of a generation: %v", err)
	}
}

// TestRetain: the key of a retired generation is overwritten before it is
// unlinked, and nothing that is not a generation is touched.
func TestRetain(t *testing.T) {
	target, old, present := newTarget(t), material(t, "CN=Old"), material(t, "CN=Present")
	must(t, target.Retain(t.Context(), newleaf.TLS, nil)) // before there is anything
	must(t, target.Put(t.Context(), old))
	must(t, target.Put(t.Context(), present))
	key := filepath.Join(target.Dir, string(old.ID), "key.pem")
	open, err := os.Open(key)
	must(t, err)
	defer open.Close()
	before := make([]byte, 200)
	_, err = open.ReadAt(before, 0)
	must(t, err)
	foreign := filepath.Join(target.Dir, "notes")
	must(t, os.Mkdir(foreign, 0o700))
	must(t, os.WriteFile(filepath.Join(foreign, "key.pem"), []byte("mine"), 0o600))

	must(t, target.Retain(t.Context(), newleaf.TLS, []newleaf.ID{present.ID, old.ID, ""}))
	if _, err := os.Stat(key); err != nil {
		t.Errorf("a generation that is still in use is gone: %v", err)
	}
	must(t, target.Retain(t.Context(), newleaf.TLS, []newleaf.ID{present.ID, ""}))
	serves(t, target, present)
	if _, err := os.Stat(filepath.Dir(key)); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the retired generation is there: %v", err)
	}
	after := make([]byte, 200)
	if _, err := open.ReadAt(after, 0); err != nil || bytes.Equal(before, after) || bytes.Contains(after, []byte("PRIVATE KEY")) {
		t.Errorf("the retired key was unlinked, but its bytes are still on the disk (%v)", err)
	}
	if mine, err := os.ReadFile(filepath.Join(foreign, "key.pem")); err != nil || string(mine) != "mine" {
		t.Errorf("a folder that is no generation was touched: %q, %v", mine, err)
	}
}

// script writes an executable.
func script(t *testing.T, lines ...string) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "command")
	must(t, os.WriteFile(name, []byte("#!/bin/sh\n"+strings.Join(lines, "\n")+"\n"), 0o700))
	return name
}

// TestReload: argv without a shell, a minimal environment, its words in the error.
func TestReload(t *testing.T) {
	t.Run("argv and environment", func(t *testing.T) {
		out := filepath.Join(t.TempDir(), "out")
		t.Setenv("NEWLEAF_SECRET", "of the agent")
		target, m := newTarget(t), material(t, "CN=Device001")
		target.Reload = []string{script(t, `printf '%s\n' "$#" "$1" "$2" > "$3"`, `env | grep NEWLEAF | sort >> "$3"`,
			`cat "$NEWLEAF_DIR/cert.pem" >> "$3"`), "$(touch /nowhere)", "a b", out}
		must(t, target.Put(t.Context(), m))
		have, err := os.ReadFile(out)
		must(t, err)
		want := fmt.Sprintf("3\n$(touch /nowhere)\na b\nNEWLEAF_DIR=%s\nNEWLEAF_ID=%s\nNEWLEAF_PURPOSE=tls\n%s",
			filepath.Join(target.Dir, "current"), m.ID, read(t, target, "cert.pem"))
		if string(have) != want {
			t.Errorf("the command saw:\n%s\nwant:\n%s", have, want)
		}
	})
	t.Run("a failure is told in its own words, and the old one can be put again", func(t *testing.T) {
		target, old, m := newTarget(t), material(t, "CN=Old"), material(t, "CN=New")
		must(t, target.Put(t.Context(), old))
		target.Reload = []string{script(t, `grep -q "$(cat "$0.good")" "$NEWLEAF_DIR/cert.pem" || { echo "cannot read it" >&2; exit 7; }`)}
		must(t, os.WriteFile(target.Reload[0]+".good", read(t, target, "cert.pem")[40:90], 0o600))
		err := target.Put(t.Context(), m)
		if newleaf.CodeOf(err) != newleaf.CodeRestart || !strings.Contains(err.Error(), "cannot read it") {
			t.Fatalf("the error is %v", err)
		}
		must(t, target.Put(t.Context(), old))
		serves(t, target, old)
	})
	t.Run("none for a program that reads its files at the start only", func(t *testing.T) {
		target := newTarget(t)
		target.Takes, target.Reload = newleaf.NeedRestart, []string{"/nowhere"}
		must(t, target.Put(t.Context(), material(t, "CN=Device001")))
		if target.Need() != newleaf.NeedRestart {
			t.Errorf("the need is %q", target.Need())
		}
	})
}

func TestEvidence(t *testing.T) {
	target, m, other := newTarget(t), material(t, "CN=Device001"), material(t, "CN=Other")
	check := func(m deploy.Material, want newleaf.Evidence, words string) {
		t.Helper()
		if have, why := target.Evidence(t.Context(), m); have != want || !strings.Contains(why, words) {
			t.Errorf("the evidence is %q (%s), want %q with %q", have, why, want, words)
		}
	}
	check(m, newleaf.EvidenceNone, "another certificate")
	must(t, target.Put(t.Context(), m))
	check(m, newleaf.EvidenceAssumed, "cannot look into")
	check(other, newleaf.EvidenceNone, "another certificate")
	target.Proof = []string{script(t, `[ "$NEWLEAF_ID" = `+string(m.ID)+` ] && [ "$NEWLEAF_PURPOSE" = tls ] || exit 3`)}
	check(m, newleaf.EvidenceProven, "in use")
	target.Proof = []string{script(t, "echo the peer says no; exit 1")}
	check(m, newleaf.EvidenceRefused, "the peer says no")
	target.Proof = []string{script(t, "echo nobody answers; exit 2")}
	check(m, newleaf.EvidenceNone, "nobody answers")
	target.Proof = []string{"/nowhere"}
	check(m, newleaf.EvidenceNone, "/nowhere")
	check(other, newleaf.EvidenceNone, "another certificate")
	if target.AcceptsAssumed() {
		t.Error("assumed use is accepted although nobody said so")
	}
}

// TestGroup: the files belong to the group that the configuration names.
func TestGroup(t *testing.T) {
	groups, err := os.Getgroups()
	must(t, err)
	if os.Getuid() == 0 {
		groups = []int{7}
	}
	if len(groups) == 0 {
		t.Skip("this user is in no group")
	}
	target, m := newTarget(t), material(t, "CN=Device001")
	target.Group = groups[0]
	must(t, target.Put(t.Context(), m))
	for _, name := range []string{"", "key.pem", "cert.pem"} {
		info, err := os.Stat(filepath.Join(target.Dir, "current", name))
		must(t, err)
		if gid := info.Sys().(*syscall.Stat_t).Gid; int(gid) != target.Group {
			t.Errorf("%q belongs to group %d, want %d", name, gid, target.Group)
		}
	}
}

// failing is a key that cannot be written out.
type failing struct{ crypto.Signer }

// TestPutFails: what cannot be written leaves the old files in force.
func TestPutFails(t *testing.T) {
	target, old, m := newTarget(t), material(t, "CN=Old"), material(t, "CN=New")
	must(t, target.Put(t.Context(), old))
	broken := m
	broken.Key = failing{m.Key}
	if err := target.Put(t.Context(), broken); newleaf.CodeOf(err) != newleaf.CodeDiskFull {
		t.Errorf("the error is %v", err)
	}
	serves(t, target, old)
	must(t, target.Put(t.Context(), m))
	serves(t, target, m)
}
