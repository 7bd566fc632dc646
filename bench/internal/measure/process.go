package measure

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// Sample is one reading of a process (proc(5)).
type Sample struct {
	CPU     time.Duration // on a processor, user and system, of the threads that live
	AnonKiB int64         // anonymous memory that is resident
	Threads int
	Waits   int64 // how often a thread gave up its processor to wait
	Written int64 // bytes given to the disk
	Wrote   int64 // bytes given to write(2) on files, sockets and pipes
}

// Read samples process pid; 0 is this one.
func Read(pid int) (s Sample, err error) {
	dir := "/proc/self"
	if pid != 0 {
		dir = fmt.Sprintf("/proc/%d", pid)
	}
	s.AnonKiB = field(dir+"/status", "RssAnon")
	s.Written, s.Wrote = field(dir+"/io", "write_bytes"), field(dir+"/io", "wchar")
	tasks, err := filepath.Glob(dir + "/task/*")
	if err == nil && len(tasks) == 0 {
		err = fmt.Errorf("process %d is not there", pid)
	}
	if _, missing := os.Stat(dir + "/schedstat"); err == nil {
		err = missing
	}
	for _, task := range tasks {
		text, err := os.ReadFile(task + "/schedstat")
		if err != nil {
			continue // the thread has ended
		}
		ran, _, _ := strings.Cut(string(text), " ")
		s.CPU += time.Duration(number(ran))
		s.Waits += field(task+"/status", "voluntary_ctxt_switches")
		s.Threads++
	}
	return s, err
}

// field is the number behind "name:" in a file of lines; 0 where there is none.
func field(path, name string) int64 {
	text, _ := os.ReadFile(path) // what cannot be read has no fields
	for line := range strings.Lines(string(text)) {
		if key, value, found := strings.Cut(line, ":"); found && key == name {
			return number(strings.Fields(value)[0])
		}
	}
	return 0
}

func number(s string) int64 {
	n, _ := strconv.ParseInt(strings.TrimSpace(s), 10, 64) // the kernel wrote it
	return n
}

// CPU is the processor time of this process so far, user and system.
func CPU() time.Duration { return usage(syscall.RUSAGE_SELF) }

// Family is CPU together with that of the children that have ended.
func Family() time.Duration { return CPU() + usage(syscall.RUSAGE_CHILDREN) }

func usage(who int) time.Duration {
	var u syscall.Rusage
	_ = syscall.Getrusage(who, &u) // both words are known to it
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// Machine is the time that all processors together were not idle, theft by the
// hypervisor included; its grain is 10 ms.
func Machine() time.Duration {
	text, _ := os.ReadFile("/proc/stat")
	line, _, _ := strings.Cut(string(text), "\n")
	var busy int64
	for i, f := range strings.Fields(line) {
		if i >= 1 && i <= 8 && i != 4 && i != 5 { // not idle and iowait
			busy += number(f)
		}
	}
	return time.Duration(busy) * 10 * time.Millisecond // USER_HZ is 100 everywhere
}
