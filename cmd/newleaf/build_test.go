package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// labSymbols are parts of the lab that a shipped device must not have
// (contract, "Build tag device").
var labSymbols = []string{
	"newleaf/internal/ca.", "main.demoCommand", "main.caCommand", "newleaf/internal/scep.NewServer",
	"newleaf/internal/cms.encodeDES", "newleaf/internal/scep.(*server).",
}

func TestDeviceBuild(t *testing.T) {
	if testing.Short() {
		t.Skip("builds the program twice")
	}
	symbols := func(tags string) string {
		bin := filepath.Join(t.TempDir(), "newleaf")
		build := exec.Command("go", "build", "-tags", tags, "-o", bin, ".")
		build.Env = append(os.Environ(), "CGO_ENABLED=0")
		if out, err := build.CombinedOutput(); err != nil {
			t.Fatalf("building: %v\n%s", err, out)
		}
		out, err := exec.Command("go", "tool", "nm", bin).Output()
		if err != nil {
			t.Fatal(err)
		}
		return string(out)
	}
	lab, device := symbols(""), symbols("device")
	for _, s := range labSymbols {
		if !strings.Contains(lab, s) {
			t.Errorf("the default build has no %s: the test looks for a name that is gone", s)
		}
		if strings.Contains(device, s) {
			t.Errorf("the device build has %s", s)
		}
	}
}
