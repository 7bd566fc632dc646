package e2e_test

import (
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// refuses runs a command that has to fail with this status, a sentence that
// matches and a hint.
func (d *device) refuses(code int, sentence, hint string, args ...string) {
	d.t.Helper()
	refused(d.t, d.cli(args...), code, sentence, hint)
}

func refused(t testing.TB, o outcome, code int, sentence, hint string) {
	t.Helper()
	if o.code != code {
		t.Errorf("exit status %d, want %d\n%s%s", o.code, code, o.stdout, o.stderr)
	}
	isSentence(t, o.stderr, sentence, hint)
}

// isSentence checks the last two lines of stderr: a sentence after the program's
// name, and a hint.
func isSentence(t testing.TB, stderr, sentence, hint string) {
	t.Helper()
	lines := strings.Split(strings.TrimSpace(stderr), "\n")
	if len(lines) < 2 {
		t.Fatalf("there are no sentence and hint in\n%s", stderr)
	}
	said, advice := lines[len(lines)-2], lines[len(lines)-1]
	if !regexp.MustCompile(`^newleaf: .*` + sentence + `.*[.?]$`).MatchString(said) {
		t.Errorf("said %q, want a sentence with %q", said, sentence)
	}
	if !strings.HasPrefix(advice, "  hint: ") || !strings.Contains(advice, hint) {
		t.Errorf("advised %q, want a hint with %q", advice, hint)
	}
}

func TestRefusals(t *testing.T) {
	t.Run("DLS-26 F8-G4 the store is full and nothing can be deleted: the authority is not asked", func(t *testing.T) {
		t.Parallel()
		dir := folder(t)
		a := startAuthority(t, filepath.Join(dir, "ca"))
		d := newDevice(t, filepath.Join(dir, "device"))
		d.provision("capacity = 4\n"+connected(a), slices.DeleteFunc(fx17A(), func(e entry) bool { return e.name == "Old" || e.name == "Gone" })...)
		d.start()
		d.refuses(1, `renewal 1 has failed: the store holds 4 certificates that must stay and has room for 4`, "Delete a certificate", d.issuing("Xyz4", "none")...)
		if n := a.asked("PKIOperation"); n != 0 {
			t.Errorf("the authority was asked %d times", n)
		}
		d.holds("Xyz1:tls", "Xyz2:ipsec", "Xyz3:dot1x", "Bought")
	})
	t.Run("F8-S809 an authority that cannot be reached", func(t *testing.T) {
		t.Parallel()
		d, a := lab17A(t)
		a.stop(t)
		d.refuses(1, `renewal 1 has failed: .*127\.0\.0\.1.*`, "Check the server name, port", d.issuing("Xyz4", "tls")...)
		d.refuses(1, `127\.0\.0\.1.*`, "Check the server name, port", "anchor", "fetch")
		d.unharmed()
	})
	t.Run("F8-G11 TIM-37 a wrong password", func(t *testing.T) {
		t.Parallel()
		d, a := lab17A(t)
		wrong := filepath.Join(d.aside, "wrong")
		write(t, wrong, "guess\n")
		args := d.issuing("Xyz4", "tls")
		args[len(args)-1] = wrong
		d.refuses(1, `renewal 1 has failed: the authority refused the request: .*the challenge password is wrong.*`, "Check the password", args...)
		if n := len(a.requests()); n != 1 {
			t.Errorf("the authority was asked %d times", n)
		}
		d.unharmed()
	})
	for _, order := range orders() {
		t.Run("F8-G5 INV-03 an answer for another key, order="+order, func(t *testing.T) {
			t.Parallel()
			d, _ := lab17A(t, "--mischief", "wrong-key")
			d.do("deletion", "set", "--order", order)
			d.refuses(1, `renewal 1 has failed: none of the \d+ certificates in the answer is for the key that was requested`, "nothing was stored", d.issuing("Xyz4", "tls")...)
			if order == "before" { // what was unused went before the authority was asked
				d.holds("Xyz1:tls", "Xyz2:ipsec", "Xyz3:dot1x", "Bought")
				return
			}
			d.unharmed()
		})
	}
	t.Run("F7-G6 trust: thumbprint, confirmation, connection", func(t *testing.T) {
		t.Parallel()
		dir := folder(t)
		a := startAuthority(t, filepath.Join(dir, "ca"))
		d := newDevice(t, filepath.Join(dir, "device"))
		d.provision("", fx17A()...)
		d.start()
		d.refuses(1, `connection "default"`, "connection set", d.issuing("Xyz4", "tls")...)
		d.do("connection", "set", "--url", a.url)
		d.refuses(1, `no CA certificate is held for connection "default"`, "anchor fetch", d.issuing("Xyz4", "tls")...)
		d.refuses(1, `the thumbprint of the CA certificate is [0-9a-f]{64} \(SHA-256\) or [0-9a-f]{40} \(SHA-1\), not 00112233`, "ask the authority for its thumbprint",
			"anchor", "fetch", "--thumbprint", "00:11:22:33")
		if anchors := ask[[]certificate](d, "anchor", "list"); len(anchors) != 0 {
			t.Errorf("after a wrong thumbprint %d certificates are held", len(anchors))
		}
		d.do("anchor", "fetch")
		d.refuses(1, `the CA certificate of connection "default" has not been confirmed`, "anchor confirm", d.issuing("Xyz4", "tls")...)
		if n := a.asked("PKIOperation"); n != 0 {
			t.Errorf("something was sent %d times before the CA certificate was confirmed", n)
		}
		d.do("anchor", "confirm")
		d.do(d.issuing("Xyz4", "tls")...)
	})

	d, _ := lab17A(t)
	for _, tt := range []struct {
		name           string
		args           []string
		code           int
		sentence, hint string
	}{
		{"DM-02 a name that is taken", d.issuing("Xyz2", "tls"), 1, `there is a certificate named "Xyz2" already`, "Choose another name"},
		{"DLS-37 a certificate in use is not deleted by hand", []string{"cert", "delete", "Xyz1"}, 1, `certificate "Xyz1" is in use for TLS`, "--force"},
		{"DEL-19 a pinned one neither", []string{"cert", "delete", "Bought"}, 1, `certificate "Bought" is pinned`, "Unpin"},
		{"F8-G1 no common name", []string{"cert", "issue", "--name", "X", "--subject", "O=ABC"}, 2, `the request names no device.*`, ""},
		{"F8-G1 a bad country", []string{"cert", "issue", "--name", "X", "--subject", "C=Japan,CN=x"}, 2, `the subject's C has 5 characters, at most 2 are allowed`, ""},
		{"ISS-24 a key that SCEP cannot carry", []string{"cert", "issue", "--name", "X", "--subject", "CN=x", "--key", "p256"}, 2, `SCEP cannot carry a key of kind p256`, "rsa-2048"},
		{"no certificate of this name", []string{"cert", "show", "Xyz9"}, 1, `there is no certificate "Xyz9"`, "Xyz"},
		{"F19-G2 nothing to repeat", []string{"update", "run", "Xyz2"}, 1, `certificate "Xyz2" has no issuance request to repeat`, "cert request set"},
		{"an unknown flag", []string{"cert", "issue", "--nam", "X"}, 2, `there is no flag --nam in newleaf cert issue`, "--name"},
		{"an unknown command", []string{"cert", "isue"}, 2, `there is no command "isue" in newleaf cert`, "issue"},
		{"an unknown rule", []string{"deletion", "set", "--rules", "replacd"}, 2, `.*"replacd" is none of .*`, "replaced"},
		{"DEL-14 a threshold above the capacity", []string{"deletion", "set", "--threshold", "99"}, 2, `the threshold 99 is not between 1 and the capacity 8`, ""},
		{"TIM-04 a date that has passed", []string{"reservation", "set", "--at", "2020-01-01T00:00"}, 2, `.*has passed`, "update run"},
		{"two ways of timing", []string{"reservation", "set", "--before", "3d", "--every", "3d"}, 2, `.*`, ""},
		{"a capacity below what is held", []string{"settings", "set", "--capacity", "2"}, 2, `the capacity 2 is below the 6 certificates held`, ""},
		{"a key that stays on the device", []string{"cert", "export", "Xyz1", "--format", "pkcs12", "--passphrase-file", filepath.Join(d.aside, "password")}, 1, `this device does not export private keys`, "allow_export"},
		{"nothing to cancel", []string{"update", "cancel"}, 1, `there is no such renewal`, "update list"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			d.t = t
			refused(t, d.cli(tt.args...), tt.code, tt.sentence, tt.hint)
			d.unharmed()
		})
	}
	t.Run("no agent", func(t *testing.T) {
		refused(t, run(t, "--state", folder(t), "status"), 1, `no agent answers at .*/agent\.sock`, "newleaf serve")
	})
	t.Run("contract exit status 3: there is something to update", func(t *testing.T) {
		d.t = t
		if o := d.cli("update", "run", "--dry-run"); o.code != 3 {
			t.Errorf("exit status %d\n%s", o.code, o.stderr)
		}
		if o := d.cli("status", "--check"); o.code != 0 {
			t.Errorf("exit status %d of a device where nothing is due\n%s", o.code, o.stderr)
		}
	})
	t.Run("TIM-31 a clock that cannot be right is told of", func(t *testing.T) {
		d.t = t
		d.setClock(day("1970-01-01"), false)
		if o := d.cli("status"); o.code != 0 || !strings.Contains(o.stderr, "The clock is in doubt") {
			t.Errorf("status says %d %s", o.code, o.stderr)
		}
		if o := d.cli("doctor"); !strings.Contains(o.stdout, "the clock is in doubt") {
			t.Errorf("the doctor says\n%s", o.stdout)
		}
	})
}

// unharmed checks that the store is as it was provisioned.
func (d *device) unharmed() {
	d.t.Helper()
	d.holds("Xyz1:tls", "Xyz2:ipsec", "Xyz3:dot1x", "Old", "Gone", "Bought")
}
