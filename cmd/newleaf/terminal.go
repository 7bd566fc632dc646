package main

import (
	"bufio"
	"fmt"
	"os"
	"strings"
	"syscall"
)

// terminal reports whether a stream is one: a character device other than those
// of the memory driver (major number 1: null, zero, full, random).
func terminal(stream any) bool {
	f, ok := stream.(*os.File)
	if !ok {
		return false
	}
	info, err := f.Stat()
	if err != nil || info.Mode()&os.ModeCharDevice == 0 {
		return false
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	return ok && stat.Rdev>>8 != 1
}

// confirm asks the person at the terminal; a script is not asked.
func (a *app) confirm(question string) error {
	if !a.asks {
		return nil
	}
	fmt.Fprintf(a.stderr, "%s [y/N] ", inert(question))
	line, err := bufio.NewReader(a.stdin).ReadString('\n')
	if answer := strings.ToLower(strings.TrimSpace(line)); err == nil && (answer == "y" || answer == "yes") {
		return nil
	}
	return usageError("not confirmed; nothing was changed").WithHint("Answer y, or add --yes.")
}
