package agent_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"newleaf"
	"newleaf/internal/ca"
	"newleaf/internal/deploy"
)

// clinging is a target that cannot forget.
type clinging struct {
	*target
	err   error
	asked int
}

func (c *clinging) Retain(context.Context, newleaf.Purpose, []newleaf.ID) error {
	c.asked++
	return c.err
}

// cling lets TLS have such a target.
func (d *device) cling(err error) *clinging {
	d.t.Helper()
	c := &clinging{target: d.targets[newleaf.TLS], err: err}
	d.real = map[newleaf.Purpose]deploy.Target{newleaf.TLS: c}
	d.reboot()
	return c
}

// TestAfterwards: what fails after the last step leaves the renewal done, and the
// others run.
func TestAfterwards(t *testing.T) {
	t.Run("a target cannot forget: it is asked again at every look", func(t *testing.T) {
		t.Parallel()
		d := newDevice(t, ca.Options{}, fx17A)
		d.deleting(nil, newleaf.RuleReplaced)
		target := d.cling(errors.New("overwriting a retired key: input/output error")) // the start goes on as well
		d.stands(d.issue("Xyz4", newleaf.TLS), newleaf.PhaseDone, fine)
		d.stands(d.issue("Xyz5", "tls:portal"), newleaf.PhaseDone, fine)
		d.holds("Xyz2:ipsec", "Xyz3:dot1x", "Xyz4:tls", "Xyz5:tls:portal")
		asked := target.asked
		d.tick()
		if target.asked != asked+1 {
			t.Errorf("asked %d times at the next look, want once", target.asked-asked)
		}
		target.err = nil
		d.tick()
		asked = target.asked
		d.tick()
		if target.asked != asked {
			t.Error("it has forgotten, and is asked all the same")
		}
	})
	t.Run("the old key-encryption key cannot be overwritten: the next destruction does it", func(t *testing.T) {
		t.Parallel()
		d := newDevice(t, ca.Options{}, fx17A)
		d.deleting(nil, newleaf.RuleReplaced)
		file := filepath.Join(d.dir, "kek")
		d.stop = func(point string) {
			switch point {
			case "destroy.committed":
				must(t, os.Rename(file, file+".away"))
			case "destroy.overwritten":
				must(t, os.Rename(file+".away", file))
			}
		}
		d.stands(d.issue("Xyz4", newleaf.TLS), newleaf.PhaseDone, fine)
		d.stands(d.issue("Xyz5", "tls:portal"), newleaf.PhaseDone, fine)
		d.holds("Xyz2:ipsec", "Xyz3:dot1x", "Xyz4:tls", "Xyz5:tls:portal")
		d.stop = nil
		d.reboot()
		d.stands(d.issue("Xyz6", newleaf.TLS), newleaf.PhaseDone, fine)
	})
}

// TestDiskFull: a transaction that fails leaves the renewal where it stood, in the
// store and in memory; it goes on when there is room again (CodeDiskFull).
func TestDiskFull(t *testing.T) {
	for _, tt := range []struct {
		kind newleaf.EventKind // whose event finds no room, and with it its step
		step newleaf.Step
	}{
		{newleaf.EventAcquired, newleaf.StepKeep},
		{newleaf.EventBound, newleaf.StepBind},
		{newleaf.EventProven, newleaf.StepProve},
		{newleaf.EventDeleted, newleaf.StepDelete},
		{newleaf.EventRenewed, newleaf.StepDelete},
		{newleaf.EventStep, newleaf.StepRoom}, // nothing at all can be written
	} {
		t.Run("in step "+string(tt.step)+" at "+string(tt.kind), func(t *testing.T) {
			t.Parallel()
			d := scheduled(t, ca.Options{}, false)
			d.deleting(nil, newleaf.RuleReplaced)
			d.now = d.now.Add(time.Second)
			d.garble(fmt.Sprintf(`CREATE TRIGGER full BEFORE INSERT ON events WHEN NEW.kind = '%s' AND NEW.at BETWEEN '%s' AND '%s'
				BEGIN SELECT RAISE(ABORT, 'disk full'); END`, tt.kind, d.now.Format(time.RFC3339), d.now.Add(time.Hour).Format(time.RFC3339)))
			seen := d.requests()
			for range 3 {
				_, err := d.Tick(context.Background())
				if nothing := tt.kind == newleaf.EventStep; nothing != (err != nil) {
					t.Errorf("the look says %v", err)
				}
				d.now = d.now.Add(10 * time.Minute)
			}
			r := d.last()
			if kept := r.Step.Number() > newleaf.StepKeep.Number(); r.Step != tt.step || kept != (r.Certificate != "") || len(r.Deleted) != 0 || r.Evidence != "" && r.Step != newleaf.StepDelete {
				t.Errorf("the row stands at %s with certificate %q, evidence %q, deleted %v", r.Step, r.Certificate.Short(), r.Evidence, r.Deleted)
			}
			want := []string{"Xyz1:tls"}
			switch tt.step {
			case newleaf.StepBind:
				want = append(want, "Xyz1-2")
			case newleaf.StepProve, newleaf.StepDelete:
				want = []string{"Xyz1", "Xyz1-2:tls"}
			}
			d.holds(want...)
			d.now = d.now.Add(time.Hour) // there is room again
			d.until(d.now.Add(day), time.Hour)
			d.stands(d.renewal(r.ID), newleaf.PhaseDone, fine)
			d.holds("Xyz1-2:tls")
			if n := d.requests() - seen; n != 1 || len(d.renewal(r.ID).Deleted) != 1 || len(d.holding().Keys) != 1 {
				t.Errorf("%d requests, deleted %+v, %d keys", n, d.renewal(r.ID).Deleted, len(d.holding().Keys))
			}
			d.whole()
		})
	}
}

// TestPanic: what a step cannot do, or does not know, fails this renewal alone.
func TestPanic(t *testing.T) {
	for _, point := range []string{"request.generated", "request.sending", "destroy.begun", "bind.handed", "prove.seen", "delete.judged"} {
		t.Run("F19-G3 at "+point, func(t *testing.T) {
			t.Parallel()
			d := scheduled(t, ca.Options{}, false)
			d.deleting(nil, newleaf.RuleReplaced)
			d.at(point, func() { panic("out of bounds") })
			d.tick()
			r := d.last()
			d.stands(r, newleaf.PhaseRetry, newleaf.CodeInternal)
			d.stands(d.issue("Other", "tls:portal"), newleaf.PhaseDone, fine)
			d.until(d.now.Add(day), time.Hour)
			d.stands(d.renewal(r.ID), newleaf.PhaseDone, fine)
			if d.deletedBy()["Xyz1"] != "replaced" || len(d.holding().Keys) != 2 {
				t.Errorf("deleted are %v, and %d keys are left", d.deletedBy(), len(d.holding().Keys))
			}
		})
	}
	t.Run("a step that this version does not know", func(t *testing.T) {
		t.Parallel()
		d := newDevice(t, ca.Options{}, fx17A)
		r, err := d.Issue(context.Background(), issueOf("New", newleaf.TLS))
		must(t, err)
		before := d.holding()
		d.garble(`UPDATE renewals SET body = replace(body, '"step":"room"', '"step":"inspect"')`)
		d.tick()
		d.stands(d.renewal(r.ID), newleaf.PhaseFailed, newleaf.CodeInternal)
		says(t, d.renewal(r.ID).Error.Text, "inspect")
		d.unchanged(before)
		d.stands(d.issue("Xyz4", newleaf.TLS), newleaf.PhaseDone, fine)
	})
}
