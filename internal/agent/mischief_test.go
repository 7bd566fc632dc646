package agent_test

import (
	"context"
	"testing"
	"time"

	"newleaf"
	"newleaf/internal/agent"
	"newleaf/internal/ca"
)

// outcome is what a device makes of a fault.
type outcome struct {
	on, off newleaf.Code // with the answer's signature verified (1304), and not; fine where it gets a certificate
	journal bool         // the refused certificate is in the journal
}

const fine = newleaf.Code("")

// outcomes has a row for every fault of the lab's table.
var outcomes = map[string]outcome{
	"refuse":            {on: newleaf.CodeRefused, off: newleaf.CodeRefused},
	"refuse-alg":        {on: newleaf.CodeRefused, off: newleaf.CodeRefused},
	"refuse-check":      {on: newleaf.CodeRefused, off: newleaf.CodeRefused},
	"refuse-time":       {on: newleaf.CodeRefused, off: newleaf.CodeRefused},
	"refuse-id":         {on: newleaf.CodeRefused, off: newleaf.CodeRefused},
	"reset":             {on: newleaf.CodeInterrupted, off: newleaf.CodeInterrupted},
	"reset-mid":         {on: newleaf.CodeInterrupted, off: newleaf.CodeInterrupted},
	"stall":             {on: newleaf.CodeTimeout, off: newleaf.CodeTimeout},
	"endless":           {on: newleaf.CodeBadAnswer, off: newleaf.CodeBadAnswer},
	"http-404":          {on: newleaf.CodeHTTP, off: newleaf.CodeHTTP},
	"http-500":          {on: newleaf.CodeHTTP, off: newleaf.CodeHTTP},
	"http-503":          {on: newleaf.CodeHTTP, off: newleaf.CodeHTTP},
	"garbage":           {on: newleaf.CodeBadAnswer, off: newleaf.CodeBadAnswer},
	"empty":             {on: newleaf.CodeBadAnswer, off: newleaf.CodeBadAnswer},
	"wrong-nonce":       {on: newleaf.CodeTransaction, off: newleaf.CodeTransaction},
	"wrong-transaction": {on: newleaf.CodeTransaction, off: newleaf.CodeTransaction},
	"foreign-signer":    {on: newleaf.CodeUntrusted, off: fine},
	"sibling-ra":        {on: newleaf.CodeRAChanged, off: fine},
	"bad-signature":     {on: newleaf.CodeBadSignature, off: fine},
	"no-certificate":    {on: newleaf.CodeBadAnswer, off: newleaf.CodeBadAnswer},
	"pending":           {}, // no error: TestMischiefPending
	"leaf-as-ca":        {on: newleaf.CodeUntrusted, off: newleaf.CodeUntrusted},
	"wrong-key":         {on: newleaf.CodeForeignKey, off: newleaf.CodeForeignKey, journal: true},
	"old-certificate":   {on: newleaf.CodeForeignKey, off: newleaf.CodeForeignKey, journal: true},
	"expired":           {on: newleaf.CodeUnfit, off: newleaf.CodeUnfit, journal: true},
	"future":            {on: newleaf.CodeUnfit, off: newleaf.CodeUnfit, journal: true},
	"odd-validity":      {on: newleaf.CodeUnfit, off: newleaf.CodeUnfit, journal: true},
	"no-eku":            {on: newleaf.CodeUnfit, off: newleaf.CodeUnfit, journal: true},
	"as-ca":             {on: newleaf.CodeUnfit, off: newleaf.CodeUnfit, journal: true},
}

