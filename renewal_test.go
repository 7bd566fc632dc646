package newleaf

import "testing"

func TestSteps(t *testing.T) {
	for i, s := range append(Steps(), StepDone) {
		if s.Number() != i+1 {
			t.Errorf("%s is number %d, want %d", s, s.Number(), i+1)
		}
	}
	if len(Steps()) != 7 || Step("later").Number() != 0 {
		t.Error("there are seven steps and no others")
	}
}

func TestPhaseOpen(t *testing.T) {
	closed := map[Phase]bool{PhaseDone: true, PhaseFailed: true, PhaseCancelled: true}
	for _, p := range constants(t, "renewal.go", "Phase") {
		if p := Phase(p); p.Open() == closed[p] {
			t.Errorf("%s is open: %v", p, p.Open())
		}
	}
}
