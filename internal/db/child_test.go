package db_test

import (
	"bufio"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"newleaf/internal/db"
)

// The test binary runs itself as a second process: "open PATH" or "write PATH START".
func TestMain(m *testing.M) {
	if args := strings.Fields(os.Getenv("NEWLEAF_DB_CHILD")); len(args) > 0 {
		if err := child(args); err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

func child(args []string) error {
	d, err := db.Open(args[1], db.Options{Migrations: migrations})
	if err != nil || args[0] == "open" {
		return err
	}
	var start int
	if _, err := fmt.Sscan(args[2], &start); err != nil {
		return err
	}
	// Five writers, each with its own numbers, one of them alone in its transactions.
	failed := make(chan error)
	for w := range 5 {
		put := d.Submit
		if w == 0 {
			put = d.Write
		}
		go func() {
			for id := start + w; ; id += 5 {
				if err := put(context.Background(), insert(id, strings.Repeat("x", 500))); err != nil {
					failed <- err
				}
				fmt.Println(id)
			}
		}()
	}
	return <-failed
}

func startChild(t *testing.T, args string) *exec.Cmd {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	c := exec.CommandContext(t.Context(), exe)
	c.Env = append(os.Environ(), "NEWLEAF_DB_CHILD="+args)
	return c
}

func TestOneProcessAtATime(t *testing.T) {
	path := temp(t)
	d := open(t, path)
	if err := d.Write(t.Context(), insert(1, "a")); err != nil {
		t.Fatal(err)
	}
	if _, err := db.Open(path, db.Options{Migrations: migrations}); !errors.Is(err, db.ErrLocked) {
		t.Errorf("second time in this process: got %v, want ErrLocked", err)
	}
	// Opening and closing the file would drop a POSIX lock of this process.
	if _, err := os.ReadFile(path); err != nil {
		t.Fatal(err)
	}
	out, err := startChild(t, "open "+path).CombinedOutput()
	if err == nil || !strings.Contains(string(out), "the store is in use by another process") {
		t.Errorf("another process: %v: %s", err, out)
	}
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	if out, err := startChild(t, "open "+path).CombinedOutput(); err != nil {
		t.Errorf("another process after Close: %v: %s", err, out)
	}
}

// Every change that was acknowledged before a SIGKILL is there afterwards.
func TestKill(t *testing.T) {
	path := temp(t)
	var acked []int
	for round := range 8 {
		c := startChild(t, fmt.Sprintf("write %s %d", path, round*1_000_000))
		out, err := c.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		lines, die := bufio.NewScanner(out), rand.IntN(300)
		for n := 0; lines.Scan(); n++ {
			var id int
			if _, err := fmt.Sscan(lines.Text(), &id); err != nil {
				t.Fatalf("the child says %q", lines.Text())
			}
			acked = append(acked, id)
			if n == die {
				if err := c.Process.Kill(); err != nil { // SIGKILL; what is in the pipe is still read
					t.Fatal(err)
				}
			}
		}
		if err := c.Wait(); err == nil {
			t.Fatal("the child was not killed")
		}
	}
	d := open(t, path)
	stored := ids(t, d)
	for _, id := range acked {
		if _, found := slices.BinarySearch(stored, id); !found {
			t.Errorf("row %d was acknowledged and is gone", id)
		}
	}
	var verdict string
	err := d.Read(t.Context(), func(tx *sql.Tx) error { return tx.QueryRow(`PRAGMA integrity_check`).Scan(&verdict) })
	if err != nil || verdict != "ok" {
		t.Errorf("integrity check: %v: %s", err, verdict)
	}
	t.Logf("%d rows acknowledged, %d stored", len(acked), len(stored))
}
