package e2e_test

import (
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os/user"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// recorded is an event with all that a reader of the journal needs.
type recorded struct {
	event
	At time.Time
	By string
}

// journal lists the events of a kind, oldest first.
func (d *device) journal(kind string) []recorded {
	d.t.Helper()
	return slices.DeleteFunc(ask[[]recorded](d, "events"), func(e recorded) bool { return e.Kind != kind })
}

// tells is the only event of a kind that holds; it has to be there.
func (d *device) tells(kind string, holds func(recorded) bool) recorded {
	d.t.Helper()
	found := slices.DeleteFunc(d.journal(kind), func(e recorded) bool { return !holds(e) })
	if len(found) != 1 {
		d.t.Fatalf("%d events %q fit, want one, of %+v", len(found), kind, d.journal(kind))
	}
	return found[0]
}

// network is the answer of the API over HTTPS to the bearer of a token.
func (d *device) network(method, token, path, body string) (status int, answer string) {
	d.t.Helper()
	client := &http.Client{Timeout: patience, Transport: &http.Transport{DisableKeepAlives: true, TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}}
	r, err := http.NewRequest(method, "https://"+d.address+"/api/v1"+path, strings.NewReader(body))
	if err != nil {
		d.t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+token)
	r.Header.Set("Content-Type", "application/json")
	w, err := client.Do(r)
	if err != nil {
		d.t.Fatal(err)
	}
	defer w.Body.Close()
	text, err := io.ReadAll(w.Body)
	if err != nil {
		d.t.Fatal(err)
	}
	return w.StatusCode, string(text)
}

// me is how the journal calls whoever runs the tests.
func me(t testing.TB) string {
	t.Helper()
	u, err := user.Current()
	if err != nil {
		t.Fatal(err)
	}
	return u.Username
}

// TestRecord goes through a device's life once and reads what the journal keeps
// of it.
func TestRecord(t *testing.T) {
	dir := folder(t)
	a := startAuthority(t, filepath.Join(dir, "ca"))
	d := newDevice(t, filepath.Join(dir, "device"))
	d.provision(connected(a), fx17A()...)
	d.config = filepath.Join(dir, "newleaf.toml")
	write(t, d.config, "restart = [\"true\"]\n")
	d.start()
	before := map[string]certificate{}
	for _, c := range d.certificates() {
		before[c.Name] = c
	}

	d.do("settings", "set", "--zone", "Europe/Berlin")
	token := strings.TrimSpace(d.do("token", "create", "--role", "administrator", "--days", "1", "--name", "ci"))
	if code, text := d.network("POST", token, "/certificates/"+before["Old"].ID+"/pin", `{"pinned": true}`); code >= 300 {
		t.Fatalf("pinning over the network: %d %s", code, text)
	}
	d.do("cert", "unpin", "Old")
	a.post("mischief", `{"mischief": ["wrong-key"]}`)
	d.refuses(1, `none of the \d+ certificates in the answer`, "nothing was stored", d.issuing("Xyz4", "tls")...)
	a.post("mischief", `{"mischief": ["refuse"]}`)
	d.refuses(1, `the authority refused the request`, "", d.issuing("Xyz4", "tls")...)
	a.post("mischief", `{"mischief": []}`)
	d.do(d.issuing("Xyz4", "tls")...)
	d.holds("Xyz2:ipsec", "Xyz3:dot1x", "Bought", "Xyz4:tls")
	first := d.named("Xyz4")
	d.do("cert", "purpose", "Bought", "ipsec")
	d.do("cert", "delete", "Xyz2", "--force")
	d.do("reservation", "set", "--every", "30d", "--jitter", "0s", "--only", first.ID)
	d.setClock(time.Now().AddDate(0, 0, 40), true)
	eventually(t, "the update by reservation is through", func() bool { rs := d.renewals(); return len(rs) == 4 && !rs[3].open() })
	d.do("restart")
	second := d.named("Xyz4-2")
	walk := d.renewals()

	at := func(t *testing.T) { d.t = t }
	actor := func(t *testing.T, e recorded, by string) {
		t.Helper()
		if e.By != by || e.At.IsZero() || e.Text == "" {
			t.Errorf("%s by %q, want %q: %+v", e.Kind, e.By, by, e)
		}
	}
	t.Run("ENT-28 an acquisition: certificate, thumbprint, renewal, who asked", func(t *testing.T) {
		at(t)
		for _, tt := range []struct {
			c       certificate
			renewal renewal
			by      string
		}{{first, walk[2], me(t)}, {second, walk[3], "reservation"}} {
			e := d.tells("acquired", func(e recorded) bool { return e.Certificate == tt.c.ID })
			actor(t, e, tt.by)
			if e.Renewal != tt.renewal.ID || e.Data["sha256"] != tt.c.SHA256 || e.Data["sha1"] != tt.c.SHA1 || e.Data["serial"] != tt.c.Serial {
				t.Errorf("the event says %+v, the certificate is %+v", e, tt.c)
			}
			for _, kind := range []string{"renewal-started", "proven", "renewal-done"} {
				actor(t, d.tells(kind, func(e recorded) bool { return e.Renewal == tt.renewal.ID }), tt.by)
			}
		}
	})
	t.Run("ENT-28 a binding: by a walk, and by hand", func(t *testing.T) {
		at(t)
		e := d.tells("bound", func(e recorded) bool { return e.Renewal == walk[2].ID })
		actor(t, e, me(t))
		if e.Certificate != first.ID || !strings.Contains(e.Text, "TLS") {
			t.Errorf("the event says %+v", e)
		}
		e = d.tells("bound", func(e recorded) bool { return e.Certificate == before["Bought"].ID })
		actor(t, e, me(t))
		if !strings.Contains(e.Text, "IPSEC") || e.Renewal != 0 {
			t.Errorf("the event says %+v", e)
		}
	})
	t.Run("ENT-28 DLS-33 a deletion: all that identifies the certificate, the rules, the renewal, who asked", func(t *testing.T) {
		at(t)
		for name, want := range map[string]struct{ rule, rules string }{
			"Xyz1": {"replaced", "replaced"}, "Old": {"no-purpose", "no-purpose"}, "Gone": {"no-purpose", "no-purpose,expired"}, "Xyz2": {"", ""}, // by hand
		} {
			was := before[name]
			e := d.tells("deleted", func(e recorded) bool { return e.Certificate == was.ID })
			actor(t, e, me(t))
			got := maps.Clone(e.Data)
			delete(got, "issuer") // the tests' list has none; below
			delete(got, "certificate")
			if got["used"] != map[bool]string{name == "Xyz2": "IPSEC"}[true] {
				t.Errorf("%s was in use for %q, says the event", name, got["used"])
			}
			delete(got, "used")
			maps.DeleteFunc(got, func(_, v string) bool { return v == "" })
			wanted := map[string]string{"name": name, "subject": was.Subject, "serial": was.Serial, "sha1": was.SHA1, "sha256": was.SHA256,
				"origin": "enrolled", "notBefore": was.NotBefore.UTC().Format(time.RFC3339), "notAfter": was.NotAfter.UTC().Format(time.RFC3339),
				"rule": want.rule, "rules": want.rules}
			maps.DeleteFunc(wanted, func(_, v string) bool { return v == "" })
			if !maps.Equal(got, wanted) {
				t.Errorf("of %s the event says\n%v\nwant\n%v", name, got, wanted)
			}
			if !strings.Contains(e.Data["issuer"], "CN=CA01") {
				t.Errorf("of %s the issuer is %q", name, e.Data["issuer"])
			}
			if block, _ := pem.Decode([]byte(e.Data["certificate"])); block == nil || shaOf(block.Bytes) != was.SHA256 {
				t.Errorf("of %s the event does not hold the certificate", name)
			}
			if run := walk[2].ID; want.rule != "" && e.Renewal != run || want.rule == "" && e.Renewal != 0 {
				t.Errorf("%s went in renewal %d", name, e.Renewal)
			}
		}
	})
	t.Run("ENT-28 what was spared: rules and reason", func(t *testing.T) {
		at(t)
		e := d.tells("spared", func(e recorded) bool { return e.Certificate == before["Bought"].ID && e.Renewal == walk[2].ID })
		actor(t, e, me(t))
		if e.Data["reason"] != "pinned" || e.Data["rules"] != "no-purpose" {
			t.Errorf("the event says %+v", e)
		}
	})
	t.Run("ENT-28 refusals: a bad answer with its certificate, a request that was turned down", func(t *testing.T) {
		at(t)
		e := d.tells("answer-refused", func(e recorded) bool { return e.Renewal == walk[0].ID })
		actor(t, e, me(t))
		block, _ := pem.Decode([]byte(e.Data["certificate0"]))
		if block == nil || !slices.ContainsFunc(a.register(), func(i issued) bool { return i.SHA256 == shaOf(block.Bytes) }) {
			t.Errorf("the event does not hold what the authority answered: %+v", e)
		}
		for _, r := range walk[:2] {
			actor(t, d.tells("renewal-failed", func(e recorded) bool { return e.Renewal == r.ID }), me(t))
		}
	})
	t.Run("ENT-28 a restart that was asked for", func(t *testing.T) {
		at(t)
		actor(t, d.tells("restart", func(recorded) bool { return true }), me(t))
	})
	t.Run("ENT-28 settings: before, after, and a program by its token", func(t *testing.T) {
		at(t)
		e := d.tells("settings", func(e recorded) bool {
			return strings.Contains(e.Data["after"], `"zone":"Europe/Berlin"`) && strings.Contains(e.Text, "the settings")
		})
		actor(t, e, me(t))
		if strings.Contains(e.Data["before"], "Berlin") {
			t.Errorf("before is %s", e.Data["before"])
		}
		actor(t, d.tells("settings", func(e recorded) bool { return strings.Contains(e.Text, "reservation") }), me(t))
		actor(t, d.tells("pinned", func(recorded) bool { return true }), "token:ci")
		actor(t, d.tells("unpinned", func(recorded) bool { return true }), me(t))
	})
	t.Run("ENT-28 no two of a kind for one thing, and the chain holds", func(t *testing.T) {
		at(t)
		d.healthy()
		if n := len(d.journal("deleted")); n != 5 { // the four above, and Xyz4 by its update
			t.Errorf("%d deletions are told of", n)
		}
	})
	t.Run("DLS-35 deletion is not revocation: the authority hears nothing of it", func(t *testing.T) {
		at(t)
		list, err := x509.ParseRevocationList([]byte(a.get("crl")))
		if err != nil {
			t.Fatal(err)
		}
		if len(list.RevokedCertificateEntries) > 0 {
			t.Errorf("revoked are %+v", list.RevokedCertificateEntries)
		}
		var asked []string
		for _, x := range decode[[]struct{ Operation string }](t, a.get("exchanges")) {
			asked = append(asked, x.Operation)
		}
		slices.Sort(asked)
		if got := slices.Compact(asked); !slices.Equal(got, []string{"GetCACaps", "GetCACert", "PKIOperation"}) {
			t.Errorf("the authority was asked for %q", got)
		}
		if n := a.asked("PKIOperation"); n != len(walk) {
			t.Errorf("%d messages for %d renewals", n, len(walk))
		}
		a.post("revoke", fmt.Sprintf(`{"serial": %q}`, second.Serial)) // a revocation would be seen
		if list, err = x509.ParseRevocationList([]byte(a.get("crl"))); err != nil || len(list.RevokedCertificateEntries) != 1 {
			t.Errorf("after a revocation the list has %+v, %v", list, err)
		}
	})
}

func shaOf(der []byte) string {
	sum := sha256.Sum256(der)
	return hex.EncodeToString(sum[:])
}
