package agent_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"newleaf"
	"newleaf/internal/ca"
	"newleaf/internal/enroll"
)

// TestLadder: the renewal message, then a request signed by the present
// certificate, then the password; only a verified refusal climbs (contract,
// "Renewal ladder").
func TestLadder(t *testing.T) {
	for _, tt := range []struct {
		name     string
		password bool
		mischief []string
		edit     func(*newleaf.Request)
		method   enroll.Method // of the success; "" where there is none
		requests int
	}{
		{"Q8 the renewal message is enough", false, nil, nil, enroll.ByRenewal, 1},
		{"Q8 refused: signed by the present certificate", false, []string{"refuse:RenewalReq"}, nil, enroll.BySignature, 2},
		{"AMB-40 refused again: by the password that is kept", true, []string{"refuse:RenewalReq", "refuse:PKCSReq*1"}, nil, enroll.ByChallenge, 3},
		{"ISS-21 without a password that is kept there is no third rung", false, []string{"refuse:RenewalReq", "refuse:PKCSReq*1"}, nil, "", 2},
		{"a refusal that was not verified does not climb", true, []string{"refuse*1"}, func(q *newleaf.Request) { q.Verify = false }, "", 1},
		{"an answer that cannot be read does not climb", true, []string{"garbage:PKIOperation*1"}, nil, "", 1},
		{"an answer that was forged does not climb", true, []string{"bad-signature*1"}, nil, "", 1},
		{"an answer of another transaction does not climb", true, []string{"wrong-transaction*1"}, nil, "", 1},
		{"an answer that is lost does not climb", true, []string{"reset-mid:PKIOperation*1"}, nil, "", 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			d := newDevice(t, ca.Options{}, nil)
			d.connect(func(c *newleaf.Connection) { c.KeepPassword = tt.password })
			d.issue("Xyz1", newleaf.TLS)
			if tt.edit != nil {
				q := *d.named("Xyz1").Request
				tt.edit(&q)
				_, err := d.SetRequest(context.Background(), "Xyz1", q)
				must(t, err)
			}
			d.misbehave(tt.mischief...)
			seen := d.requests()
			r := d.update("Xyz1")
			if done := r.Phase == newleaf.PhaseDone; done != (tt.method != "") || done && r.Method != string(tt.method) {
				t.Errorf("the renewal stands at %s by %s with %v, want success by %q", r.Phase, r.Method, r.Error, tt.method)
			}
			if n := d.requests() - seen; n != tt.requests {
				t.Errorf("%d requests, want %d", n, tt.requests)
			}
		})
	}
}

// TestPasswords: a challenge password serves once, unless the administrator had
// it kept (contract, "Challenge passwords").
func TestPasswords(t *testing.T) {
	t.Run("forgotten after the first success", func(t *testing.T) {
		t.Parallel()
		d := newDevice(t, ca.Options{}, nil)
		generation := d.generation()
		d.issue("Xyz1", newleaf.TLS)
		if s := d.secrets(); len(s) != 0 {
			t.Errorf("%q are left", s)
		}
		if d.generation() == generation {
			t.Error("the row is gone, but the key-encryption key is the same: the password could be recovered")
		}
	})
	t.Run("kept where the administrator ticked it, until he unticks it", func(t *testing.T) {
		t.Parallel()
		d := newDevice(t, ca.Options{}, nil)
		d.connect(func(c *newleaf.Connection) { c.KeepPassword = true })
		d.issue("Xyz1", newleaf.TLS)
		if s := d.secrets(); !slices.Equal(s, []string{"connection:default"}) {
			t.Fatalf("the store keeps %q", s)
		}
		all, err := d.ConnectionList(context.Background())
		must(t, err)
		if !all[0].PasswordStored {
			t.Error("nobody can see that a password is kept")
		}
		generation := d.generation()
		d.connect(func(c *newleaf.Connection) { c.KeepPassword = false })
		if s := d.secrets(); len(s) != 0 || d.generation() == generation {
			t.Errorf("%q are left in generation %d, before %d", s, d.generation(), generation)
		}
	})
}

