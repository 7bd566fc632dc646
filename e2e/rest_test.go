package e2e_test

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"testing"
	"time"
)

// toll is what a process has cost so far.
type toll struct {
	written  int // bytes given to write calls, to files, sockets and pipes
	wakes    int // times that a thread of it gave up the processor of itself
	cpuTicks int // hundredths of a second
}

var (
	writtenForm = regexp.MustCompile(`wchar: (\d+)`)
	wakesForm   = regexp.MustCompile(`\nvoluntary_ctxt_switches:\s+(\d+)`)
	cpuForm     = regexp.MustCompile(`\) \S(?: \S+){10} (\d+) (\d+) `)
)

// toll reads it from /proc.
func (p *process) toll(t testing.TB) (sum toll) {
	t.Helper()
	proc := fmt.Sprintf("/proc/%d/", p.cmd.Process.Pid)
	add := func(to *int, file string, form *regexp.Regexp) {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		groups := form.FindStringSubmatch(string(text))
		if groups == nil {
			t.Fatalf("%s has no %s\n%s", file, form, text)
		}
		for _, g := range groups[1:] {
			n, err := strconv.Atoi(g)
			if err != nil {
				t.Fatal(err)
			}
			*to += n
		}
	}
	add(&sum.written, proc+"io", writtenForm)
	add(&sum.cpuTicks, proc+"stat", cpuForm)
	threads, err := filepath.Glob(proc + "task/*/status")
	if err != nil || len(threads) == 0 {
		t.Fatalf("no threads in %s: %v", proc, err)
	}
	for _, file := range threads {
		add(&sum.wakes, file, wakesForm)
	}
	return sum
}

// TestRest counts what a device costs that has nothing to do, and lets it find
// out that there is something after all.
func TestRest(t *testing.T) {
	t.Run("F19-G1 a device at rest writes nothing and hardly wakes", func(t *testing.T) {
		t.Parallel()
		dir := folder(t)
		newPair(t, nil, "Birth", time.Now().AddDate(-1, 0, 0), time.Now().AddDate(9, 0, 0)).save(t, filepath.Join(dir, "birth"))
		file := filepath.Join(dir, "provision.toml")
		write(t, file, "[reservation]\nbefore = \"14d\"\n[deletion]\nauto = true\nrules = [\"expired\"]\n"+
			"[[certificate]]\nname = \"Birth\"\ncert = \"birth.pem\"\nkey = \"birth.key\"\norigin = \"factory\"\npurposes = \"tls\"\n")
		must(t, "newleaf", "provision", "--state", filepath.Join(dir, "state"), file)
		p := launch(t, "newleaf", "serve", "--state", filepath.Join(dir, "state"), "--listen", "127.0.0.1:0") // no lab: its file is read every second
		p.serving(t)
		before := p.toll(t)
		eventually(t, "the device has come to rest", func() bool {
			time.Sleep(time.Second)
			last := before
			before = p.toll(t)
			return before.written == last.written
		})
		const seconds = 10
		time.Sleep(seconds * time.Second) // this is measured
		after := p.toll(t)
		t.Logf("in %d s: %d bytes, %d wake-ups, %d ticks", seconds, after.written-before.written, after.wakes-before.wakes, after.cpuTicks-before.cpuTicks)
		if n := after.written - before.written; n > 0 {
			t.Errorf("%d bytes were written in %d s of rest", n, seconds)
		}
		if n := after.wakes - before.wakes; n > 5*seconds {
			t.Errorf("%d wake-ups in %d s of rest", n, seconds)
		}
		if n := after.cpuTicks - before.cpuTicks; n > 5*seconds {
			t.Errorf("%d hundredths of a second of work in %d s of rest", n, seconds)
		}
	})
	t.Run("F19-G1 the clock jumps forty days ahead: the device reacts of itself", func(t *testing.T) {
		t.Parallel()
		d, a := lab17A(t)
		d.do(d.issuing("Web", "tls")...)
		d.do("reservation", "set", "--every", "30d", "--jitter", "0s", "--safety-net=no", "--only", "Web")
		// Nobody asks the agent anything until the authority has heard of it.
		d.lab("now = "+time.Now().AddDate(0, 0, 40).UTC().Format(time.RFC3339), "trusted = true")
		eventually(t, "the authority is asked", func() bool { return len(a.register()) == 2 })
		d.through()
		d.holds("Xyz2:ipsec", "Xyz3:dot1x", "Bought", "Web-2:tls")
	})
}
