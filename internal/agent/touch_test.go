package agent_test

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"newleaf"
	"newleaf/internal/agent"
	"newleaf/internal/ca"
	"newleaf/internal/deploy"
)

// counting is a target that notes each call, and that none begins within another.
type counting struct {
	*target
	t     testing.TB
	calls int
	busy  bool
	slow  func() // during Put
}

func (c *counting) enter() func() {
	if c.busy {
		c.t.Error("a call of the target began within another")
	}
	c.calls++
	c.busy = true
	return func() { c.busy = false }
}

func (c *counting) Put(ctx context.Context, m deploy.Material) error {
	defer c.enter()()
	if c.slow != nil {
		c.slow()
	}
	return c.target.Put(ctx, m)
}

func (c *counting) Evidence(ctx context.Context, m deploy.Material) (newleaf.Evidence, string) {
	defer c.enter()()
	return c.target.Evidence(ctx, m)
}

func (c *counting) Retain(context.Context, newleaf.Purpose, []newleaf.ID) error {
	defer c.enter()()
	return nil
}

// TestTargetsUntouched: what changes no purpose reaches no target, so that it does
// not wait for a slow one either.
func TestTargetsUntouched(t *testing.T) {
	var c *counting
	d := newDevice(t, ca.Options{}, func(d *device, p *agent.Provision) {
		fx17A(d, p)
		c = &counting{target: d.targets[newleaf.TLS], t: t}
		d.real = map[newleaf.Purpose]deploy.Target{newleaf.TLS: c}
	})
	d.issue("Xyz4", newleaf.TLS)
	change := func() {
		_, err := d.Pin(context.Background(), "Xyz4", true)
		must(t, err)
		_, err = d.Pin(context.Background(), "Xyz4", false)
		must(t, err)
		q := *d.named("Xyz4").Request
		q.Exportable = true
		_, err = d.SetRequest(context.Background(), "Xyz4", q)
		must(t, err)
	}
	calls := c.calls
	change()
	d.tick()
	if c.calls != calls {
		t.Errorf("%d calls", c.calls-calls)
	}
	slow := 0
	c.slow = func() { slow++; change() }
	d.stands(d.update("Xyz4"), newleaf.PhaseDone, fine)
	if slow == 0 {
		t.Error("the target was not given the new certificate")
	}
}

// TestForceDeleted: the certificate that a person deletes by force is taken from
// its target too, with its files (DLS-37).
func TestForceDeleted(t *testing.T) {
	t.Run("served by the device itself", func(t *testing.T) {
		t.Parallel()
		d := newDevice(t, ca.Options{}, fx17A)
		must(t, d.Delete(context.Background(), "Xyz1", true))
		if s := d.targets[newleaf.TLS].serves; s != "" {
			t.Errorf("the target serves %s", s.Short())
		}
		if b := d.holding().Bindings.Of(newleaf.TLS); b.Holder() != "" || b.Loaded != "" {
			t.Errorf("the binding is %+v", b)
		}
		d.reboot()
		d.tick()
		if s := d.targets[newleaf.TLS].serves; s != "" {
			t.Errorf("after a restart the target serves %s", s.Short())
		}
		d.stands(d.issue("Xyz4", newleaf.TLS), newleaf.PhaseDone, fine)
	})
	t.Run("read from files", func(t *testing.T) {
		t.Parallel()
		d, dir := hooked(t, nil)
		d.onDisk(dir, "Xyz2", 1)
		must(t, d.Delete(context.Background(), "Xyz2", true))
		gone := func() {
			t.Helper()
			if _, err := os.Lstat(filepath.Join(dir, "ipsec/current")); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("the link is there: %v", err)
			}
			if found, err := filepath.Glob(filepath.Join(dir, "ipsec/*/key.pem")); err != nil || len(found) != 0 {
				t.Errorf("the keys %q are on the disk (%v)", found, err)
			}
		}
		gone()
		d.reboot()
		gone()
	})
	t.Run("while the files cannot be removed: at the next start", func(t *testing.T) {
		t.Parallel()
		d := newDevice(t, ca.Options{}, fx17A)
		old := d.named("Xyz1").ID
		d.targets[newleaf.TLS].fails = errors.New("the file system is read-only")
		if err := d.Delete(context.Background(), "Xyz1", true); err == nil {
			t.Error("nobody is told that the target still has it")
		}
		d.holds("Xyz2:ipsec", "Xyz3:dot1x")
		if s := d.targets[newleaf.TLS].serves; s != old {
			t.Fatalf("the target serves %s", s.Short())
		}
		d.targets[newleaf.TLS].fails = nil
		d.reboot()
		if s := d.targets[newleaf.TLS].serves; s != "" {
			t.Errorf("the target serves %s", s.Short())
		}
	})
}

// TestLiveFiles: the files that a program reads are not written anew at a restart.
func TestLiveFiles(t *testing.T) {
	d, dir := hooked(t, nil)
	stat := func() []os.FileInfo {
		t.Helper()
		var out []os.FileInfo
		for _, name := range []string{".", "key.pem", "fullchain.pem"} {
			info, err := os.Stat(filepath.Join(dir, "ipsec/current", name))
			must(t, err)
			out = append(out, info)
		}
		return out
	}
	before := stat()
	d.reboot()
	d.tick()
	for i, after := range stat() {
		if !os.SameFile(before[i], after) || !after.ModTime().Equal(before[i].ModTime()) {
			t.Errorf("%s is another file, or was written at %s", after.Name(), after.ModTime())
		}
	}
	d.onDisk(dir, "Xyz2", 1)
}
