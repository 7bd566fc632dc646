package e2e_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// bare is an empty root with nothing but the program and the state of a device.
func bare(t *testing.T) string {
	t.Helper()
	if os.Getuid() != 0 {
		missing(t, "changing the root folder needs root")
	}
	root := folder(t)
	program, err := exec.LookPath("newleaf")
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(program)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(root, "newleaf"), text, 0o700); err != nil {
		t.Fatal(err)
	}
	return root
}

// inside is a command in the root, with no environment.
func inside(root string, args ...string) *exec.Cmd {
	return &exec.Cmd{Path: "/newleaf", Args: append([]string{"newleaf"}, args...), Dir: "/", Env: []string{},
		SysProcAttr: &syscall.SysProcAttr{Chroot: root, Pdeathsig: syscall.SIGKILL}}
}

func TestZoneData(t *testing.T) {
	t.Run("TIM-24 in an empty root the program knows the zones of the world", func(t *testing.T) {
		root := bare(t)
		d := newDevice(t, filepath.Join(root, "state"))
		d.provision("zone = \"UTC\"", entry{name: "Web", origin: "enrolled", purposes: "tls", request: true, from: day("2026-01-01"), to: day("2027-04-05")})
		write(t, filepath.Join(root, "lab.toml"), "trusted = true\nnow = 2027-01-01T00:00:00Z\n")
		agent := inside(root, "serve", "--state", "/state", "--listen", "127.0.0.1:0", "--lab", "/lab.toml")
		stderr, ready := &record{}, &record{}
		agent.Stdout, agent.Stderr = ready, stderr
		if err := agent.Start(); err != nil {
			missing(t, "a program cannot be started in another root here: "+err.Error())
		}
		ended := make(chan struct{})
		go func() { _ = agent.Wait(); close(ended) }() // the state tells
		t.Cleanup(func() {
			_ = agent.Process.Kill()
			<-ended
		})
		eventually(t, "the agent serves in an empty root", func() bool {
			select {
			case <-ended:
				t.Fatalf("the agent ended: %v\n%s", agent.ProcessState, stderr)
			default:
			}
			return strings.Contains(ready.String(), "ready ")
		})
		for zone, want := range map[string]string{
			"Asia/Tokyo": "2027-01-30T18:00:00Z", "America/New_York": "2027-01-31T08:00:00Z", "Asia/Kathmandu": "2027-01-30T21:15:00Z", "UTC": "2027-01-31T03:00:00Z",
		} {
			out, err := inside(root, "--state", "/state", "reservation", "plan", "--from", "2027-01-01T00:00:00Z", "--monthly", "31", "--zone", zone, "--count", "1", "--safety-net=no", "-o", "json").Output()
			if err != nil {
				t.Errorf("%s: %v\n%s", zone, err, stderr)
				continue
			}
			rows := decode[[]struct{ At time.Time }](t, string(out))
			if len(rows) != 1 || rows[0].At.Format(time.RFC3339) != want {
				t.Errorf("in %s the plan is %s, want %s", zone, out, want)
			}
		}
		if out, err := inside(root, "--state", "/state", "reservation", "plan", "--monthly", "31", "--zone", "Asia/Nowhere").CombinedOutput(); err == nil || !strings.Contains(string(out), "there is no time zone") {
			t.Errorf("a zone that does not exist: %v\n%s", err, out)
		}
		entries, err := os.ReadDir(root)
		if err != nil {
			t.Fatal(err)
		}
		var names []string
		for _, e := range entries {
			names = append(names, e.Name())
		}
		if !slices.Equal(names, []string{"lab.toml", "newleaf", "state"}) {
			t.Errorf("the root is not empty: %q", names)
		}
	})
}

func TestZoneChange(t *testing.T) {
	type row struct {
		At string
	}
	for _, tt := range []struct {
		name          string
		set           []string
		berlin, tokyo string // of the next update, as saved in the one zone and in the other
	}{
		{"TIM-25 every month, at a time of day", []string{"--monthly", "15", "--time", "03:00"}, "2027-01-15T02:00:00Z", "2027-01-14T18:00:00Z"},
		{"TIM-25 every year, at a time of day", []string{"--yearly", "02-01", "--time", "03:00"}, "2027-02-01T02:00:00Z", "2027-01-31T18:00:00Z"},
		{"TIM-25 on a date", []string{"--at", "2027-03-01T04:00"}, "2027-03-01T03:00:00Z", "2027-02-28T19:00:00Z"},
		{"TIM-25 a period before the end has no zone", []string{"--before", "14d"}, "2027-03-22T00:00:00Z", "2027-03-22T00:00:00Z"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			d := newDevice(t, filepath.Join(folder(t), "device"))
			d.provision("zone = \"Europe/Berlin\"", entry{name: "Web", origin: "enrolled", purposes: "tls", request: true, from: day("2026-01-01"), to: day("2027-04-05")})
			d.start()
			d.setClock(day("2027-01-01"), true)
			next := func(want, zone string) {
				t.Helper()
				got := ask[struct {
					Zone string
					Next []row
				}](d, "reservation", "show")
				if len(got.Next) != 1 || got.Next[0].At != want || got.Zone != zone {
					t.Errorf("next is %+v, want %s in %s", got, want, zone)
				}
			}
			set := func(more ...string) {
				d.do(append(append([]string{"reservation", "set", "--jitter", "0s", "--safety-net=no"}, tt.set...), more...)...)
			}
			set()
			next(tt.berlin, "Europe/Berlin")
			d.do("settings", "set", "--zone", "Asia/Tokyo")
			next(tt.berlin, "Europe/Berlin")
			d.restart()
			next(tt.berlin, "Europe/Berlin")
			if zone := ask[struct{ Zone string }](d, "status").Zone; zone != "Asia/Tokyo" {
				t.Errorf("the device's zone is %s", zone) // beside the reservation's own: both are shown
			}
			d.do("reservation", "set", "--jitter", "10m") // says nothing of the timing
			next(tt.berlin, "Europe/Berlin")
			set("--zone", "Asia/Tokyo")
			next(tt.tokyo, "Asia/Tokyo")
		})
	}
}
