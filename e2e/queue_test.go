package e2e_test

import (
	"crypto/tls"
	"fmt"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
)

func TestQueue(t *testing.T) {
	t.Run("F8-G15 TIM-39 issuances at the same time take turns", func(t *testing.T) {
		t.Parallel()
		d, a := lab17A(t)
		d.do("deletion", "set", "--auto=no")
		d.do("settings", "set", "--capacity", "12")
		names := []string{"A", "B", "C", "D"}
		var asking sync.WaitGroup
		for _, name := range names {
			args := d.issuing(name, "tls")
			asking.Go(func() {
				if o := d.cli(args...); o.code != 0 {
					t.Errorf("issue %s: exit status %d\n%s", name, o.code, o.stderr)
				}
			})
		}
		asking.Wait()
		inTurn(t, d.events(), len(names))
		transactions := map[string]bool{}
		for _, r := range a.requests() {
			transactions[r.TransactionID] = true
		}
		if len(a.register()) != len(names) || len(transactions) != len(names) || len(a.requests()) != len(names) {
			t.Errorf("%d certificates of %d transactions in %d requests", len(a.register()), len(transactions), len(a.requests()))
		}
		holders := 0
		for _, c := range d.certificates() {
			if slices.Contains(c.Purposes, "tls") {
				holders++
			}
			if slices.Contains(names, c.Name) && c.State != "" {
				t.Errorf("%s is still %s", c.Name, c.State)
			}
		}
		if holders != 1 {
			t.Errorf("tls has %d holders", holders)
		}
	})
	t.Run("a name is given once, however many ask for it at once", func(t *testing.T) {
		t.Parallel()
		d, a := lab17A(t)
		args := d.issuing("Same", "none")
		codes := make([]int, 4)
		var asking sync.WaitGroup
		for i := range codes {
			asking.Go(func() { codes[i] = d.cli(args...).code })
		}
		asking.Wait()
		slices.Sort(codes)
		if !slices.Equal(codes, []int{0, 1, 1, 1}) || len(a.register()) != 1 {
			t.Errorf("exit statuses %v, %d certificates", codes, len(a.register()))
		}
	})
	t.Run("F8-G16 whoever asked is gone: the walk comes to its end", func(t *testing.T) {
		t.Parallel()
		d, a := lab17A(t, "--approve")
		cmd := exec.Command("newleaf", append([]string{"--state", d.dir}, d.issuing("Xyz4", "tls")...)...)
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		waits := func() []decided { return decode[[]decided](t, a.get("pending")) }
		eventually(t, "the request waits for approval", func() bool { return len(waits()) == 1 })
		if err := cmd.Process.Signal(syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		_ = cmd.Wait() // it was killed
		a.post("approve", `{"transactionId": "`+waits()[0].TransactionID+`"}`)
		d.through()
		d.holds("Xyz2:ipsec", "Xyz3:dot1x", "Bought", "Xyz4:tls")
	})
	t.Run("F8-G16 a client on the network that hangs up at once: the walk comes to its end", func(t *testing.T) {
		t.Parallel()
		d, _ := lab17A(t)
		token := strings.TrimSpace(d.do("token", "create", "--role", "administrator", "--days", "1"))
		conn, err := tls.Dial("tcp", d.address, &tls.Config{InsecureSkipVerify: true}) // the device is new to us
		if err != nil {
			t.Fatal(err)
		}
		body := `{"name": "Xyz4", "key": "rsa-1024", "subject": "CN=Device001", "purposes": ["tls"], "password": "` + password + `"}`
		fmt.Fprintf(conn, "POST /api/v1/certificates/issue HTTP/1.1\r\nHost: device\r\nAuthorization: Bearer %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s",
			token, len(body), body)
		if err := conn.Close(); err != nil {
			t.Fatal(err)
		}
		eventually(t, "the issuance has started", func() bool { return len(d.renewals()) == 1 })
		d.through()
		d.holds("Xyz2:ipsec", "Xyz3:dot1x", "Bought", "Xyz4:tls")
	})
	t.Run("F8-G10 pending survives a restart, with the same key and transaction", func(t *testing.T) {
		t.Parallel()
		d, a := lab17A(t, "--approve")
		if o := d.cli(d.issuing("Xyz4", "tls", "--wait", "1s")...); o.code != 0 || !strings.Contains(o.stderr, "The authority has not decided yet") {
			t.Errorf("exit status %d\n%s", o.code, o.stderr)
		}
		eventually(t, "the renewal is pending", func() bool { return d.renewals()[0].Phase == "pending" })
		first := d.renewals()[0].TransactionID
		d.restart()
		if r := d.renewals()[0]; r.TransactionID != first || r.Phase != "pending" {
			t.Errorf("after the restart it is %s with transaction %s, not %s", r.Phase, r.TransactionID, first)
		}
		a.post("approve", `{"transactionId": "`+first+`"}`)
		d.do("update", "retry")
		d.through()
		d.holds("Xyz2:ipsec", "Xyz3:dot1x", "Bought", "Xyz4:tls")
		if n := len(a.register()); n != 1 {
			t.Errorf("%d certificates were issued", n)
		}
	})
	t.Run("F8-G11 CLM-1d a request that a person denies fails with the reason", func(t *testing.T) {
		t.Parallel()
		d, a := lab17A(t, "--approve")
		d.do(d.issuing("Xyz4", "tls", "--wait", "1s")...)
		a.post("deny", `{"transactionId": "`+d.renewals()[0].TransactionID+`", "reason": "not this one"}`)
		d.cli("update", "retry")
		d.through()
		if r := d.renewals()[0]; r.Phase != "failed" || r.Error == nil || !strings.Contains(r.Error.Text, "not this one") {
			t.Errorf("the renewal is %+v", r)
		}
		d.unharmed()
	})
	t.Run("CON-12 an authority that never answers: the exchange ends, a person can give it up", func(t *testing.T) {
		t.Parallel()
		d, _ := lab17A(t, "--mischief", "stall:PKIOperation")
		d.do(d.issuing("Xyz4", "tls", "--wait", "0s")...)
		eventually(t, "the request is under way", func() bool { return d.renewals()[0].Step == "request" })
		d.do("update", "cancel")
		if r := d.renewals()[0]; r.Phase != "cancelled" {
			t.Errorf("the renewal is %s", r.Phase)
		}
		d.unharmed()
	})
	t.Run("F9-G3 a restart while the authority stalls: nothing is lost, the walk goes on", func(t *testing.T) {
		t.Parallel()
		dir := folder(t)
		a := startAuthority(t, filepath.Join(dir, "ca"), "--mischief", "stall:PKIOperation*1")
		d := newDevice(t, filepath.Join(dir, "device"))
		d.provision(connected(a), fx17A()...)
		d.start()
		d.do(d.issuing("Xyz4", "tls", "--wait", "0s")...)
		eventually(t, "the request is under way", func() bool { return a.asked("PKIOperation") == 1 })
		d.restart()
		d.through()
		d.holds("Xyz2:ipsec", "Xyz3:dot1x", "Bought", "Xyz4:tls")
		if n := len(a.register()); n != 1 {
			t.Errorf("%d certificates were issued", n)
		}
	})
}

// inTurn checks in the journal that between the first step and the last of each
// renewal no other one did anything.
func inTurn(t *testing.T, events []event, renewals int) {
	t.Helper()
	var order []int64
	for _, e := range events {
		if e.Kind == "step" && (len(order) == 0 || order[len(order)-1] != e.Renewal) {
			order = append(order, e.Renewal)
		}
	}
	if len(order) != renewals {
		t.Errorf("the renewals took turns like this: %v", order)
	}
}
