package agent_test

import (
	"context"
	"flag"
	"fmt"
	"runtime"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"newleaf"
	"newleaf/internal/agent"
	"newleaf/internal/ca"
	"newleaf/internal/keys"
	"newleaf/internal/store"
)

// TestInvariants lets chance be administrator, authority, consumer and power
// supply, and looks after each step whether what protects a certificate in use
// has held: INV-01, INV-02, INV-03, INV-06 and INV-09.
func TestInvariants(t *testing.T) {
	t.Parallel()
	if checks := flag.Lookup("rapid.checks"); checks.Value.String() == checks.DefValue {
		must(t, checks.Value.Set("6")) // a store and an authority are made for each
	}
	rapid.Check(t, func(r *rapid.T) {
		c := &chance{T: r, device: newDevice(t, ca.Options{Validity: 90 * day}, func(d *device, p *agent.Provision) {
			unused(d, p)
			d.add(p, "Birth", newleaf.Factory, start.AddDate(-2, 0, 0), start.AddDate(0, -1, 0))
			for purpose, need := range taken {
				d.targets[purpose] = &target{takes: need, says: newleaf.EvidenceProven}
			}
		})}
		defer c.store.Close()
		c.look()
		for range rapid.IntRange(15, 25).Draw(r, "steps") {
			c.act()
			c.check()
		}
		c.whole()
	})
}

// chance is a device in the hands of chance, and what it was like before.
type chance struct {
	*rapid.T
	*device
	before held
	since  int64 // last event seen
	served []newleaf.Purpose
	names  int
}

// look remembers the state before a step.
func (c *chance) look() {
	c.before = c.holding()
	c.served = nil
	for _, b := range c.before.Bindings {
		if b.Holder() != "" {
			c.served = append(c.served, b.Purpose)
		}
	}
	for _, e := range c.journal(0) {
		c.since = e.ID
	}
}

func (c *chance) journal(since int64) []newleaf.Event {
	all, err := c.Events(context.Background(), since, 0)
	must(c.t, err)
	return all
}

// act does one thing at random: something a person does, which is looked at anew,
// or something that happens, after which the agent goes on.
func (c *chance) act() {
	ctx := context.Background()
	person := map[string]func(){
		"delete by hand": func() { _ = c.Delete(ctx, c.any(), rapid.Bool().Draw(c.T, "force")) },
		"pin":            func() { _, _ = c.Pin(ctx, c.any(), rapid.Bool().Draw(c.T, "pinned")) },
		"give purposes":  func() { _, _ = c.SetPurposes(ctx, c.any(), c.purposes()) },
		"add":            func() { _, _ = c.Import(ctx, imported(c.t, c.device, c.name(), c.purposes()...)) },
		"deletion":       c.policy,
		"reservation":    c.reservation,
		"settings": func() {
			s, err := c.Settings(ctx)
			must(c.t, err)
			s.DeleteOnAdd, s.Capacity = rapid.Bool().Draw(c.T, "on add"), rapid.IntRange(5, 9).Draw(c.T, "capacity")
			_, _ = c.SetSettings(ctx, s)
		},
		"cancel": func() { _, _ = c.CancelRenewal(ctx, c.renewalID()) },
		"retry":  func() { _, _ = c.RetryRenewal(ctx, c.renewalID()) },
	}
	happens := map[string]func(){
		"issue": func() { _, _ = c.Issue(ctx, issueOf(c.name(), c.purposes()...)) },
		"update": func() {
			_, _, _ = c.Update(ctx, nil, false)
		},
		"mischief": c.mischief,
		"consumer": func() {
			one := c.targets[rapid.SampledFrom([]newleaf.Purpose{newleaf.TLS, newleaf.IPsec, newleaf.Dot1X}).Draw(c.T, "purpose")]
			one.says = rapid.SampledFrom([]newleaf.Evidence{newleaf.EvidenceProven, newleaf.EvidenceProven, newleaf.EvidenceRefused, newleaf.EvidenceNone}).Draw(c.T, "says")
		},
		"clock":   func() { c.trusted = !c.trusted },
		"time":    func() { c.now = c.now.Add(time.Duration(rapid.IntRange(0, 2000).Draw(c.T, "hours")) * time.Hour) },
		"minute":  func() { c.now = c.now.Add(time.Minute) },
		"restart": func() { c.reboot() },
		"kill":    c.kill,
	}
	both := []string{}
	for name := range person {
		both = append(both, name)
	}
	for name := range happens {
		both = append(both, name, name) // twice as often
	}
	slices.Sort(both)
	what := rapid.SampledFrom(both).Draw(c.T, "act")
	if f := person[what]; f != nil {
		f()
		c.look()
	} else {
		happens[what]()
	}
	c.tick()
}

func (c *chance) any() string {
	all, err := c.List(context.Background())
	must(c.t, err)
	return rapid.SampledFrom(all).Draw(c.T, "certificate").Name
}

func (c *chance) name() string {
	c.names++
	return fmt.Sprint("N", c.names)
}

func (c *chance) purposes() []newleaf.Purpose {
	return rapid.SampledFrom([][]newleaf.Purpose{{newleaf.TLS}, {newleaf.IPsec}, {newleaf.Dot1X}, {newleaf.IPsec, newleaf.TLS}, {}}).Draw(c.T, "purposes")
}

