package ca

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"newleaf/internal/enroll"
)

const day = 24 * time.Hour

func TestRepeatedTransaction(t *testing.T) {
	c, watch := open(t, Options{Challenge: "s"})
	key := newKey(t)
	s := first(t, "t1", "s", key, "CN=a")
	certificate := issue(t, c, s)

	t.Run("T7 repeated request is a poll", func(t *testing.T) {
		s.Challenge = "forgotten"
		if again := issue(t, c, s); !again.Equal(certificate) {
			t.Error("a second certificate was issued")
		}
	})
	t.Run("CertPoll", func(t *testing.T) {
		d, err := c.Poll(t.Context(), "t1", s.Signer)
		if err != nil || d.Status != enroll.Issued || !d.Certificate.Equal(certificate) {
			t.Errorf("Poll = %+v, %v", d, err)
		}
	})
	t.Run("CertPoll by another", func(t *testing.T) {
		stranger := first(t, "t1", "s", newKey(t), "CN=a")
		d, err := c.Poll(t.Context(), "t1", stranger.Signer)
		if err != nil || d.Status != enroll.Refused || d.FailInfo != "badRequest" {
			t.Errorf("Poll = %+v, %v", d, err)
		}
	})
	t.Run("CertPoll of nothing", func(t *testing.T) {
		d, err := c.Poll(t.Context(), "t9", s.Signer)
		if err != nil || d.Status != enroll.Refused || d.FailInfo != "badCertId" {
			t.Errorf("Poll = %+v, %v", d, err)
		}
	})
	t.Run("another key", func(t *testing.T) {
		d := decide(t, c, first(t, "t1", "s", newKey(t), "CN=a"))
		if d.Status != enroll.Refused || !strings.Contains(d.Reason, "another key") {
			t.Errorf("decision %+v", d)
		}
	})
	t.Run("refusals are judged anew", func(t *testing.T) {
		key := newKey(t)
		if d := decide(t, c, first(t, "t2", "typo", key, "CN=b")); d.Status != enroll.Refused {
			t.Fatalf("decision %+v", d)
		}
		issue(t, c, first(t, "t2", "s", key, "CN=b"))
	})
	t.Run("after expiry", func(t *testing.T) {
		watch.pass(100 * day)
		s.Challenge = "s"
		fresh := issue(t, c, s)
		if fresh.Equal(certificate) {
			t.Error("the expired certificate was handed out again")
		}
		if again := issue(t, c, s); !again.Equal(fresh) {
			t.Error("the fresh one was not")
		}
	})
}

func TestTransactionIDBounds(t *testing.T) {
	c, _ := open(t, Options{Challenge: "s"})
	for _, id := range []string{"", strings.Repeat("x", 257)} {
		if d := decide(t, c, first(t, id, "s", newKey(t), "CN=a")); d.Status != enroll.Refused {
			t.Errorf("transactionID of %d characters: %+v", len(id), d)
		}
	}
	issue(t, c, first(t, strings.Repeat("x", 256), "s", newKey(t), "CN=a"))
}

