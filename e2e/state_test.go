package e2e_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// states are the words that hold of a certificate.
func (d *device) states(name string) []string {
	d.t.Helper()
	return ask[struct{ States []string }](d, "cert", "show", name).States
}

func (d *device) is(name string, want ...string) {
	d.t.Helper()
	if got := d.states(name); !slices.Equal(got, want) {
		d.t.Errorf("%s is %q, want %q", name, got, want)
	}
}

// TestStates brings certificates into each state there is.
func TestStates(t *testing.T) {
	t.Run("DM-33 validity and pin, and the clock goes on", func(t *testing.T) {
		t.Parallel()
		d := newDevice(t, filepath.Join(folder(t), "device"))
		d.provision("", append(fx17A(), entry{name: "Early", origin: "imported", from: time.Now().AddDate(0, 1, 0), to: time.Now().AddDate(1, 0, 0)})...)
		d.start()
		d.is("Old", "valid", "weak-key")
		d.is("Gone", "expired", "weak-key")
		d.is("Early", "not-yet-valid", "weak-key")
		d.is("Bought", "valid", "pinned", "weak-key")
		d.do("cert", "unpin", "Bought")
		d.is("Bought", "valid", "weak-key")
		d.setClock(time.Now().AddDate(0, 2, 0), true)
		d.is("Early", "valid", "weak-key")
		d.setClock(time.Now().AddDate(2, 0, 0), true)
		d.is("Early", "expired", "weak-key")
		d.do("cert", "generate", "--name", "Own", "--key", "rsa-2048", "--subject", "CN=x")
		d.is("Own", "valid", "self-signed")
		for _, c := range ask[[]struct {
			Name   string
			States []string
		}](d, "cert", "list") {
			if !slices.Equal(c.States, d.states(c.Name)) {
				t.Errorf("the list says %q of %s", c.States, c.Name)
			}
		}
	})
	t.Run("DM-33 bound, loaded, waiting for a restart, on trial, and loaded at last", func(t *testing.T) {
		t.Parallel()
		d, _ := restarting(t, "")
		d.is("Xyz3", "valid", "bound", "loaded", "weak-key")
		d.do(d.issuing("Xyz4", "dot1x")...)
		d.is("Xyz3", "valid", "loaded", "weak-key")
		d.is("Xyz4", "valid", "bound", "on-trial", "waiting-for-load", "pending", "weak-key")
		if !d.named("Xyz3").InUse {
			t.Error("what is loaded still is not in use")
		}
		d.do("deletion", "set", "--settle", "1d")
		d.restart()
		d.through()
		d.is("Xyz4", "valid", "bound", "loaded", "weak-key")
	})
	t.Run("DM-33 rejected, and previous during a settle time", func(t *testing.T) {
		t.Parallel()
		d, _ := lab17A(t)
		d.stop(t)
		broken := filepath.Join(d.aside, "broken")
		d.config = filepath.Join(d.aside, "newleaf.toml")
		write(t, d.config, "[[target]]\npurpose = \"tls:portal\"\nproof = [\"sh\", \"-c\", \"! test -e "+broken+"\"]\nreload = [\"true\"]\n")
		d.start()
		d.do("deletion", "set", "--settle", "1d")
		d.do(d.issuing("First", "tls:portal")...)
		d.is("First", "valid", "bound", "loaded", "weak-key")
		write(t, broken, "")
		d.cli(d.issuing("Second", "tls:portal", "--wait", "5s")...)
		eventually(t, "the program refuses the certificate", func() bool { return slices.Contains(d.states("Second"), "rejected") })
		d.is("First", "valid", "bound", "loaded", "weak-key")
		if err := os.Remove(broken); err != nil {
			t.Fatal(err)
		}
		d.do("update", "retry")
		d.through()
		d.is("Second", "valid", "bound", "loaded", "weak-key")
		d.is("First", "valid", "previous", "weak-key")
	})
}

