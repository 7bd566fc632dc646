package scep

import (
	"strings"
	"testing"
	"time"

	"newleaf"
	"newleaf/internal/enroll"
)

// TestMischief: each fault on demand has the error code of its own, with the
// signature verified and without (1304), and the same exchange works without it.
func TestMischief(t *testing.T) {
	const fine = newleaf.Code("")
	for _, test := range []struct {
		name      string
		operation string
		m         enroll.Mischief
		on, off   newleaf.Code // with Verify on and off
		says      string
	}{
		{"S811 reset", "PKIOperation", enroll.Mischief{Reset: true}, newleaf.CodeInterrupted, newleaf.CodeInterrupted, "while the request was being sent"},
		{"S813 cut off", "PKIOperation", enroll.Mischief{ResetMid: true}, newleaf.CodeInterrupted, newleaf.CodeInterrupted, "broke off after"},
		{"S813 stall", "PKIOperation", enroll.Mischief{Stall: true}, newleaf.CodeTimeout, newleaf.CodeTimeout, "did not answer"},
		{"S813 endless", "PKIOperation", enroll.Mischief{Endless: true}, newleaf.CodeBadAnswer, newleaf.CodeBadAnswer, "longer than 1048576 bytes"},
		{"S813 status", "PKIOperation", enroll.Mischief{Status: 503}, newleaf.CodeHTTP, newleaf.CodeHTTP, "503 Service Unavailable (it says: this status was asked for)"},
		{"S818 garbage", "PKIOperation", enroll.Mischief{Garbage: true}, newleaf.CodeBadAnswer, newleaf.CodeBadAnswer, "no SCEP message"},
		{"S818 empty", "PKIOperation", enroll.Mischief{Empty: true}, newleaf.CodeBadAnswer, newleaf.CodeBadAnswer, "no SCEP message"},
		{"S818 no certificate", "PKIOperation", enroll.Mischief{NoCert: true}, newleaf.CodeBadAnswer, newleaf.CodeBadAnswer, "no certificate"},
		{"F8-G12 nonce", "PKCSReq", enroll.Mischief{Nonce: true}, newleaf.CodeTransaction, newleaf.CodeTransaction, "nonce"},
		{"F8-G12 transaction", "PKCSReq", enroll.Mischief{Transact: true}, newleaf.CodeTransaction, newleaf.CodeTransaction, "transaction"},
		{"S816 signature", "PKCSReq", enroll.Mischief{Signature: true}, newleaf.CodeBadSignature, fine, "signature"},
		{"S816 stranger", "PKCSReq", enroll.Mischief{Foreign: true}, newleaf.CodeUntrusted, fine, "does not lead to the confirmed CA"},
		{"S816 sibling", "PKCSReq", enroll.Mischief{Sibling: true}, newleaf.CodeRAChanged, fine, "CN=Device002"},
		{"S818 leaf as CA", "GetCACert", enroll.Mischief{LeafAsCA: true}, newleaf.CodeUntrusted, newleaf.CodeUntrusted, "confirmed CA"},
		{"CA certificate reset", "GetCACert", enroll.Mischief{Reset: true}, newleaf.CodeInterrupted, newleaf.CodeInterrupted, "being sent"},
		{"F8-G5 foreign key", "issue", enroll.Mischief{Key: true}, newleaf.CodeForeignKey, newleaf.CodeForeignKey, "key"},
		{"Q2 old", "issue", enroll.Mischief{Old: true}, newleaf.CodeUntrusted, fine, "issuer"},
		{"F8-G6 expired", "issue", enroll.Mischief{Expired: true}, newleaf.CodeUnfit, newleaf.CodeUnfit, "expired"},
		{"F8-G6 future", "issue", enroll.Mischief{Future: true}, newleaf.CodeUnfit, newleaf.CodeUnfit, "not valid before"},
		{"F8-G6 key usage", "issue", enroll.Mischief{NoEKU: true}, newleaf.CodeUnfit, newleaf.CodeUnfit, "extended key usage"},
		{"F8-G6 CA", "issue", enroll.Mischief{AsCA: true}, newleaf.CodeUnfit, newleaf.CodeUnfit, "CA certificate"},
	} {
		t.Run(test.name, func(t *testing.T) {
			l := newLab("one")
			s := serve(t, NewServer(l, ServerOptions{}))
			for i, verify := range []bool{true, false} {
				want := []newleaf.Code{test.on, test.off}[i]
				attempt := func(step string) error {
					c := dial(t, s.URL, func(c *newleaf.Connection) {
						if test.m.Stall && step == "bad" {
							c.Timeout = 200 * time.Millisecond
						}
					})
					r := first(l, "device")
					r.TransactionID += step + []string{"on", "off"}[i]
					r.Verify = verify
					return check(t, c, r)
				}
				l.misbehave(test.operation, test.m)
				err := attempt("bad")
				wantCode(t, err, want)
				if err != nil && !strings.Contains(err.Error(), test.says) {
					t.Errorf("verify %t: %q does not say %q", verify, err, test.says)
				}
				l.misbehave(test.operation, enroll.Mischief{})
				if err := attempt("good"); err != nil {
					t.Errorf("verify %t: without mischief: %v", verify, err)
				}
			}
		})
	}
}

