package newleaf

import (
	"testing"
	"time"
)

func TestOutlook(t *testing.T) {
	now := time.Date(2027, 3, 1, 0, 0, 0, 0, time.UTC)
	good := func(change func(*Certificate)) Certificate {
		q := DefaultRequest()
		c := Certificate{ID: "a", Origin: Enrolled, Connection: DefaultConnection, Request: &q, Predecessor: "b",
			Parsed: Parsed{NotBefore: now.AddDate(-1, 0, 0), NotAfter: now.AddDate(1, 0, 0), KeyAlgorithm: "RSA"}}
		change(&c)
		return c
	}
	for _, tt := range []struct {
		name   string
		c      Certificate
		secret bool
		want   Outlook
	}{
		{"updated before", good(func(*Certificate) {}), false, OutlookProven},
		{"never updated", good(func(c *Certificate) { c.Predecessor = "" }), false, OutlookUnproven},
		{"no request", good(func(c *Certificate) { c.Request = nil }), true, OutlookPerson},
		{"connection is gone", good(func(c *Certificate) { c.Request.Connection = "other" }), true, OutlookPerson},
		{"TIM-40 expired, no password", good(func(c *Certificate) { c.NotAfter = now.AddDate(0, 0, -1) }), false, OutlookPerson},
		{"TIM-40 expired, password kept", good(func(c *Certificate) { c.NotAfter = now.AddDate(0, 0, -1) }), true, OutlookProven},
		{"imported, password kept", good(func(c *Certificate) { c.Origin, c.Connection, c.Predecessor = Imported, "", "" }), true, OutlookUnproven},
		{"imported, no password", good(func(c *Certificate) { c.Origin, c.Connection = Imported, "" }), false, OutlookPerson},
		{"SCEP cannot sign with EC", good(func(c *Certificate) { c.KeyAlgorithm = "ECDSA" }), false, OutlookPerson},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := Snapshot{Now: now, ClockTrusted: true, Connections: []Credentials{{DefaultConnection, SCEP, tt.secret}}}
			if got := s.Outlook(&tt.c); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}
