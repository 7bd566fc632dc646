package e2e_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"newleaf/internal/agent"
)

// orders are all values of "deletion set --order".
func orders() []string { return []string{"after", "on-response", "before"} }

// TestKill kills the agent at every point of a walk, in every order of deletion.
// The next start has to end where a run without a kill ends.
func TestKill(t *testing.T) {
	gate := make(chan struct{}, 3)
	passed := map[string]int{}
	for _, s := range []scene{issueScene(), updateScene(), refusedScene()} {
		for _, order := range orders() {
			st := s.build(t, order)
			want := st.undisturbed(t)
			for _, point := range agent.Points() {
				if !st.passes(point.Name) {
					continue
				}
				passed[order]++
				t.Run(fmt.Sprintf("F8-G8 F19-G5 INV-02 INV-09 %s killed at %s order=%s", s.name, point.Name, order), func(t *testing.T) {
					t.Parallel()
					gate <- struct{}{}
					defer func() { <-gate }()
					st.killedAt(t, point.Name, want)
				})
			}
		}
	}
	for _, order := range orders() {
		if passed[order] < 25 {
			t.Errorf("order %s: only %d kills", order, passed[order])
		}
	}
}

// passes tells which points the scene reaches in this order. One that it is said
// to reach and does not fails the test.
func (s stage) passes(point string) bool {
	only := map[string]string{"room.judged": "before", "room.cleared": "before", "request.cleared": "on-response"}
	if s.putsOff(point) && s.name == "refused" {
		return false
	}
	return !slices.Contains(s.never, point) && (only[point] == "" || only[point] == s.order)
}

// putsOff reports that a kill at point comes between the decision to delete early
// and the deletion. That then waits for the end of the walk, which one whose
// certificate is refused does not reach.
func (s stage) putsOff(point string) bool {
	decided := map[string]string{"before": "room.judged", "on-response": "request.staged"}[s.order]
	return decided != "" && (point == decided || point == "destroy.begun")
}

// undisturbed is how the scene ends without a kill.
func (s stage) undisturbed(t *testing.T) ending {
	t.Helper()
	p := s.open(t, "")
	p.d.do(p.begin(p.d)...)
	e := p.finish()
	p.d.holds(s.ends[s.order]...)
	p.retired()
	p.d.stop(t)
	p.a.stop(t)
	return e
}

func (s stage) killedAt(t *testing.T, point string, want ending) {
	p := s.open(t, point)
	p.d.cli(p.begin(p.d)...) // the answer may die with the agent
	eventually(t, "the agent kills itself at "+point, func() bool { p.restartWanted(); return !p.d.running() })
	if !p.d.killed() {
		t.Fatalf("the agent ended with %v\n%s", p.d.cmd.ProcessState, p.d.log)
	}
	p.d.lab("trusted = true")
	p.d.start()
	p.observe()
	p.usable()
	got := p.finish()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("other than without the kill:\n%s", diff)
	}
	p.usable()
	p.retired()
	p.d.healthy()
	p.forgot(want)
	if n := len(p.a.register()) - p.before; n != 1 {
		t.Errorf("the authority issued %d certificates for one need", n)
	}
	p.chronicle(point)
	p.early(point)
}

// forgot checks that what was deleted cannot be found any more.
func (p *play) forgot(want ending) {
	p.t.Helper()
	for _, d := range want.Deleted {
		name, _, _ := strings.Cut(d, " ")
		if o := p.d.cli("cert", "show", name); o.code != 1 || !strings.Contains(o.stderr, "there is no certificate") {
			p.t.Errorf("%s was deleted, and cert show says %d: %s%s", name, o.code, o.stdout, o.stderr)
		}
	}
}

// chronicle checks what the journal tells: one start without a stop before it,
// up to there exactly the steps that were stored by the point of the kill, and
// no deletion of what was in use before the proof.
func (p *play) chronicle(point string) {
	p.t.Helper()
	last, proven, stopped, crashes := "", false, true, 0
	for _, e := range p.d.events() {
		switch e.Kind {
		case "agent-stopped":
			stopped = true
		case "agent-started":
			if !stopped {
				if crashes++; last != p.storedBy(point) {
					p.t.Errorf("before the kill the last step stored was %q, want %q", last, p.storedBy(point))
				}
			}
			stopped = false
		case "renewal-started":
			last, proven = "", false // of an earlier renewal
		case "step":
			last = e.Data["step"]
		case "proven":
			proven = true
		case "deleted":
			if e.Data["name"] == p.replaced && !proven {
				p.t.Errorf("%s was deleted before its successor was proven", p.replaced)
			}
		}
	}
	if crashes != 1 {
		p.t.Errorf("the journal shows %d crashes", crashes)
	}
}

// early checks that in the orders that delete early the unused ones went before
// the new certificate was kept (ORD-02, ORD-03), and in the other one not before
// it was proven (ORD-01).
func (p *play) early(point string) {
	p.t.Helper()
	moment := map[string]string{"after": "proven", "on-response": "acquired", "before": "acquired"}[p.order]
	passed := false
	for _, e := range p.d.events() {
		passed = e.Kind != "renewal-started" && (passed || e.Kind == moment)
		if e.Kind == "deleted" && e.Data["name"] == "Old" && passed != (p.order == "after" || p.putsOff(point)) {
			p.t.Errorf("Old was deleted %s the new certificate was %s", map[bool]string{true: "after", false: "before"}[passed], moment)
		}
	}
}

// storedBy is the last step of which the journal knows at a point: each is
// stored by one transaction, of which the points tell before or after.
func (p *play) storedBy(point string) string {
	if moment, found := strings.CutPrefix(point, "destroy."); found {
		step := p.destroys[p.order]
		if point = step; moment != "begun" || step == "room" || step == "request" {
			point = step + ".done" // these two are stored before anything is destroyed
		}
	}
	stored := map[string]string{
		"room.judged": "room", "request.staged": "request", "keep.done": "keep", "bind.done": "bind",
		"restart.wanted": "restart", "restart.done": "restart", "prove.done": "prove", "delete.done": "delete",
	}
	last := ""
	for _, at := range agent.Points() {
		if step := stored[at.Name]; step != "" && (step != "restart" || at.Name == "restart.done" || p.name == "update") {
			last = step
		}
		if at.Name == point {
			break
		}
	}
	return last
}
