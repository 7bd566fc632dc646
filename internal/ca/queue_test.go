package ca

import (
	"database/sql"
	"testing"

	"github.com/google/go-cmp/cmp"

	"newleaf"
	"newleaf/internal/enroll"
)

func TestQueue(t *testing.T) {
	c, watch := open(t, Options{Challenge: "s", Approve: true})
	yes, no := first(t, "t1", "s", newKey(t), "CN=a", "a.example"), first(t, "t2", "", newKey(t), "CN=b")
	for _, s := range []enroll.Submission{yes, no, yes} {
		if d := decide(t, c, s); d.Status != enroll.Pending || d.Certificate != nil {
			t.Fatalf("%s: %+v, want pending", s.TransactionID, d)
		}
	}
	if d := decide(t, c, first(t, "t1", "s", newKey(t), "CN=a")); d.Status != enroll.Refused {
		t.Errorf("another key under a waiting transactionID: %+v", d)
	}
	list, err := c.Pending(t.Context())
	if err != nil || len(list) != 2 {
		t.Fatalf("Pending = %+v, %v", list, err)
	}
	list[0].Key = ""
	want := Waiting{TransactionID: "t1", At: start, Peer: "127.0.0.1:1", Protocol: "scep", Subject: "CN=a", SAN: []string{"dns:a.example", "ip:192.0.2.1"}}
	if d := cmp.Diff(want, list[0]); d != "" {
		t.Error(d)
	}

	watch.pass(day)
	if err := c.Approve(t.Context(), "t1"); err != nil {
		t.Fatal(err)
	}
	if err := c.Deny(t.Context(), "t2", "unknown device"); err != nil {
		t.Fatal(err)
	}
	certificate := issue(t, c, yes)
	if want := start.Add(91 * day); !certificate.NotAfter.Equal(want) {
		t.Errorf("notAfter %s, want %s: it lives from the approval", certificate.NotAfter, want)
	}
	if d, err := c.Poll(t.Context(), "t1", yes.Signer); err != nil || !d.Certificate.Equal(certificate) {
		t.Errorf("Poll = %+v, %v", d, err)
	}
	for range 2 { // a denial is final
		if d := decide(t, c, no); d.Status != enroll.Refused || d.Reason != "unknown device" {
			t.Errorf("denied: %+v", d)
		}
	}
	for _, act := range []error{c.Approve(t.Context(), "t1"), c.Approve(t.Context(), "t2"), c.Deny(t.Context(), "t1", ""), c.Deny(t.Context(), "t9", "")} {
		if newleaf.CodeOf(act) != newleaf.CodeNotFound {
			t.Errorf("deciding twice: %v, want not-found", act)
		}
	}
	if list, err := c.Pending(t.Context()); err != nil || len(list) != 0 {
		t.Errorf("Pending = %+v, %v", list, err)
	}
}

func TestQueueSpendsTheChallenge(t *testing.T) {
	c, _ := open(t, Options{Approve: true})
	given, err := c.NewChallenge(t.Context(), "CN=a")
	if err != nil {
		t.Fatal(err)
	}
	if d := decide(t, c, first(t, "t1", given.Challenge, newKey(t), "CN=a")); d.Status != enroll.Pending {
		t.Fatalf("%+v", d)
	}
	if d := decide(t, c, first(t, "t2", given.Challenge, newKey(t), "CN=a")); d.Status != enroll.Refused {
		t.Errorf("a challenge queued twice: %+v", d)
	}
}

func TestRequestLog(t *testing.T) {
	c, _ := open(t, Options{Challenge: "s"})
	certificate := issue(t, c, first(t, "t1", "s", newKey(t), "CN=a"))
	decide(t, c, renewal(t, "t2", certificate, newKey(t), "CN=b"))
	if _, err := c.Poll(t.Context(), "t1", nil); err != nil {
		t.Fatal(err)
	}
	got, err := c.Requests(t.Context(), 0)
	if err != nil {
		t.Fatal(err)
	}
	serial := serialHex(certificate)
	want := []Entry{
		{1, start, "127.0.0.1:1", "scep", "enroll", "t1", "CN=a", "issued", "", "", serial},
		{2, start, "127.0.0.1:1", "scep", "renew", "t2", "CN=b", "refused", "badRequest", "the request is for another subject than the certificate that signed it", ""},
		{3, start, "", "", "poll", "t1", "CN=a", "issued", "", "", serial},
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	if got, err = c.Requests(t.Context(), 2); err != nil || len(got) != 1 || got[0].ID != 3 {
		t.Errorf("since 2: %+v, %v", got, err)
	}
}

func TestBounds(t *testing.T) {
	c, _ := open(t, Options{Challenge: "s", Approve: true})
	prepare := func(statement string, arguments ...any) {
		t.Helper()
		if err := c.db.Write(t.Context(), func(tx *sql.Tx) error { _, err := tx.Exec(statement, arguments...); return err }); err != nil {
			t.Fatal(err)
		}
	}
	decide(t, c, first(t, "t1", "s", newKey(t), "CN=a"))
	prepare(`INSERT INTO requests SELECT ?, at, peer, protocol, operation, 'late', subject, decision, fail_info, reason, serial FROM requests`, logLimit)
	decide(t, c, first(t, "t2", "s", newKey(t), "CN=a"))
	if log, err := c.Requests(t.Context(), 0); err != nil || len(log) != 2 || log[0].TransactionID != "late" {
		t.Errorf("the oldest line did not make room: %+v, %v", log, err)
	}

	prepare(`WITH RECURSIVE n(i) AS (SELECT 3 UNION ALL SELECT i + 1 FROM n WHERE i < ?)
		INSERT INTO queue SELECT 'n' || i, key, signer, at, peer, protocol, subject, csr, NULL FROM n, queue WHERE transaction_id = 't1'`, queueLimit)
	if d := decide(t, c, first(t, "t3", "s", newKey(t), "CN=a")); d.Status != enroll.Refused {
		t.Errorf("request %d of the queue: %+v", queueLimit+1, d)
	}
	if err := c.Deny(t.Context(), "t2", "no"); err != nil {
		t.Fatal(err)
	}
	if d := decide(t, c, first(t, "t4", "s", newKey(t), "CN=a")); d.Status != enroll.Pending {
		t.Errorf("after a denial made room: %+v", d)
	}
}
