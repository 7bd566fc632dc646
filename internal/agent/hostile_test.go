package agent_test

import (
	"bytes"
	"context"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"newleaf"
	"newleaf/internal/ca"
	"newleaf/internal/enroll"
	"newleaf/internal/newleaftest"
	"newleaf/internal/scep"
)

// TestFreshTransactions: an authority answers a transaction that it has refused
// with the same refusal, so each request after one is another (contract, "Renewal
// ladder").
func TestFreshTransactions(t *testing.T) {
	for _, tt := range []struct {
		name     string
		mischief []string
		edit     func(*newleaf.Request)
		fresh    bool
	}{
		{"refused on every rung, and again", []string{"refuse*4"}, nil, true},
		{"refused, pending, then forgotten", []string{"refuse*1", "pending*1", "refuse-id*1"}, nil, true},
		{"lost: the same", []string{"reset:PKIOperation*2"}, nil, false},
		{"a refusal that nobody verified proves nothing: the same", []string{"refuse*2"}, func(q *newleaf.Request) { q.Verify = false }, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			d := scheduled(t, ca.Options{}, false)
			if tt.edit != nil {
				q := *d.named("Xyz1").Request
				tt.edit(&q)
				_, err := d.SetRequest(context.Background(), "Xyz1", q)
				must(t, err)
			}
			sent := d.overhear()
			d.misbehave(tt.mischief...)
			d.until(d.now.Add(2*day), time.Hour)
			d.holds("Xyz1", "Xyz1-2:tls")
			var seen []string
			for _, r := range *sent {
				if i := slices.Index(seen, r.TransactionID); i >= 0 == tt.fresh && len(seen) > 0 {
					t.Errorf("request %d by %s is transaction %s, before there were %q", len(seen), r.Method, r.TransactionID, seen)
				}
				seen = append(seen, r.TransactionID)
			}
			if len(seen) < 3 {
				t.Errorf("%d requests were sent", len(seen))
			}
		})
	}
}

// TestBudgetCounts: what may have brought a certificate about counts against the
// budget of a need, once; what cannot have does not (contract, "Renewal ladder").
func TestBudgetCounts(t *testing.T) {
	t.Run("the device stops after it has sent: each time one", func(t *testing.T) {
		t.Parallel()
		d := scheduled(t, ca.Options{}, false)
		for n := range enroll.BudgetRequests + 2 {
			ctx, stop := context.WithCancel(context.Background())
			d.intercept(between{send: func(_ context.Context, _ enroll.Request, on func() (enroll.Answer, error)) (enroll.Answer, error) {
				_, err := on()
				must(t, err)
				stop()
				return enroll.Answer{}, ctx.Err()
			}})
			_, _ = d.Tick(ctx)
			stop()
			if r := d.last(); n < enroll.BudgetRequests && (!r.Unanswered || len(r.Sent) != n) {
				t.Errorf("after stop %d the last is unanswered: %t, and %d are counted", n+1, r.Unanswered, len(r.Sent))
			}
			d.reboot()
		}
		d.tick()
		d.stands(d.last(), newleaf.PhaseRetry, newleaf.CodeMayHold)
		if n := d.requests() - 1; n != enroll.BudgetRequests || len(d.last().Sent) != enroll.BudgetRequests {
			t.Errorf("%d requests went out, %d are counted", n, len(d.last().Sent))
		}
	})
	for _, fault := range []string{"reset", "reset-mid", "http-500", "http-404", "garbage", "empty", "leaf-as-ca"} {
		t.Run("the CA certificate does not come: "+fault, func(t *testing.T) {
			t.Parallel()
			d := scheduled(t, ca.Options{}, false)
			d.misbehave(fault + ":GetCACert")
			seen := d.requests()
			d.until(d.now.Add(day), time.Hour)
			r := d.last()
			if r.Phase != newleaf.PhaseRetry || r.NextTry.IsZero() || len(r.Sent) != 0 || r.Unanswered || d.requests() != seen {
				t.Fatalf("it stands at %s until %s, %d counted, %d sent: %v", r.Phase, r.NextTry, len(r.Sent), d.requests()-seen, r.Error)
			}
			d.misbehave()
			d.until(d.now.Add(day/2), time.Hour)
			d.holds("Xyz1", "Xyz1-2:tls")
		})
	}
	t.Run("an HTTP status that no issuance can have climbs, and does not count", func(t *testing.T) {
		t.Parallel()
		d := newDevice(t, ca.Options{}, nil)
		d.issue("Xyz1", newleaf.TLS)
		away := &elsewhere{to: d.authority, left: 1}
		d.dial = func(c newleaf.Connection) (enroll.Client, error) {
			return scep.NewClient(c, scep.Options{Transport: away, Now: d.time})
		}
		r := d.update("Xyz1")
		d.stands(r, newleaf.PhaseDone, fine)
		if r.Method != string(enroll.BySignature) || away.left != 0 || len(r.Sent) != 0 {
			t.Errorf("done by %s after %d were not found, %d of them counted", r.Method, 1-away.left, len(r.Sent))
		}
		away.left = 9
		d.stands(d.update("Xyz1-2"), newleaf.PhaseFailed, newleaf.CodeHTTP)
		if n := len(d.last().Sent); n != 0 {
			t.Errorf("%d are counted", n)
		}
	})
}