func TestOneTimeChallenge(t *testing.T) {
	c, watch := open(t, Options{})
	given, err := c.NewChallenge(t.Context(), "C=JP,CN=a")
	if err != nil {
		t.Fatal(err)
	}
	if len(given.Challenge) != 32 || given.Subject != "CN=a,C=JP" {
		t.Errorf("given %+v, want 128 bits in hex for CN=a,C=JP", given)
	}
	refused := func(name, transaction, challenge, subject string) {
		t.Helper()
		if d := decide(t, c, first(t, transaction, challenge, newKey(t), subject)); d.Status != enroll.Refused {
			t.Errorf("%s: %+v", name, d)
		}
	}
	refused("no challenge", "t1", "", "CN=a,C=JP")
	refused("a guess", "t2", strings.Repeat("0", 32), "CN=a,C=JP")
	refused("another subject", "t3", given.Challenge, "CN=b,C=JP")
	s := first(t, "t4", given.Challenge, newKey(t), "C=JP,CN=a")
	certificate := issue(t, c, s)
	if again := issue(t, c, s); !again.Equal(certificate) {
		t.Error("the repeated transaction is not a poll")
	}
	refused("a second use", "t5", given.Challenge, "C=JP,CN=a")

	late, err := c.NewChallenge(t.Context(), "CN=a")
	if err != nil {
		t.Fatal(err)
	}
	watch.pass(ChallengeLife + time.Second)
	refused("after its time", "t6", late.Challenge, "CN=a")

	if _, err := c.NewChallenge(t.Context(), "nonsense"); err == nil {
		t.Error("a challenge for no subject")
	}
	static, _ := open(t, Options{Challenge: "s"})
	if _, err := static.NewChallenge(t.Context(), "CN=a"); err == nil {
		t.Error("a one-time challenge where they are not taken")
	}
}

func TestRenewalBySignature(t *testing.T) {
	c, watch := open(t, Options{Challenge: "s"})
	present := issue(t, c, first(t, "t1", "s", newKey(t), "CN=a", "a.example"))
	ra, issuer := c.identity.Signer, c.identity.Issuer
	key := newKey(t)
	foreign := selfSigned(t, newKey(t), present.Subject)
	for _, tt := range []struct {
		name       string
		submission enroll.Submission
		why        string
	}{
		{"by a stranger", renewal(t, "r1", foreign, newKey(t), "CN=a", "a.example"), "not issued here"},
		{"by the stranger of the same name", renewal(t, "r2", c.identity.Foreign.Certificate, newKey(t), "CN=a", "a.example"), "not issued here"},
		{"by the RA", renewal(t, "r3", ra, newKey(t), ra.Subject.String()), "CA or RA"},
		{"by the CA", renewal(t, "r4", issuer, newKey(t), issuer.Subject.String()), "CA or RA"},
		{"for another subject", renewal(t, "r5", present, newKey(t), "CN=b", "a.example"), "another subject"},
		{"for other names", renewal(t, "r6", present, newKey(t), "CN=a", "b.example"), "alternative names"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if d := decide(t, c, tt.submission); d.Status != enroll.Refused || !strings.Contains(d.Reason, tt.why) {
				t.Errorf("decision %+v, want refused because %q", d, tt.why)
			}
		})
	}
	renewed := issue(t, c, renewal(t, "r7", present, key, "CN=a", "a.example"))
	t.Run("Poll by the old key", func(t *testing.T) {
		d, err := c.Poll(t.Context(), "r7", present)
		if err != nil || d.Certificate == nil || !d.Certificate.Equal(renewed) {
			t.Errorf("Poll = %+v, %v", d, err)
		}
	})
	t.Run("third live certificate", func(t *testing.T) {
		if d := decide(t, c, renewal(t, "r8", renewed, newKey(t), "CN=a", "a.example")); d.Status != enroll.Refused || !strings.Contains(d.Reason, "as many") {
			t.Errorf("decision %+v", d)
		}
	})
	if err := c.Revoke(t.Context(), present.SerialNumber); err != nil {
		t.Fatal(err)
	}
	t.Run("by a revoked certificate", func(t *testing.T) {
		if d := decide(t, c, renewal(t, "r9", present, newKey(t), "CN=a", "a.example")); d.Status != enroll.Refused || !strings.Contains(d.Reason, "revoked") {
			t.Errorf("decision %+v", d)
		}
	})
	t.Run("with the old key", func(t *testing.T) {
		if d := decide(t, c, renewal(t, "r10", renewed, key, "CN=a", "a.example")); d.Status != enroll.Refused || !strings.Contains(d.Reason, "new key") {
			t.Errorf("decision %+v", d)
		}
	})
	issue(t, c, renewal(t, "r11", renewed, newKey(t), "CN=a", "a.example"))
	t.Run("by an expired certificate", func(t *testing.T) {
		watch.pass(91 * day)
		if d := decide(t, c, renewal(t, "r12", renewed, newKey(t), "CN=a", "a.example")); d.Status != enroll.Refused || !strings.Contains(d.Reason, "expired") {
			t.Errorf("decision %+v", d)
		}
	})
}