// scheduled is a device whose update is due now, with the present certificate
// good for 20 more days.
func scheduled(t *testing.T, o ca.Options, password bool) *device {
	t.Helper()
	d := newDevice(t, o, nil)
	d.connect(func(c *newleaf.Connection) { c.KeepPassword = password })
	d.issue("Xyz1", newleaf.TLS)
	d.reserve(func(r *newleaf.Reservation) { r.Method, r.Before = newleaf.MethodBefore, 20*24*time.Hour })
	d.now = d.named("Xyz1").NotAfter.Add(-20 * 24 * time.Hour)
	return d
}

// TestLostAnswers: what is lost is asked for again under the same transaction,
// three times a day at most; then a person has to look (contract, "Renewal
// ladder").
func TestLostAnswers(t *testing.T) {
	for _, mischief := range []string{"reset:PKIOperation", "garbage:PKIOperation", "wrong-nonce", "http-500:PKIOperation"} {
		t.Run(mischief, func(t *testing.T) {
			t.Parallel()
			d := scheduled(t, ca.Options{}, false)
			d.misbehave(mischief)
			seen := d.requests()
			d.until(d.now.Add(30*time.Hour), day)
			r := d.last()
			d.stands(r, newleaf.PhaseRetry, newleaf.CodeMayHold)
			if n := d.requests() - seen; n != enroll.BudgetRequests {
				t.Errorf("%d requests for one need, want %d", n, enroll.BudgetRequests)
			}
			if !r.NextTry.IsZero() {
				t.Errorf("it is tried again at %s although a person has to act", r.NextTry)
			}
			for _, e := range d.decisions()[1:] {
				if e.TransactionID != r.TransactionID {
					t.Errorf("transaction %s, then %s", r.TransactionID, e.TransactionID)
				}
			}
			if issued, err := d.authority.Registered(context.Background()); err != nil || len(issued) != 2 {
				t.Errorf("the authority made %d certificates (%v), want one for the first need and one for this", len(issued), err)
			}
			d.reboot()
			d.tick()
			d.stands(d.last(), newleaf.PhaseRetry, newleaf.CodeMayHold)

			d.misbehave()
			_, err := d.RetryRenewal(context.Background(), r.ID)
			must(t, err)
			d.tick()
			d.holds("Xyz1", "Xyz1-2:tls")
		})
	}
	t.Run("TIM-16 certificates that cannot be used count as well, each with a key of its own", func(t *testing.T) {
		t.Parallel()
		d := scheduled(t, ca.Options{}, false)
		d.misbehave("no-eku")
		keys := map[string]bool{}
		d.stop = func(point string) {
			if point == "request.prepared" {
				keys[d.last().KeyID] = true
			}
		}
		d.until(d.now.Add(30*time.Hour), day)
		d.stands(d.last(), newleaf.PhaseRetry, newleaf.CodeMayHold)
		if n := len(d.events(newleaf.EventRefused)); n != enroll.BudgetRequests || len(keys) != n {
			t.Errorf("%d certificates were refused, %d keys were made", n, len(keys))
		}
		if h := d.holding(); len(h.Keys) != 1 {
			t.Errorf("%d keys are left, want that of the certificate in use", len(h.Keys))
		}
	})
	t.Run("a person's update counts too, and a person can forgive it", func(t *testing.T) {
		t.Parallel()
		d := newDevice(t, ca.Options{}, nil)
		d.issue("Xyz1", newleaf.TLS)
		d.misbehave("no-eku")
		for range enroll.BudgetRequests {
			d.stands(d.update("Xyz1"), newleaf.PhaseFailed, newleaf.CodeUnfit)
		}
		d.misbehave()
		r := d.update("Xyz1")
		d.stands(r, newleaf.PhaseFailed, newleaf.CodeMayHold)
		says(t, r.Error.Hint, "update retry")
		_, err := d.RetryRenewal(context.Background(), r.ID)
		must(t, err)
		d.tick()
		d.holds("Xyz1", "Xyz1-2:tls")
	})
}

