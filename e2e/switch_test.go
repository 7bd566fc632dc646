package e2e_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestSwitches turns each automatism on and off in all combinations: no other
// one changes with it.
func TestSwitches(t *testing.T) {
	for i := range 8 {
		update, deletion, restart := i&4 > 0, i&2 > 0, i&1 > 0
		t.Run(fmt.Sprintf("VAR-02 update %t, deletion %t, restart %t", update, deletion, restart), func(t *testing.T) {
			t.Parallel()
			count := filepath.Join(folder(t), "restarts")
			d, a := restarting(t, fmt.Sprintf(`["sh", "-c", "echo now >>%s"]`, count))
			restarts := func() int {
				text, err := os.ReadFile(count)
				if err != nil && !os.IsNotExist(err) {
					t.Fatal(err)
				}
				return strings.Count(string(text), "\n")
			}
			d.do(d.issuing("Net", "dot1x", "--apply-deletion=no")...)
			d.restart()
			d.through()
			d.holds("Xyz1:tls", "Xyz2:ipsec", "Xyz3", "Old", "Gone", "Bought", "Net:dot1x")
			d.do("cert", "delete", "Xyz3")
			d.do("deletion", "set", "--auto="+yesNo(deletion))
			d.do("settings", "set", "--auto-restart="+yesNo(restart))
			d.do("reservation", "set", "--every", "30d", "--jitter", "0s", "--safety-net=no", "--only", "Net")
			if !update {
				d.do("reservation", "set", "off")
			}
			d.setClock(time.Now().AddDate(0, 0, 40), true)
			if !update { // then a person does it
				if n := len(d.renewals()); n != 1 {
					t.Errorf("%d renewals although updates are off", n)
				}
				d.do("update", "run", "Net", "--wait", "0s")
			}
			eventually(t, "the new certificate is there", func() bool { return len(a.register()) == 2 })
			if restart {
				eventually(t, "the device restarts by itself", func() bool { return restarts() == 1 })
			} else {
				eventually(t, "a restart is wanted", func() bool { return slices.Equal(d.wantsRestart(), []string{"dot1x"}) })
				d.do("restart")
			}
			d.restart()
			d.through()
			if deletion {
				d.holds("Xyz1:tls", "Xyz2:ipsec", "Bought", "Net-2:dot1x")
			} else {
				d.holds("Xyz1:tls", "Xyz2:ipsec", "Old", "Gone", "Bought", "Net", "Net-2:dot1x")
			}
			if restarts() != 1 {
				t.Errorf("%d restarts", restarts())
			}
		})
	}
	t.Run("VAR-02 nobody on the network while no token is given", func(t *testing.T) {
		t.Parallel()
		d, _ := lab17A(t)
		post := func(token string) int {
			code, _ := d.network("POST", token, "/certificates/Old/pin", `{"pinned": true}`)
			return code
		}
		if code := post("nl_none"); code != 401 {
			t.Errorf("without a token the answer is %d", code)
		}
		token := strings.TrimSpace(d.do("token", "create", "--role", "administrator", "--days", "1"))
		if code := post(token); code != 200 {
			t.Errorf("with a token the answer is %d", code)
		}
		d.do("token", "revoke", ask[[]struct{ ID string }](d, "token", "list")[0].ID)
		if code := post(token); code != 401 {
			t.Errorf("with a revoked token the answer is %d", code)
		}
		d.do(d.issuing("Xyz4", "tls")...) // and the device goes on by itself
		d.holds("Xyz2:ipsec", "Xyz3:dot1x", "Old", "Bought", "Xyz4:tls")
	})
}

func yesNo(on bool) string { return map[bool]string{true: "yes", false: "no"}[on] }

