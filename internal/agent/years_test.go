package agent_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"newleaf"
	"newleaf/internal/agent"
	"newleaf/internal/ca"
)

// purposes of the described system, with how they take up a certificate here.
var taken = map[newleaf.Purpose]newleaf.Need{newleaf.TLS: newleaf.NeedLive, newleaf.IPsec: newleaf.NeedReload, newleaf.Dot1X: newleaf.NeedRestart}

// shipped is a device as it leaves the factory, in a store of four: a factory
// certificate for TLS, one of its own for IPSEC, and what was once enrolled.
func shipped(d *device, p *agent.Provision) {
	now := p.Now
	for purpose, need := range taken {
		d.targets[purpose] = &target{takes: need, says: newleaf.EvidenceProven}
	}
	p.Settings.Capacity = 4
	d.add(p, "Birth", newleaf.Factory, now.AddDate(-1, 0, 0), now.AddDate(20, 0, 0), newleaf.TLS)
	d.add(p, "Own", newleaf.Generated, now.AddDate(-1, 0, 0), now.AddDate(1, 0, 0), newleaf.IPsec)
	d.add(p, "Gone", newleaf.Enrolled, now.AddDate(-2, 0, 0), now.AddDate(0, -1, 0))
	d.add(p, "Port", newleaf.Imported, now.AddDate(-1, 0, 0), now.AddDate(1, 0, 0), newleaf.Dot1X)
}

// allRules switches every rule on, for imported certificates too.
func (d *device) allRules() {
	d.t.Helper()
	d.deleting(func(p *newleaf.DeletionPolicy) { p.ProtectImported = false }, newleaf.AllRules()...)
}

// sound checks what must hold at any time: no purpose without a certificate that
// works, nothing above the capacity.
func (d *device) sound() {
	d.t.Helper()
	all, err := d.List(context.Background())
	must(d.t, err)
	stored, serving := 0, 0
	for _, c := range all {
		if c.State == newleaf.StateHeld {
			stored++
		}
		if serving += len(c.Purposes); len(c.Purposes) > 0 && !d.time().Before(c.NotAfter) {
			d.t.Fatalf("on %s %q serves %v, which ended on %s", d.time(), c.Name, c.Purposes, c.NotAfter)
		}
	}
	if stored > 4 || serving != len(taken) {
		d.t.Fatalf("on %s %d certificates are stored and %d purposes served", d.time(), stored, serving)
	}
}

// tally counts deletions by each rule that hit, and updates by purpose.
func (d *device) tally() (deleted map[newleaf.Rule]int, renewed map[newleaf.Purpose]int) {
	d.t.Helper()
	deleted, renewed = map[newleaf.Rule]int{}, map[newleaf.Purpose]int{}
	for _, e := range d.events(newleaf.EventDeleted) {
		for rule := range strings.SplitSeq(e.Data["rules"], ",") {
			deleted[newleaf.Rule(rule)]++
		}
	}
	all, err := d.Renewals(context.Background())
	must(d.t, err)
	for _, r := range all {
		for _, p := range r.Request.Purposes {
			if r.Cause != newleaf.CauseManual && r.Phase == newleaf.PhaseDone {
				renewed[p]++
			}
		}
	}
	return deleted, renewed
}

// enough checks that the simulation has seen what it is for.
func (d *device) enough(renewals int) {
	d.t.Helper()
	deleted, renewed := d.tally()
	for _, rule := range newleaf.AllRules() {
		if deleted[rule] == 0 {
			d.t.Errorf("nothing was deleted by the rule %s: %v", rule, deleted)
		}
	}
	for purpose := range taken {
		if renewed[purpose] < renewals {
			d.t.Errorf("%s was renewed %d times, want %d", purpose, renewed[purpose], renewals)
		}
	}
	for _, e := range d.events(newleaf.EventStep) {
		if e.Data["ok"] == "false" && e.Data["step"] == string(newleaf.StepRoom) {
			d.t.Errorf("on %s: %s", e.At, e.Text)
		}
	}
	for _, e := range d.events(newleaf.EventAlarm) {
		if e.Data["level"] != string(newleaf.AlarmNotice) {
			d.t.Errorf("on %s: %s", e.At, e.Text)
		}
	}
	d.whole()
}