// TestUnreachable: an authority that is down costs few, ever rarer attempts, and
// none of them counts as a lost answer (TIM-35).
func TestUnreachable(t *testing.T) {
	for name, down := range map[string]func(*device, bool){
		"TIM-35 down for a day":           func(d *device, down bool) { d.authority.Down = down },
		"TIM-35 nothing but HTTP 503":     func(d *device, down bool) { d.misbehave(words(down, "http-503")...) },
		"TIM-35 connections break off":    func(d *device, down bool) { d.misbehave(words(down, "reset")...) },
		"TIM-35 another server's garbage": func(d *device, down bool) { d.misbehave(words(down, "garbage")...) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := scheduled(t, ca.Options{}, false)
			var tries []time.Time
			d.dial = func(c newleaf.Connection) (enroll.Client, error) {
				tries = append(tries, d.now)
				return d.authority.Dial(c)
			}
			down(d, true)
			seen, up := d.requests(), d.now.Add(24*time.Hour)
			d.until(up, day)
			if n := d.requests() - seen; n > 0 {
				t.Errorf("%d requests went out", n)
			}
			if len(tries) < 7 || len(tries) > 10 {
				t.Errorf("%d attempts in 24 h", len(tries))
			}
			for i := 2; i < len(tries); i++ {
				last, gap := tries[i-1].Sub(tries[i-2]), tries[i].Sub(tries[i-1])
				if gap < last*6/10 || gap < 48*time.Second || gap > 8*time.Hour {
					t.Errorf("attempt %d came %s after the one before, that one after %s", i+1, gap, last)
				}
			}
			r := d.last()
			if r.Phase != newleaf.PhaseRetry || r.NextTry.IsZero() || len(r.Sent) != 0 {
				t.Fatalf("the renewal stands at %s until %s with %d lost answers: %v", r.Phase, r.NextTry, len(r.Sent), r.Error)
			}
			d.holds("Xyz1:tls")
			d.reboot()
			down(d, false)
			d.after(r.NextTry.Sub(d.now) - time.Second)
			d.holds("Xyz1:tls")
			d.after(time.Second)
			d.holds("Xyz1", "Xyz1-2:tls")
		})
	}
}

func words(some bool, w ...string) []string {
	if some {
		return w
	}
	return nil
}

// TestRefusals: a lasting refusal slows the retries down and alarms; at most
// eight requests a day reach the authority (TIM-37).
func TestRefusals(t *testing.T) {
	for name, password := range map[string]bool{"two rungs": false, "three rungs": true} {
		t.Run("TIM-37 "+name, func(t *testing.T) {
			t.Parallel()
			d := scheduled(t, ca.Options{}, password)
			d.misbehave("refuse")
			seen := d.requests()
			begun := d.now
			var at []time.Time
			d.stop = func(point string) {
				if point == "request.sending" {
					at = append(at, d.now)
				}
			}
			d.until(begun.Add(50*time.Hour), day)
			if n := d.requests() - seen; n != len(at) || n < 6 {
				t.Errorf("%d requests in two days", n)
			}
			for i, from := range at {
				n := 0
				for _, t := range at[i:] {
					if t.Before(from.Add(24 * time.Hour)) {
						n++
					}
				}
				if n > 8 {
					t.Errorf("%d requests in the 24 h from %s on", n, from.Sub(begun))
				}
			}
			if all := d.events(newleaf.EventAlarm); len(all) == 0 || all[0].Data["level"] != string(newleaf.AlarmNotice) {
				t.Errorf("the alarms are %+v", all)
			}

			// The administrator repairs the first rung only.
			d.misbehave("refuse:PKCSReq")
			d.until(d.now.Add(day), day)
			d.holds("Xyz1", "Xyz1-2:tls")
			d.whole()
		})
	}
}

// TestCancelSticks: who cancels an update that is due does not want to see it
// again a minute later (TIM-35); new settings do (TIM-34).
func TestCancelSticks(t *testing.T) {
	d := scheduled(t, ca.Options{}, false)
	d.authority.Down = true
	d.tick()
	r := d.last()
	d.stands(r, newleaf.PhaseRetry, newleaf.CodeUnreachable)
	_, err := d.CancelRenewal(context.Background(), r.ID)
	must(t, err)
	d.authority.Down = false
	d.until(d.now.Add(2*day), day)
	if last := d.last(); last.ID != r.ID {
		t.Fatalf("renewal %d was started although %d was cancelled", last.ID, r.ID)
	}
	d.reboot()
	d.after(time.Hour)
	d.holds("Xyz1:tls")

	// The safety net asks once more, as nobody may be there when it ends (TIM-30).
	net := d.named("Xyz1").NotAfter.Add(-14 * 24 * time.Hour)
	d.until(net.Add(-time.Minute), 6*time.Hour)
	d.holds("Xyz1:tls")
	d.after(time.Minute)
	d.holds("Xyz1", "Xyz1-2:tls")
}