// TestSettingsStay: what is switched off keeps its values.
func TestSettingsStay(t *testing.T) {
	d := newDevice(t, filepath.Join(folder(t), "device"))
	d.provision("", fx17A()...)
	d.start()
	t.Run("DEL-21 automatic deletion off and on again: threshold, rules and order are as before", func(t *testing.T) {
		d.t = t
		d.do("deletion", "set", "--auto=yes", "--threshold", "5", "--rules", "replaced,expired", "--order", "before", "--free", "64KiB",
			"--expired-margin", "48h", "--proof-limit", "2h", "--settle", "3h", "--protect-imported=no", "--only-self=yes", "--as-needed=yes")
		show := func() (map[string]any, bool) {
			values := ask[map[string]any](d, "deletion", "show")
			auto, _ := values["auto"].(bool)
			delete(values, "auto")
			delete(values, "warnings")
			return values, auto
		}
		before, on := show()
		d.do("deletion", "set", "--auto=no")
		during, off := show()
		d.do("deletion", "set", "--auto=yes")
		after, again := show()
		if !on || off || !again {
			t.Errorf("automatic deletion was %t, %t, %t", on, off, again)
		}
		if fmt.Sprint(before) != fmt.Sprint(during) || fmt.Sprint(before) != fmt.Sprint(after) || fmt.Sprint(before["threshold"]) != "5" {
			t.Errorf("the values were\n%v\nthen\n%v\nand at last\n%v", before, during, after)
		}
	})
	t.Run("RST-03 IPsec asks for a restart, unless the settings say otherwise", func(t *testing.T) {
		d.t = t
		need := func() (string, bool) {
			s := ask[struct {
				Purposes    []struct{ Purpose, Need string }
				RestartNeed []string
			}](d, "status")
			for _, p := range s.Purposes {
				if p.Purpose == "ipsec" {
					return p.Need, slices.Contains(s.RestartNeed, "ipsec")
				}
			}
			return "", false
		}
		for _, step := range []struct {
			do     []string
			need   string
			wanted bool
		}{
			{[]string{"status"}, "restart", false},
			{[]string{"cert", "purpose", "Old", "ipsec"}, "restart", true},
			{[]string{"settings", "set", "--need", "ipsec=live"}, "live", false},
			{[]string{"cert", "purpose", "Xyz2", "ipsec"}, "live", false},
			{[]string{"cert", "purpose", "Old", "ipsec"}, "live", false},
			{[]string{"settings", "set", "--need", "none"}, "restart", false},
			{[]string{"cert", "purpose", "Xyz2", "ipsec"}, "restart", true},
		} {
			d.do(step.do...)
			if got, wanted := need(); got != step.need || wanted != step.wanted {
				t.Errorf("after %q IPsec needs %s, a restart is wanted: %t", step.do, got, wanted)
			}
		}
	})
	t.Run("ISS-04 1024 bits are offered, marked weak and can be forbidden", func(t *testing.T) {
		d, _ := lab17A(t)
		own := func(name string) []string {
			return []string{"cert", "generate", "--name", name, "--key", "rsa-1024", "--subject", "CN=x"}
		}
		if help := d.do("cert", "issue", "--help"); !strings.Contains(help, "rsa-1024") {
			t.Error("rsa-1024 is not offered")
		}
		d.do(own("Short")...)
		if !slices.Contains(d.states("Short"), "weak-key") {
			t.Errorf("a short key is %q", d.states("Short"))
		}
		d.do("settings", "set", "--weak-keys=no")
		for _, args := range [][]string{own("Other"), {"cert", "issue", "--name", "X", "--key", "rsa-1024", "--subject", "CN=x"}, {"cert", "request", "set", "Xyz1", "--key", "rsa-1024"}} {
			d.refuses(2, `1024 bit keys are weak and forbidden on this device`, "rsa-2048", args...)
		}
		d.do("cert", "generate", "--name", "Long", "--key", "rsa-2048", "--subject", "CN=x")
		if slices.Contains(d.states("Long"), "weak-key") {
			t.Error("2048 bits are marked weak")
		}
		d.do("settings", "set", "--weak-keys=yes")
		d.do("cert", "delete", "Short")
		d.do(own("Again")...)
	})
}