// TestTimes reads when things happened to a certificate and what it came from.
func TestTimes(t *testing.T) {
	type detail struct {
		certificate
		Added, Updated time.Time
		Predecessor    string
		Connection     string
	}
	type bound struct {
		Purposes []struct {
			Purpose, Certificate string
			Since                time.Time
		}
	}
	d, _ := lab17A(t)
	d.do("deletion", "set", "--auto=no")
	since := func(purpose string) (id string, at time.Time) {
		for _, p := range ask[bound](d, "status").Purposes {
			if p.Purpose == purpose {
				return p.Certificate, p.Since
			}
		}
		t.Fatalf("status does not show %s", purpose)
		return "", at
	}
	near := func(what string, got, want time.Time) {
		t.Helper()
		if got.Sub(want).Abs() > time.Hour {
			t.Errorf("%s: %s, want %s", what, got, want)
		}
	}
	first, second, third := time.Now().AddDate(0, 0, 10), time.Now().AddDate(0, 0, 20), time.Now().AddDate(0, 0, 30)
	d.setClock(first, true)
	d.do(d.issuing("Web", "tls")...)
	d.setClock(second, true)
	d.do("update", "run", "Web")
	d.setClock(third, true)
	thumbprint := d.named("Old").SHA256
	d.do("cert", "purpose", "Old", "ipsec")
	web, next := ask[detail](d, "cert", "show", "Web"), ask[detail](d, "cert", "show", "Web-2")
	t.Run("DM-31 when stored, when last updated", func(t *testing.T) {
		near("Web was stored", web.Added, first)
		near("Web was updated", web.Updated, first)
		near("Web-2 was stored", next.Added, second)
		near("Web-2 was updated", next.Updated, second)
	})
	t.Run("DM-31 when bound, by a walk and by hand, across a restart", func(t *testing.T) {
		check := func() {
			id, at := since("tls")
			if near("tls was bound", at, second); id != next.ID {
				t.Errorf("tls is bound to %.8s", id)
			}
			id, at = since("ipsec")
			if near("ipsec was bound", at, third); id != d.named("Old").ID {
				t.Errorf("ipsec is bound to %.8s", id)
			}
		}
		check()
		d.restart()
		check()
	})
	t.Run("DM-32 which certificate replaced which", func(t *testing.T) {
		if next.Predecessor != web.ID || web.Predecessor != "" {
			t.Errorf("Web-2 replaced %.8q, Web replaced %.8q", next.Predecessor, web.Predecessor)
		}
		d.do("cert", "delete", "Web")
		if again := ask[detail](d, "cert", "show", "Web-2"); again.Predecessor != web.ID {
			t.Errorf("once Web is gone, Web-2 replaced %.8q", again.Predecessor)
		}
	})
	t.Run("DM-08 a purpose is a setting: no byte of the certificate changes", func(t *testing.T) {
		old := d.named("Old")
		if old.SHA256 != thumbprint || !slices.Equal(old.Purposes, []string{"ipsec"}) {
			t.Errorf("Old is %.8s for %q", old.SHA256, old.Purposes)
		}
		text := d.do("cert", "export", "Old", "--format", "der")
		for _, purposes := range []string{"ipsec,dot1x,tls", "tls:portal", "none"} {
			d.do("cert", "purpose", "Old", purposes)
			if c := d.named("Old"); c.ID != old.ID || c.Serial != old.Serial || c.SHA1 != old.SHA1 || d.do("cert", "export", "Old", "--format", "der") != text {
				t.Errorf("with the purposes %s it is another certificate", purposes)
			}
			got := d.named("Old").Purposes
			want := strings.Split(strings.Replace(purposes, "none", "", 1), ",")
			slices.Sort(got)
			slices.Sort(want)
			if purposes == "none" {
				want = want[:0]
			}
			if !slices.Equal(got, want) {
				t.Errorf("the purposes are %q, want %q", got, want)
			}
		}
	})
}
