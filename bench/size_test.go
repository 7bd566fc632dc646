package bench_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// The stripped program has at most 28 MB, that of a device at most 20.
func TestSize(t *testing.T) {
	if testing.Short() {
		t.Skip("it builds the program twice")
	}
	for _, p := range []struct {
		name, tags string
		mb         int64
	}{{"with everything", "", 28}, {"of a device", "device", 20}} {
		t.Run(p.name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "newleaf")
			build := exec.CommandContext(t.Context(), "go", "build", "-trimpath", "-ldflags=-s -w", "-tags", p.tags, "-o", file, "newleaf/cmd/newleaf")
			build.Env = append(os.Environ(), "CGO_ENABLED=0")
			if out, err := build.CombinedOutput(); err != nil {
				t.Fatalf("%v: %s", err, out)
			}
			info, err := os.Stat(file)
			if err != nil {
				t.Fatal(err)
			}
			if info.Size() > p.mb*1e6 {
				t.Errorf("the program has %d bytes, more than %d MB", info.Size(), p.mb)
			}
		})
	}
}
