package agent_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"newleaf"
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

// TestMischief: whatever the authority does wrong, the device names it, and
// everything in use stays as it was - with every rule of deletion on, in each
// order of deletion (INV-03, F7-G1, F8-S823, F8-G9). Several faults share a device.
func TestMischief(t *testing.T) {
	for faults := range slices.Chunk(ca.Faults(), 8) {
		t.Run("from "+faults[0].Name+" to "+faults[len(faults)-1].Name, func(t *testing.T) {
			t.Parallel()
			d := newDevice(t, ca.Options{}, unused)
			good := func(name string) { // the green control, and what "old-certificate" sends again
				d.misbehave()
				d.failsWith(d.attempt(name, newleaf.OrderAfter, true), fine)
			}
			good("First")
			for _, fault := range faults {
				want, known := outcomes[fault.Name]
				if !known {
					t.Errorf("the lab can do %q, and nothing says what a device makes of it", fault.Name)
				}
				if fault.Mischief.Pending {
					continue // TestMischiefPending
				}
				d.connect(func(c *newleaf.Connection) {
					c.Timeout = map[bool]time.Duration{true: time.Second, false: time.Minute}[fault.Mischief.Stall]
				})
				d.misbehave(fault.Name)
				before, refused := d.holding(), len(d.events(newleaf.EventRefused))
				d.failsWith(d.attempt(fault.Name, newleaf.OrderAfter, true), want.on)
				d.unchanged(before)
				if want.off != fine {
					d.failsWith(d.attempt(fault.Name, newleaf.OrderOnResponse, false), want.off)
					d.unchanged(before)
				}
				d.journals(refused, want.journal)
				// The order "before" may take what is unused, and nothing else.
				d.failsWith(d.attempt(fault.Name, newleaf.OrderBefore, true), want.on)
				before.Certificates = slices.DeleteFunc(before.Certificates, func(l newleaf.Listed) bool { return !l.InUse })
				before.Keys = d.holding().Keys
				d.unchanged(before)
				if want.off == fine {
					d.failsWith(d.attempt(fault.Name, newleaf.OrderOnResponse, false), fine)
				}
			}
			good("Last")
			d.whole()
		})
	}
}

// attempt asks for a TLS certificate, always of the same subject, with every rule
// of deletion on.
func (d *device) attempt(name string, order newleaf.Order, verify bool) newleaf.Renewal {
	d.t.Helper()
	d.deleting(func(p *newleaf.DeletionPolicy) { p.Order = order }, newleaf.AllRules()...)
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

// journals checks that what was issued and refused can be traced: the certificate
// is in the journal, as are code and hint of the failure.
func (d *device) journals(before int, want bool) {
	d.t.Helper()
	failed := d.events(newleaf.EventFailed)
	if last := failed[len(failed)-1]; last.Data["code"] == "" || last.Data["hint"] == "" {
		d.t.Errorf("the failure is recorded as %+v", last)
	}
	refused := d.events(newleaf.EventRefused)[before:]
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
	if len(refused) != 2 {
		d.t.Errorf("the journal has %d refused certificates, not those of two attempts", len(refused))
	}
	for _, e := range refused {
		says(d.t, e.Text, "certificate")
		if !slices.ContainsFunc(issued, func(r ca.Registration) bool { return carries(e, newleaf.ID(r.SHA256)) }) {
			d.t.Errorf("the journal does not have what the authority sent: %+v", e)
		}
	}
}

// TestMischiefPending: "pending" is no failure; the key and the transaction wait
// for the decision, and nothing else happens meanwhile (INV-03).
func TestMischiefPending(t *testing.T) {
	for _, verify := range []bool{true, false} {
		for _, order := range []newleaf.Order{newleaf.OrderAfter, newleaf.OrderOnResponse} {
			d := newDevice(t, ca.Options{Mischief: []string{"pending"}}, unused)
			before := d.holding()
			r := d.attempt("Xyz4", order, verify)
			d.stands(r, newleaf.PhasePending, fine)
			before.Keys = d.holding().Keys // one more
			d.unchanged(before)
			if r.KeyID == "" || len(before.Keys) != 5 {
				t.Errorf("verify %t: the key of a pending request is gone", verify)
			}
		}
	}
}
