// Command report reads what "go test -json" prints, keeps it in the file named
// by its argument, and shows what a person wants to see of it: one line a
// package, everything a failed test printed, and every skipped test with its
// reason. It fails if a test did.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"strings"
)

type event struct {
	Action, Package, Test, Output string
}

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: go test -json ./... | report FILE")
		os.Exit(2)
	}
	keep, err := os.Create(os.Args[1])
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	defer keep.Close()
	failed := 0
	printed := map[string][]string{} // by package and test
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, 16<<20)
	for lines.Scan() {
		fmt.Fprintln(keep, lines.Text())
		var e event
		if json.Unmarshal(lines.Bytes(), &e) != nil {
			fmt.Println(lines.Text())
			failed++
			continue
		}
		key := e.Package + " " + e.Test
		switch e.Action {
		case "output", "build-output":
			printed[key] = append(printed[key], e.Output)
		case "fail", "build-fail":
			failed++
			fmt.Print(strings.Join(printed[key], ""))
			fmt.Printf("FAIL  %s %s\n", e.Package, e.Test)
		case "skip":
			if e.Test != "" {
				fmt.Print("skip  ", e.Package, " ", strings.Join(printed[key], ""))
			}
		case "pass":
			if e.Test == "" {
				fmt.Println("ok   ", e.Package)
			}
		}
		if e.Action != "output" {
			delete(printed, key)
		}
	}
	if failed > 0 || lines.Err() != nil {
		fmt.Println(failed, "failures", lines.Err())
		os.Exit(1)
	}
}
