package e2e_test

import (
	"slices"
	"testing"
)

func TestDemo(t *testing.T) {
	type story struct {
		Steps []struct {
			Name string
			MS   *int64
			OK   bool
		}
		Issued  []struct{ Name, Serial, SHA256 string }
		Deleted []struct{ Name, Rule string }
		Kept    []struct{ Name, Reason string }
		TLS     struct{ Serial, SHA256 string }
	}
	t.Run("contract demo --once tells a story of which every step holds", func(t *testing.T) {
		s := decode[story](t, must(t, "newleaf", "demo", "--once", "-o", "json"))
		if len(s.Steps) == 0 || len(s.Issued) == 0 || len(s.Deleted) == 0 || len(s.Kept) == 0 {
			t.Fatalf("something is missing: %+v", s)
		}
		for _, step := range s.Steps {
			if !step.OK || step.Name == "" || step.MS == nil {
				t.Errorf("step %+v", step)
			}
		}
		for _, i := range s.Issued {
			if i.Name == "" || i.Serial == "" || len(i.SHA256) != 64 {
				t.Errorf("issued %+v", i)
			}
		}
		rules := []string{"replaced", "no-purpose", "self", "factory", "expired"}
		for _, d := range s.Deleted {
			if d.Name == "" || !slices.Contains(rules, d.Rule) {
				t.Errorf("deleted %+v", d)
			}
		}
		for _, k := range s.Kept {
			if k.Name == "" || k.Reason == "" {
				t.Errorf("kept %+v", k)
			}
		}
		if last := s.Issued[len(s.Issued)-1]; s.TLS.Serial != last.Serial || s.TLS.SHA256 != last.SHA256 {
			t.Errorf("a handshake saw %+v, the last one issued is %+v", s.TLS, last)
		}
	})
}