// check makes a request and the checks of a device on its answer.
func check(t *testing.T, c *Client, r enroll.Request) error {
	a, err := c.Send(t.Context(), r)
	if err != nil {
		return err
	}
	if a.Status != enroll.Issued || a.Verified != r.Verify {
		t.Errorf("got %+v", a)
	}
	_, err = enroll.Check(a.Certificates, enroll.Wanted{
		Public: r.Key.Public(), Purposes: []newleaf.Purpose{newleaf.TLS}, Kinds: newleaf.BuiltinKinds(), Trust: r.Trust, Verify: r.Verify, Now: today, Clock: true,
	})
	return err
}

// TestMischiefDecides: what is no fault of the message is a decision, and the
// authority is not asked for one.
func TestMischiefDecides(t *testing.T) {
	for word, m := range map[string]enroll.Mischief{
		"badAlg": {Refuse: "badAlg"}, "badMessageCheck": {Refuse: "badMessageCheck"}, "badRequest": {Refuse: "nonsense"},
		"badTime": {Refuse: "badTime"}, "badCertId": {Refuse: "badCertId"}, "": {Pending: true},
	} {
		l := newLab("two")
		l.misbehave("PKCSReq", m)
		s := serve(t, NewServer(l, ServerOptions{}))
		a, err := dial(t, s.URL).Send(t.Context(), first(l, "device"))
		if err != nil || a.FailInfo != word || (a.Status == enroll.Pending) != m.Pending || !a.Verified {
			t.Errorf("%+v: got %+v, %v", m, a, err)
		}
		if len(l.submissions) != 0 {
			t.Errorf("%+v: the authority decided", m)
		}
	}
}

// TestMischiefLosesAnswers: an answer that is lost was decided on, and asking
// again under the same transactionID does not make a second certificate.
func TestMischiefLosesAnswers(t *testing.T) {
	for name, m := range map[string]enroll.Mischief{
		"reset": {Reset: true}, "cut off": {ResetMid: true}, "status": {Status: 500}, "garbage": {Garbage: true}, "empty": {Empty: true}, "nonce": {Nonce: true},
	} {
		t.Run(name, func(t *testing.T) {
			l := newLab("one")
			l.misbehave("PKIOperation", m)
			s := serve(t, NewServer(l, ServerOptions{}))
			if _, err := dial(t, s.URL).Send(t.Context(), first(l, "device")); err == nil {
				t.Error("no error")
			}
			l.misbehave("PKIOperation", enroll.Mischief{})
			if _, err := dial(t, s.URL).Send(t.Context(), first(l, "device")); err != nil {
				t.Error(err)
			}
			if len(l.issued) != 1 || len(l.submissions) != 2 {
				t.Errorf("%d certificates for %d requests", len(l.issued), len(l.submissions))
			}
		})
	}
}
