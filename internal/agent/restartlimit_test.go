package agent_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"newleaf"
	"newleaf/internal/agent"
	"newleaf/internal/ca"
)

// port adds a user of IEEE 802.1X certificates that reads its own at the start.
func port(d *device) *target {
	d.targets[newleaf.Dot1X] = &target{takes: newleaf.NeedRestart, says: newleaf.EvidenceProven}
	return d.targets[newleaf.Dot1X]
}

// ported is a device that uses the certificate Port for IEEE 802.1X.
func ported(t *testing.T) (*device, *target) {
	t.Helper()
	var reads *target
	d := newDevice(t, ca.Options{}, func(d *device, _ *agent.Provision) { reads = port(d) })
	d.issue("Port", newleaf.Dot1X)
	d.reboot()
	d.tick()
	d.holds("Port:dot1x")
	return d, reads
}

// TestBesideOneThatWaits: a renewal that waits for a restart holds up no other for
// which there is room, and one for which there is none says why (contract, "Room").
func TestBesideOneThatWaits(t *testing.T) {
	waiting := func(t *testing.T, capacity int) *device {
		d := newDevice(t, ca.Options{}, func(d *device, p *agent.Provision) { port(d); p.Settings.Capacity = capacity })
		d.deleting(nil, newleaf.RuleReplaced)
		d.setting(func(s *newleaf.Settings) { s.AutoRestart = false })
		d.issue("Web", newleaf.TLS)
		d.issue("Port", newleaf.Dot1X)
		d.reboot()
		d.tick()
		d.now = d.named("Web").NotAfter.Add(-21 * day)
		d.stands(d.update("Port"), newleaf.PhaseSuspended, fine)
		d.reserve(func(r *newleaf.Reservation) { r.Method, r.Before = newleaf.MethodBefore, 20*day })
		d.after(day)
		return d
	}
	t.Run("there is room", func(t *testing.T) {
		t.Parallel()
		d := waiting(t, 3)
		d.stands(d.last(), newleaf.PhaseDone, fine)
		d.holds("Port", "Port-2:dot1x", "Web-2:tls")
	})
	t.Run("there is none, until the other is through", func(t *testing.T) {
		t.Parallel()
		d := waiting(t, 2)
		d.stands(d.last(), newleaf.PhaseRetry, newleaf.CodeSlotTaken)
		if n := d.requests(); n != 3 {
			t.Errorf("%d requests were sent, want those of Web, Port and Port-2", n)
		}
		d.until(d.now.Add(3*day), time.Hour)
		d.stands(d.last(), newleaf.PhaseRetry, newleaf.CodeSlotTaken)
		d.holds("Web:tls", "Port", "Port-2:dot1x")
		d.reboot()
		d.until(d.now.Add(day), time.Hour)
		d.stands(d.last(), newleaf.PhaseDone, fine)
		d.holds("Port-2:dot1x", "Web-2:tls")
	})
}

// TestRestartFails: a restart that could not be started is tried again, one that
// did not help is not: the old certificate is put back (AMB-20, ORD-09).
func TestRestartFails(t *testing.T) {
	t.Run("AMB-20 the command fails once", func(t *testing.T) {
		t.Parallel()
		d, _ := ported(t)
		restart, tries := d.Options.Restart, 0
		d.Options.Restart = func(ctx context.Context) error {
			if tries++; tries == 1 {
				return newleaf.Errorf(newleaf.CodeRestart, "the bus is busy")
			}
			return restart(ctx)
		}
		d.stands(d.update("Port"), newleaf.PhaseRetry, newleaf.CodeRestart)
		d.until(d.now.Add(10*time.Hour), time.Hour)
		if tries != 2 || d.restarts != 1 {
			t.Fatalf("%d tries and %d restarts, want one more try and no more restarts", tries, d.restarts)
		}
		d.stands(d.last(), newleaf.PhaseSuspended, fine)
		d.reboot()
		d.tick()
		d.stands(d.last(), newleaf.PhaseDone, fine)
		d.holds("Port", "Port-2:dot1x")
	})
	t.Run("ORD-09 AMB-20 the target cannot load it at the start", func(t *testing.T) {
		t.Parallel()
		d, reads := ported(t)
		old := d.named("Port").ID
		d.update("Port")
		reads.fails = errors.New("the disk is full")
		d.reboot()
		reads.fails = nil
		d.tick()
		d.after(23 * time.Hour)
		d.holds("Port", "Port-2:dot1x")
		d.after(2 * time.Hour)
		d.holds("Port:dot1x", "Port-2")
		if n := len(d.events(newleaf.EventPutBack)); n != 1 || reads.serves != old || d.restarts != 1 {
			t.Errorf("put back %d times, %d restarts, the target serves %s", n, d.restarts, reads.serves.Short())
		}
		d.until(d.now.Add(12*time.Hour), time.Hour) // it is tried again, with a restart of its own
		if d.restarts != 2 {
			t.Errorf("%d restarts", d.restarts)
		}
		d.reboot()
		d.tick()
		d.stands(d.last(), newleaf.PhaseDone, fine)
		d.holds("Port", "Port-2:dot1x")
		if n := d.requests(); n != 2 {
			t.Errorf("%d requests were sent", n)
		}
	})
}

// TestRejections: a certificate is given up after three rejections of its own,
// whatever failed before it was there (ORD-09).
func TestRejections(t *testing.T) {
	for name, spoil := range map[string]func(*target){
		"refused":                            func(t *target) { t.says = newleaf.EvidenceRefused },
		"the target takes neither, nor back": func(t *target) { t.fails = errors.New("the reload command failed") },
	} {
		t.Run("ORD-09 "+name, func(t *testing.T) {
			t.Parallel()
			d := scheduled(t, ca.Options{}, false)
			d.authority.Down = true
			for range 4 {
				d.tick()
				d.now = d.now.Add(7 * time.Hour)
			}
			if n := d.last().Tries; n != 4 {
				t.Fatalf("%d failures", n)
			}
			d.authority.Down = false
			spoil(d.targets[newleaf.TLS])
			for n := 1; n <= 3; n++ {
				r := d.last()
				d.now = latest(d.now, r.NextTry)
				d.tick()
				if r = d.renewal(r.ID); r.Rejected != n || r.Phase.Open() != (n < 3) {
					t.Fatalf("try %d: rejected %d times, %s", n, r.Rejected, r.Phase)
				}
			}
			d.holds("Xyz1:tls")
			if n := len(d.events(newleaf.EventPutBack)); n != 3 || d.requests() != 2 || len(d.holding().Keys) != 1 {
				t.Errorf("put back %d times, %d requests, %d keys", n, d.requests(), len(d.holding().Keys))
			}
		})
	}
}