func (c *chance) renewalID() int64 {
	all, err := c.Renewals(context.Background())
	must(c.t, err)
	return int64(rapid.IntRange(1, len(all)+1).Draw(c.T, "renewal"))
}

func (c *chance) policy() {
	p := newleaf.DefaultDeletion()
	p.Auto = rapid.IntRange(0, 5).Draw(c.T, "auto") > 0
	for _, rule := range newleaf.AllRules() {
		if rapid.IntRange(0, 2).Draw(c.T, string(rule)) > 0 {
			p.Rules = append(p.Rules, rule)
		}
	}
	p.Order = rapid.SampledFrom([]newleaf.Order{newleaf.OrderAfter, newleaf.OrderOnResponse, newleaf.OrderBefore}).Draw(c.T, "order")
	p.AsNeeded, p.ProtectImported = rapid.Bool().Draw(c.T, "as needed"), rapid.Bool().Draw(c.T, "protect")
	p.Threshold = rapid.IntRange(0, 5).Draw(c.T, "threshold")
	p.Settle = time.Duration(rapid.IntRange(0, 2).Draw(c.T, "settle")) * day
	_, _ = c.SetDeletion(context.Background(), p)
}

func (c *chance) reservation() {
	r := newleaf.DefaultReservation("UTC")
	r.Jitter, r.SafetyNet = 0, rapid.Bool().Draw(c.T, "safety net")
	r.Method = rapid.SampledFrom([]newleaf.Method{newleaf.MethodOff, newleaf.MethodBefore, newleaf.MethodEvery}).Draw(c.T, "method")
	r.Before, r.Every = 20*day, 30*day
	_, _ = c.SetReservation(context.Background(), r)
}

func (c *chance) mischief() {
	var words []string
	for _, f := range rapid.SliceOfN(rapid.SampledFrom(ca.Faults()), 0, 2).Draw(c.T, "faults") {
		if !f.Mischief.Stall { // it would take real time
			words = append(words, f.Name+"*"+fmt.Sprint(rapid.IntRange(1, 3).Draw(c.T, "times")))
		}
	}
	c.misbehave(words...)
	c.authority.Down = rapid.IntRange(0, 4).Draw(c.T, "down") == 0
}

// kill stops the agent at a point of its walk, and starts it again.
func (c *chance) kill() {
	point := rapid.SampledFrom(agent.Points()).Draw(c.T, "point").Name
	_, _ = c.Issue(context.Background(), issueOf(c.name(), c.purposes()...))
	c.stop = func(p string) {
		if p == point {
			runtime.Goexit()
		}
	}
	dead := make(chan bool)
	go func() {
		defer close(dead)
		_, _ = c.Tick(context.Background())
	}()
	<-dead
	c.stop = nil
	c.reboot()
}

// check compares what there is with what there was.
func (c *chance) check() {
	now := c.holding()
	fail := func(format string, args ...any) {
		for _, e := range c.journal(c.since) {
			c.Log(e.ID, e.Kind, e.Text)
		}
		c.Fatalf(format, args...)
	}
	for _, p := range c.served { // INV-09: a purpose that is served stays so, by one that works
		if id := now.Bindings.Of(p).Holder(); !c.usable(id) {
			fail("INV-09: %s is served by %q, which does not work", p, id.Short())
		}
	}
	// A successor was proven by the renewal that deletes, or in this step by another.
	all := c.journal(0)
	proven := func(deleted newleaf.Event) bool {
		return slices.ContainsFunc(all, func(e newleaf.Event) bool {
			return e.Kind == newleaf.EventProven && e.ID < deleted.ID && (e.Renewal == deleted.Renewal || e.ID > c.since)
		})
	}
	for _, e := range c.journal(c.since) {
		if e.Kind != newleaf.EventDeleted {
			continue
		}
		i := slices.IndexFunc(c.before.Certificates, func(l newleaf.Listed) bool { return l.ID == e.Certificate })
		if i < 0 {
			continue // it came and went: a rejected one
		}
		was := c.before.Certificates[i]
		switch used := c.before.Bindings.Used(was.ID); {
		case was.Pinned:
			fail("INV-11: %q was pinned and deleted: %s", was.Name, e.Text)
		case len(now.Bindings.Used(was.ID)) > 0:
			fail("INV-01: %q is deleted and still bound: %+v", was.Name, now.Bindings)
		case was.State == newleaf.StateHeld && len(used) > 0 && !proven(e):
			fail("INV-02: %q was in use for %v and deleted before a successor was proven: %s", was.Name, used, e.Text)
		}
	}
	info, err := c.Deletion(context.Background())
	must(c.t, err)
	if info.Stored-len(info.Owed) > info.Capacity { // during a settle time both are there
		fail("%d of %d certificates are stored, %d deletions are owed", info.Stored, info.Capacity, len(info.Owed))
	}
	if !slices.Equal(roles(now.Anchors), roles(c.before.Anchors)) {
		fail("INV-07: the anchors became %q", roles(now.Anchors))
	}
	c.look()
}

// usable reports that the certificate is there with a key that opens.
func (c *chance) usable(id newleaf.ID) (ok bool) {
	c.read(func(tx *store.Tx) error {
		l, err := tx.Certificate(string(id))
		if err != nil {
			return nil // it is not there
		}
		sealed, found, err := tx.Key(l.KeyID)
		if err == nil && found {
			_, err := c.vault.Open(keys.Sealed(sealed))
			ok = err == nil
		}
		return err
	})
	return ok
}