// elsewhere is a server that knows nothing of so many requests.
type elsewhere struct {
	to   http.RoundTripper
	left int
}

func (e *elsewhere) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.URL.Query().Get("operation") != "PKIOperation" || e.left == 0 {
		return e.to.RoundTrip(r)
	}
	e.left--
	return &http.Response{StatusCode: http.StatusNotFound, Request: r, Header: http.Header{}, Body: http.NoBody}, nil
}

// TestTalkative: an authority cannot flush the journal with long words.
func TestTalkative(t *testing.T) {
	long := strings.Repeat("é", 1<<20)
	for name, answer := range map[string]func(*device, enroll.Request) enroll.Answer{
		"a reason": func(*device, enroll.Request) enroll.Answer {
			return enroll.Answer{Status: enroll.Refused, Verified: true, Reason: long}
		},
		"a certificate": func(d *device, r enroll.Request) enroll.Answer {
			template := newleaftest.Template(t, "CN=Device001", d.now, d.now.Add(day))
			template.ExtraExtensions = []pkix.Extension{{Id: asn1.ObjectIdentifier{1, 2, 3, 4}, Value: bytes.Repeat([]byte{5}, 1<<20)}}
			c := newleaftest.Issue(t, nil, newleaftest.Key(t), template).Certificate
			return enroll.Answer{Status: enroll.Issued, Verified: true, Certificates: slices.Repeat([]*x509.Certificate{c}, 50)}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := newDevice(t, ca.Options{}, fx17A)
			before := d.holding()
			d.intercept(between{send: func(_ context.Context, r enroll.Request, _ func() (enroll.Answer, error)) (enroll.Answer, error) {
				return answer(d, r), nil
			}})
			if r := d.issue("Xyz4", newleaf.TLS); r.Phase != newleaf.PhaseFailed {
				t.Fatalf("the renewal stands at %s", r.Phase)
			}
			all, err := d.Events(context.Background(), 0, 0)
			must(t, err)
			for _, e := range all {
				size := len(e.Text)
				for _, v := range e.Data {
					size += len(v)
				}
				if len(e.Text) > 3<<10 || size > 100<<10 || strings.ToValidUTF8(e.Text, "") != e.Text {
					t.Errorf("the event %s has a text of %d bytes, %d in all", e.Kind, len(e.Text), size)
				}
			}
			refused := len(d.events(newleaf.EventRefused))
			if len(d.events(newleaf.EventProvisioned)) == 0 || len(d.events(newleaf.EventFailed)) != 1 || refused != map[string]int{"a certificate": 1}[name] {
				t.Errorf("of %d events one is missing", len(all))
			}
			d.unchanged(before)
			d.whole()
		})
	}
}

// TestExpiredInDoubt: a certificate that has ended is not taken because the clock
// is in doubt (TIM-31, F8-G6).
func TestExpiredInDoubt(t *testing.T) {
	d := newDevice(t, ca.Options{}, nil)
	d.deleting(nil, newleaf.AllRules()...)
	d.issue("Xyz1", newleaf.TLS)
	d.trusted = false
	d.tick()
	d.misbehave("expired")
	d.stands(d.update("Xyz1"), newleaf.PhaseFailed, newleaf.CodeUnfit)
	d.holds("Xyz1:tls")
	d.misbehave() // control
	d.now = d.now.Add(day)
	d.stands(d.update("Xyz1"), newleaf.PhaseDone, fine)
	d.holds("Xyz1-2:tls")
}
