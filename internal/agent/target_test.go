package agent_test

import (
	"crypto/tls"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"time"

	"newleaf"
	"newleaf/internal/agent"
	"newleaf/internal/ca"
	"newleaf/internal/deploy"
	"newleaf/internal/deploy/hook"
)

// hooked is a device with the files of IPSEC on disk; the reload command fails
// while the file "broken" is beside them.
func hooked(t *testing.T, change func(*hook.Target)) (*device, string) {
	t.Helper()
	dir := t.TempDir()
	target := &hook.Target{Dir: filepath.Join(dir, "ipsec"), Group: -1, Takes: newleaf.NeedReload, Accepted: true}
	reload := filepath.Join(dir, "reload")
	must(t, os.WriteFile(reload, []byte("#!/bin/sh\n[ ! -e "+dir+"/broken ] || { echo cannot read it; exit 1; }\necho $NEWLEAF_ID >> "+dir+"/loaded\n"), 0o700))
	target.Reload = []string{reload}
	if change != nil {
		change(target)
	}
	return newDevice(t, ca.Options{}, func(d *device, p *agent.Provision) {
		d.real = map[newleaf.Purpose]deploy.Target{newleaf.IPsec: target}
		fx17A(d, p)
	}), dir
}

// onDisk checks what a program that reads the files gets, and how many keys lie there.
func (d *device) onDisk(dir, name string, keys int) {
	d.t.Helper()
	pair, err := tls.LoadX509KeyPair(filepath.Join(dir, "ipsec/current/fullchain.pem"), filepath.Join(dir, "ipsec/current/key.pem"))
	must(d.t, err)
	if id := newleaf.IDOf(pair.Certificate[0]); id != d.named(name).ID {
		d.t.Errorf("the files are those of %s, want %s", d.nameOf(id), name)
	}
	if found, err := filepath.Glob(filepath.Join(dir, "ipsec/[0-9a-f]*/key.pem")); err != nil || len(found) != keys+1 {
		d.t.Errorf("the keys %q are on the disk, want %d and one by the link", found, keys)
	}
}

// TestHook: the walk of a certificate to a program that reads files.
func TestHook(t *testing.T) {
	t.Run("ORD-01 switched, told, and the retired key is gone", func(t *testing.T) {
		t.Parallel()
		d, dir := hooked(t, nil)
		d.deleting(nil, newleaf.RuleReplaced)
		d.onDisk(dir, "Xyz2", 1)
		d.stands(d.issue("Xyz4", newleaf.IPsec), newleaf.PhaseDone, fine)
		d.holds("Xyz1:tls", "Xyz3:dot1x", "Xyz4:ipsec")
		d.onDisk(dir, "Xyz4", 1)
		if told, err := os.ReadFile(dir + "/loaded"); err != nil || len(told) != 2*65 {
			t.Errorf("the program was told %q (%v), want Xyz2 at the start and Xyz4", told, err)
		}
		d.reboot()
		d.onDisk(dir, "Xyz4", 1)
	})
	t.Run("ORD-09 the program cannot read it: the old one is put back, and nothing is deleted", func(t *testing.T) {
		t.Parallel()
		d, dir := hooked(t, nil)
		d.deleting(nil, newleaf.AllRules()...)
		must(t, os.WriteFile(dir+"/broken", nil, 0o600))
		r := d.issue("Xyz4", newleaf.IPsec)
		if r.Phase != newleaf.PhaseRetry || r.Error == nil {
			t.Fatalf("the renewal stands at %s, %s", r.Step, r.Phase)
		}
		says(t, r.Error.Text, "cannot read it")
		d.holds("Xyz1:tls", "Xyz2:ipsec", "Xyz3:dot1x", "Xyz4")
		d.onDisk(dir, "Xyz2", 1)
		must(t, os.Remove(dir+"/broken"))
		d.until(d.now.Add(day), time.Hour)
		d.holds("Xyz1:tls", "Xyz3:dot1x", "Xyz4:ipsec")
		d.onDisk(dir, "Xyz4", 1)
		if n := d.requests(); n != 1 {
			t.Errorf("the authority was asked %d times for one need", n)
		}
	})
	t.Run("assumed use does not delete where the target does not say so", func(t *testing.T) {
		t.Parallel()
		d, dir := hooked(t, func(h *hook.Target) { h.Accepted = false })
		d.deleting(nil, newleaf.RuleReplaced)
		d.issue("Xyz4", newleaf.IPsec)
		d.holds("Xyz1:tls", "Xyz2", "Xyz3:dot1x", "Xyz4:ipsec")
		d.onDisk(dir, "Xyz4", 2) // both, as one may have to be put back
		d.after(25 * time.Hour)
		d.holds("Xyz1:tls", "Xyz2:ipsec", "Xyz3:dot1x", "Xyz4")
		d.onDisk(dir, "Xyz2", 1)
	})
	t.Run("a proof command decides", func(t *testing.T) {
		t.Parallel()
		d, dir := hooked(t, func(h *hook.Target) {
			h.Accepted = false
			h.Proof = []string{"/bin/sh", "-c", `[ -e "$NEWLEAF_DIR/../../connected" ] || exit 2`}
		})
		d.deleting(nil, newleaf.RuleReplaced)
		d.issue("Xyz4", newleaf.IPsec)
		d.holds("Xyz1:tls", "Xyz2", "Xyz3:dot1x", "Xyz4:ipsec")
		must(t, os.WriteFile(dir+"/connected", nil, 0o600))
		d.after(time.Hour)
		d.holds("Xyz1:tls", "Xyz3:dot1x", "Xyz4:ipsec")
		if r := d.last(); r.Evidence != newleaf.EvidenceProven {
			t.Errorf("the evidence is %q", r.Evidence)
		}
	})
	t.Run("its purpose is taken away: so are the files", func(t *testing.T) {
		t.Parallel()
		d, dir := hooked(t, nil)
		_, err := d.SetPurposes(t.Context(), "Xyz2", nil)
		must(t, err)
		if _, err := os.Lstat(filepath.Join(dir, "ipsec/current")); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("the link is there: %v", err)
		}
		if found, err := filepath.Glob(filepath.Join(dir, "ipsec/*/key.pem")); err != nil || len(found) != 0 {
			t.Errorf("the keys %q are on the disk (%v)", found, err)
		}
	})
	t.Run("the disk of the files is lost: they are written again from the store", func(t *testing.T) {
		t.Parallel()
		d, dir := hooked(t, nil)
		must(t, os.RemoveAll(filepath.Join(dir, "ipsec")))
		d.reboot()
		d.onDisk(dir, "Xyz2", 1)
	})
}
