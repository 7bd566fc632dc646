package ca

import (
	"bytes"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"newleaf"
	"newleaf/internal/enroll"
)

func TestFaultsTable(t *testing.T) {
	seen := map[string]bool{}
	mischief := map[enroll.Mischief]string{}
	for _, f := range Faults() {
		if seen[f.Name] || mischief[f.Mischief] != "" {
			t.Errorf("%q stands twice in the table", f.Name)
		}
		if f.Mischief == (enroll.Mischief{}) || f.Means == "" {
			t.Errorf("%q does nothing or does not say what", f.Name)
		}
		if _, err := parseMischief([]string{f.Name + ":PKIOperation*2"}); err != nil {
			t.Error(err)
		}
		seen[f.Name], mischief[f.Mischief] = true, f.Name
	}
}

func TestParseMischief(t *testing.T) {
	for _, tt := range []struct{ word, hint string }{
		{"refuze", `"refuse"`}, {"http404", `"http-404"`}, {"Expired", `"expired"`}, {"wrongnonce", `"wrong-nonce"`},
		{"refuse*0", ""}, {"refuse*x", ""}, {"refuse*", ""},
	} {
		_, err := parseMischief([]string{tt.word})
		if newleaf.CodeOf(err) != newleaf.CodeInvalid || !strings.Contains(newleaf.AsError(err).Hint, tt.hint) {
			t.Errorf("%q: %v, want a hint naming %s", tt.word, err, tt.hint)
		}
	}
	if words, err := parseMischief([]string{"", " stall "}); err != nil || len(words) != 1 {
		t.Errorf("%+v, %v, want one word", words, err)
	}
}

func TestScriptTakesTurns(t *testing.T) {
	c, _ := open(t, Options{Mischief: []string{"reset:GetCACert", "pending*2", "http-404:pkioperation*1", "expired*1"}})
	pending, missing := enroll.Mischief{Pending: true}, enroll.Mischief{Status: 404}
	var got []enroll.Mischief
	for range 4 {
		got = append(got, c.Misbehave("PKIOperation"))
	}
	if m := c.Misbehave("GetCACaps"); m != (enroll.Mischief{}) {
		t.Errorf("GetCACaps: %+v, but nothing in the script strikes there", m)
	}
	if d := cmp.Diff([]enroll.Mischief{pending, pending, missing, {}}, got); d != "" {
		t.Error(d)
	}
	if m := c.Misbehave("GetCACert"); !m.Reset {
		t.Errorf("GetCACert: %+v, want a reset", m)
	}
	if d := cmp.Diff([]string{"reset:GetCACert", "expired:PKIOperation*1"}, c.Mischief()); d != "" {
		t.Error(d)
	}
	if err := c.SetMischief([]string{"nonsense"}); err == nil || len(c.Mischief()) != 2 {
		t.Errorf("a script with an unknown name: %v, left %v", err, c.Mischief())
	}
	if err := c.SetMischief(nil); err != nil || len(c.Mischief()) != 0 {
		t.Errorf("an empty script: %v, left %v", err, c.Mischief())
	}
}

func TestMischiefOfCertificate(t *testing.T) {
	t.Run("wrong-key", func(t *testing.T) {
		c, _ := open(t, Options{Challenge: "s", Mischief: []string{"wrong-key:renew*1"}})
		present := issue(t, c, first(t, "t1", "s", newKey(t), "CN=a"))
		s := renewal(t, "t2", present, newKey(t), "CN=a")
		odd := issue(t, c, s)
		if bytes.Equal(odd.RawSubjectPublicKeyInfo, s.CSR.RawSubjectPublicKeyInfo) {
			t.Error("the certificate is for the key of the request")
		}
		s.TransactionID = "t3"
		if straight := issue(t, c, s); !bytes.Equal(straight.RawSubjectPublicKeyInfo, s.CSR.RawSubjectPublicKeyInfo) {
			t.Error("the same key under another transactionID does not get its certificate")
		}
	})
	t.Run("old-certificate", func(t *testing.T) {
		c, _ := open(t, Options{Challenge: "s", Mischief: []string{"old-certificate:renew*1"}})
		present := issue(t, c, first(t, "t1", "s", newKey(t), "CN=a"))
		s := renewal(t, "t2", present, newKey(t), "CN=a")
		if got := issue(t, c, s); !got.Equal(present) {
			t.Error("the answer is not the present certificate (Q2)")
		}
		if got := issue(t, c, s); got.Equal(present) {
			t.Error("the present certificate a second time")
		}
	})
}