func TestRevokedKeyIsRefused(t *testing.T) {
	c, _ := open(t, Options{Challenge: "s"})
	key := newKey(t)
	certificate := issue(t, c, first(t, "t1", "s", key, "CN=a"))
	if err := c.Revoke(t.Context(), certificate.SerialNumber); err != nil {
		t.Fatal(err)
	}
	for _, id := range []string{"t1", "t2"} {
		if d := decide(t, c, first(t, id, "s", key, "CN=a")); d.Status != enroll.Refused {
			t.Errorf("transaction %s: %+v", id, d)
		}
	}
}

func TestRSAKeySizes(t *testing.T) {
	t.Setenv("GODEBUG", "rsa1024min=0")
	c, _ := open(t, Options{Challenge: "s"})
	for bits, want := range map[int]enroll.Status{512: enroll.Refused, 1024: enroll.Issued} {
		key, err := rsa.GenerateKey(rand.Reader, bits)
		if err != nil {
			t.Fatal(err)
		}
		s := enroll.Submission{TransactionID: fmt.Sprint(bits), CSR: csr(t, key, "CN=a"), Challenge: "s"}
		d := decide(t, c, s)
		if d.Status != want {
			t.Errorf("RSA %d: %+v, want %s", bits, d, want)
		}
		if d.Certificate != nil && d.Certificate.KeyUsage != x509.KeyUsageDigitalSignature|x509.KeyUsageKeyEncipherment {
			t.Errorf("RSA keyUsage %b", d.Certificate.KeyUsage)
		}
	}
}

// 32 clients, each asking twice at the same moment, and 32 renewals of one
// certificate, of which one may win.
func TestDecideConcurrently(t *testing.T) {
	c, _ := open(t, Options{Challenge: "s"})
	const clients = 32
	var wg sync.WaitGroup
	var got [2][clients]*x509.Certificate
	submissions := make([]enroll.Submission, clients)
	for i := range clients {
		submissions[i] = first(t, fmt.Sprint("t", i), "s", newKey(t), fmt.Sprint("CN=", i))
	}
	for i := range clients {
		for turn := range 2 {
			wg.Go(func() {
				d, err := c.Decide(t.Context(), submissions[i])
				if err != nil {
					t.Error(err)
				}
				got[turn][i] = d.Certificate
			})
		}
	}
	wg.Wait()
	serials := map[string]bool{}
	for i := range clients {
		if got[0][i] == nil || got[1][i] == nil || !got[0][i].Equal(got[1][i]) {
			t.Fatalf("client %d: the repeated transaction has two answers", i)
		}
		serials[got[0][i].SerialNumber.String()] = true
	}
	if len(serials) != clients {
		t.Errorf("%d serials for %d certificates", len(serials), clients)
	}
	if list, err := c.Registered(t.Context()); err != nil || len(list) != clients {
		t.Errorf("%d certificates stored (%v), want %d", len(list), err, clients)
	}

	renewals := make([]enroll.Submission, clients)
	for i := range clients {
		renewals[i] = renewal(t, fmt.Sprint("r", i), got[0][0], newKey(t), "CN=0")
	}
	statuses := make([]enroll.Status, clients)
	for i := range clients {
		wg.Go(func() {
			d, err := c.Decide(t.Context(), renewals[i])
			if err != nil {
				t.Error(err)
			}
			statuses[i] = d.Status
		})
	}
	wg.Wait()
	won := 0
	for _, s := range statuses {
		if s == enroll.Issued {
			won++
		}
	}
	if won != 1 {
		t.Errorf("%d of %d simultaneous renewals won, want 1: at most two live per subject", won, clients)
	}
}
