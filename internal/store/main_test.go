package store_test

import (
	"flag"
	"os"
	"testing"
)

// The steps of the state machine are commits to a disk: a few dozen runs, unless
// the command line says otherwise.
func TestMain(m *testing.M) {
	if err := flag.Set("rapid.checks", "25"); err != nil {
		panic(err)
	}
	os.Exit(m.Run())
}