// TestTwoYears is the purpose of it all (F19-G8): on a small device updates go on
// for ever, while a person leaves certificates lying about, the authority is away
// now and then, and the agent is started anew.
func TestTwoYears(t *testing.T) {
	t.Parallel()
	d := newDevice(t, ca.Options{}, shipped)
	d.allRules()
	for name, p := range map[string]newleaf.Purpose{"Web": newleaf.TLS, "Tunnel": newleaf.IPsec, "Switch": newleaf.Dot1X} {
		d.issue(name, p)
		d.reboot() // Fig. 13B: a person restarts
		d.tick()
		d.now = d.now.Add(5 * day)
	}
	d.reserve(func(r *newleaf.Reservation) { r.Method, r.Before = newleaf.MethodBefore, 14*day })
	d.sound()

	end, restarts := start.AddDate(2, 0, 0), 0
	for week := 0; d.now.Before(end); week++ {
		full := d.status().Stored == 4
		switch week % 15 {
		case 4, 6:
			if full {
				break
			}
			_, err := d.Generate(context.Background(), newleaf.Generation{Name: fmt.Sprint("Try", week), Key: newleaf.P256, Subject: "CN=Try", Days: 20})
			must(t, err)
		case 9:
			d.authority.Down = true
		case 10:
			d.authority.Down = false
		case 14:
			if !full {
				_, err := d.Import(context.Background(), imported(t, d, fmt.Sprint("Trial", week)))
				must(t, err)
			}
		}
		for next := d.now.Add(7 * day); d.now.Before(next); {
			at, err := d.Tick(context.Background())
			must(t, err)
			if d.restarts > restarts {
				restarts = d.restarts
				d.reboot()
				continue
			}
			d.sound()
			d.now = earliest(next, latest(at, d.now.Add(time.Second)))
		}
		if week%6 == 0 {
			d.reboot()
		}
	}
	d.enough(6)
	if restarts < 6 {
		t.Errorf("the device restarted %d times for IEEE 802.1X", restarts)
	}
}

// TestRun is the same by the loop itself, in simulated time: certificates of half
// an hour, for more than an hour.
func TestRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(time.Until(start)) // past the build date
		d := newDevice(t, ca.Options{Now: time.Now, Validity: 30 * time.Minute}, shipped)
		d.allRules()
		var stop context.CancelFunc
		var done chan error
		run := func() {
			var ctx context.Context
			ctx, stop = context.WithCancel(context.Background())
			done = make(chan error, 1)
			go func() { done <- d.Run(ctx) }()
		}
		again := func() {
			stop()
			must(t, <-done)
			d.reboot()
			run()
		}
		run()
		for name, p := range map[string]newleaf.Purpose{"Web": newleaf.TLS, "Tunnel": newleaf.IPsec, "Switch": newleaf.Dot1X} {
			r, err := d.Issue(context.Background(), issueOf(name, p))
			must(t, err)
			synctest.Wait()
			if r = d.renewal(r.ID); r.Step == newleaf.StepRestart {
				again()
				synctest.Wait()
			}
			d.stands(d.renewal(r.ID), newleaf.PhaseDone, fine)
			time.Sleep(2 * time.Minute)
		}
		d.reserve(func(r *newleaf.Reservation) { r.Method, r.Before = newleaf.MethodBefore, 10*time.Minute })

		restarts := 0
		for range 40 {
			time.Sleep(2 * time.Minute)
			synctest.Wait()
			if d.restarts > restarts {
				restarts = d.restarts
				again()
				synctest.Wait()
			}
			d.sound()
		}
		stop()
		must(t, <-done)
		d.enough(3)
		if n := len(d.events(newleaf.EventStopped)); n != restarts+2 {
			t.Errorf("the agent stopped %d times, and restarted %d times", n, restarts)
		}
	})
}
