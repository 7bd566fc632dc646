package e2e_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// restarting is a lab17A whose restart command is argv.
func restarting(t testing.TB, argv string) (*device, *authority) {
	t.Helper()
	dir := folder(t)
	a := startAuthority(t, filepath.Join(dir, "ca"))
	d := newDevice(t, filepath.Join(dir, "device"))
	d.provision(connected(a), fx17A()...)
	if argv != "" {
		d.config = filepath.Join(dir, "newleaf.toml")
		write(t, d.config, "restart = "+argv+"\n")
	}
	return d.start(), a
}

// wantsRestart lists the purposes that have not read their certificate.
func (d *device) wantsRestart() []string {
	d.t.Helper()
	return ask[struct{ RestartNeed []string }](d, "status").RestartNeed
}

func TestRestart(t *testing.T) {
	t.Run("F4-S427 F9-G1 ORD-08 a first issuance for dot1x waits for the restart that a person asks for", func(t *testing.T) {
		t.Parallel()
		d, _ := restarting(t, "")
		if o := d.cli(d.issuing("Xyz4", "dot1x")...); o.code != 0 || !strings.Contains(o.stderr, "A restart is needed to reflect the settings") {
			t.Fatalf("exit status %d\n%s", o.code, o.stderr)
		}
		if !slices.Equal(d.wantsRestart(), []string{"dot1x"}) {
			t.Errorf("%q want a restart", d.wantsRestart())
		}
		d.holds("Xyz1:tls", "Xyz2:ipsec", "Xyz3", "Old", "Gone", "Bought", "Xyz4:dot1x")
		d.do("restart")
		eventually(t, "the device has restarted in place", func() bool { return strings.Contains(d.log.String(), "restarted https://") })
		d.through()
		d.holds("Xyz1:tls", "Xyz2:ipsec", "Bought", "Xyz4:dot1x")
		if len(d.wantsRestart()) > 0 {
			t.Errorf("%q want a restart", d.wantsRestart())
		}
	})
	t.Run("F9-G2 a restart that cannot be started is told of, and waits on", func(t *testing.T) {
		t.Parallel()
		d, _ := restarting(t, `["sh", "-c", "echo not today; exit 1"]`)
		d.do(d.issuing("Xyz4", "dot1x")...)
		d.refuses(1, `the command sh failed: .*not today`, "", "restart")
		if !slices.Equal(d.wantsRestart(), []string{"dot1x"}) {
			t.Errorf("%q want a restart", d.wantsRestart())
		}
		d.restart()
		d.through()
		d.holds("Xyz1:tls", "Xyz2:ipsec", "Bought", "Xyz4:dot1x")
	})
	t.Run("RST-02 RST-04 RST-05 an update restarts by itself, once, and for what needs it only", func(t *testing.T) {
		t.Parallel()
		count := filepath.Join(folder(t), "restarts")
		restarts := func() int {
			text, err := os.ReadFile(count)
			if err != nil && !os.IsNotExist(err) {
				t.Fatal(err)
			}
			return strings.Count(string(text), "\n")
		}
		d, _ := restarting(t, fmt.Sprintf(`["sh", "-c", "echo now >>%s"]`, count))
		d.do(d.issuing("Web", "tls")...)
		d.do("update", "run", "Web")
		if restarts() != 0 {
			t.Errorf("%d restarts for TLS", restarts())
		}
		d.do(d.issuing("Net", "dot1x,tls", "--subject", "CN=Device002")...)
		d.restart()
		d.through()
		if restarts() != 0 {
			t.Errorf("%d restarts for a first issuance", restarts())
		}
		d.do("update", "run", "Net", "--wait", "0s")
		eventually(t, "the device restarts", func() bool { return restarts() == 1 })
		d.restart()
		d.through()
		d.holds("Xyz2:ipsec", "Bought", "Net-2:dot1x,tls")
		if restarts() != 1 {
			t.Errorf("%d restarts for one update", restarts())
		}
	})
}
