package e2e_test

import (
	"os"
	"os/exec"
	"testing"
)

// missing skips a test for want of something that is not ours; it fails it where
// NEWLEAF_PEERS=require promises that everything is there.
func missing(t testing.TB, why string) {
	t.Helper()
	if os.Getenv("NEWLEAF_PEERS") == "require" {
		t.Fatal(why)
	}
	t.Skip(why)
}

// needs looks for a foreign program.
func needs(t testing.TB, program, debian string) {
	t.Helper()
	if _, err := exec.LookPath(program); err != nil {
		missing(t, program+" is not installed (Debian package "+debian+")")
	}
}