// TestMischief is ACC: whatever the authority does wrong, the device names it,
// and everything in use stays as it was - with every rule of deletion on, in each
// order of deletion (INV-03, F7-G1, F8-S823, F8-G9).
func TestMischief(t *testing.T) {
	for _, fault := range ca.Faults() {
		want, known := outcomes[fault.Name]
		if !known {
			t.Errorf("the lab can do %q, and nothing says what a device makes of it", fault.Name)
			continue
		}
		if fault.Mischief.Pending {
			continue
		}
		t.Run(fault.Name, func(t *testing.T) {
			t.Parallel()
			d := newDevice(t, ca.Options{}, unused)
			if fault.Mischief.Stall {
				d.connect(func(c *newleaf.Connection) { c.Timeout = time.Second })
			}
			if r := d.attempt("Good", true); r.Error != nil { // the green control
				t.Fatal(r.Error)
			}
			attempt := func(order newleaf.Order, verify bool, code newleaf.Code) {
				d.deleting(func(p *newleaf.DeletionPolicy) { p.Order = order }, newleaf.AllRules()...)
				d.misbehave(fault.Name)
				d.failsWith(d.attempt("Bad", verify), code)
				d.misbehave()
			}
			before := d.holding()
			attempt(newleaf.OrderAfter, true, want.on)
			d.unchanged(before)
			if want.off != fine {
				attempt(newleaf.OrderOnResponse, false, want.off)
				d.unchanged(before)
			}
			d.journals(want.journal)

			// The order "before" may take what is unused, and nothing else.
			attempt(newleaf.OrderBefore, true, want.on)
			d.holds("Xyz2:ipsec", "Xyz3:dot1x", "Good:tls")
			if want.off == fine {
				attempt(newleaf.OrderOnResponse, false, want.off)
			}
			d.whole()
		})
	}
}

// attempt asks for a TLS certificate, always of the same subject.
func (d *device) attempt(name string, verify bool) newleaf.Renewal {
	d.t.Helper()
	i := issueOf(name, newleaf.TLS)
	i.Verify, i.Subject = verify, "C=JP,O=ABC,CN=Device001"
	r, err := d.Issue(context.Background(), i)
	if err != nil {
		d.t.Fatal(err)
	}
	d.tick()
	return d.renewal(r.ID)
}

func (d *device) failsWith(r newleaf.Renewal, want newleaf.Code) {
	d.t.Helper()
	if want == fine {
		d.stands(r, newleaf.PhaseDone, want)
		return
	}
	d.stands(r, newleaf.PhaseFailed, want)
	if r.Error.Text == "" || r.Error.Hint == "" || r.KeyID != "" {
		d.t.Errorf("the failure says %q (%s) and leaves the key %q", r.Error.Text, r.Error.Hint, r.KeyID)
	}
	if s := d.secrets(); len(s) > 0 {
		d.t.Errorf("the passwords %q are left", s)
	}
}

// journals checks that what was issued and refused can be traced: the last
// certificate that the authority made, or sent again, is in the journal.
func (d *device) journals(want bool) {
	d.t.Helper()
	refused := d.events(newleaf.EventRefused)
	if !want {
		if len(refused) > 0 {
			d.t.Errorf("the journal has refused certificates: %+v", refused)
		}
		return
	}
	issued, err := d.authority.Registered(context.Background())
	if err != nil {
		d.t.Fatal(err)
	}
	if len(refused) != 2 || !carries(refused[1], newleaf.ID(issued[0].SHA256)) {
		d.t.Errorf("the journal has %d refused certificates, not those of two attempts", len(refused))
	}
	for _, e := range refused {
		says(d.t, e.Text, "certificate")
	}
	if failed := d.events(newleaf.EventFailed); len(failed) != 2 || failed[1].Data["code"] == "" || failed[1].Data["hint"] == "" {
		d.t.Errorf("the failures are recorded as %+v", failed)
	}
}

// TestMischiefPending: "pending" is no failure; the key and the transaction wait
// for the decision, and nothing else happens meanwhile (INV-03).
func TestMischiefPending(t *testing.T) {
	for _, verify := range []bool{true, false} {
		for _, order := range []newleaf.Order{newleaf.OrderAfter, newleaf.OrderOnResponse} {
			d := newDevice(t, ca.Options{Mischief: []string{"pending"}}, func(d *device, p *agent.Provision) { unused(d, p) })
			d.deleting(func(p *newleaf.DeletionPolicy) { p.Order = order }, newleaf.AllRules()...)
			before := d.holding()
			r := d.attempt("Xyz4", verify)
			d.stands(r, newleaf.PhasePending, fine)
			before.Keys = d.holding().Keys // one more
			d.unchanged(before)
			if r.KeyID == "" || len(before.Keys) != 5 {
				t.Errorf("verify %t: the key of a pending request is gone", verify)
			}
		}
	}
}
