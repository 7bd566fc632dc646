package main

import (
	"fmt"
	"os"
	"runtime"
	"strings"
	"syscall"
)

const head = `# Benchmarks

` + "`scripts/bench`" + ` wrote this page: it builds the programs, measures everything side by side in one run of a few minutes, and puts here what came out.
Times differ from machine to machine, so most of what is wanted is a ratio. **RSAu** is the processor time of one RSA-2048 private operation of Go, taken in the
same run. Bold is the median, in brackets the least and the most.

`

const method = `
## How it was measured

- **Enrollment, update.** An agent, put together as ` + "`newleaf serve`" + ` does it, runs in a process of its own beside ` + "`newleaf ca`" + ` in another, over loopback, on a device as after years
  of use: 8 certificates, 200 renewals remembered, 5,000 events in the journal. Processor time is that of the agent's whole process, both ends of its TLS proof and all that it does
  before it rests again included. Making the RSA key is left out, as it varies more than all the rest: what passes between the last sign of life of the agent before it (a look at the clock, a
  point of the walk) and the point ` + "`request.generated`" + `. For an enrollment nothing else lies between the two; for an update also the opening of the present key.
  An enrollment does 4 private operations for SCEP (self-signed certificate, PKCS #10, message, answer) and 1 in the handshake that proves it; an update one less for SCEP.
- **First handshake.** Two clients make a handshake each 5 ms in the same process, and one more begins as soon as the listener has the new certificate. The clock runs from the moment the
  certificate is stored and on trial, before its key is opened, to the end of the first handshake that shows it.
- **Start, rest.** The stripped program itself. The start ends with its line "ready"; the first of the starts is not counted. At rest is the same program left alone while all else is measured.
  A wake-up is a second in which a thread of it ran; how often its threads went back to waiting in those (voluntary context switches) stands below, most of it the doing of Go's own scheduler.
- **Authority.** The program itself with its defaults (P-256 issuer, one RSA-2048 RA), the same with 100,000 rows of issued certificates, and the floor
  (` + "`bench/internal/floor`" + `: verify, open, issue, store one row, encrypt, sign, with the same message code) take turns. The device's own client makes the messages ahead of time and reads all
  answers afterwards, so that 32 connections do nothing but POST meanwhile. Every answer has to hold a certificate for its key. The load comes from the same machine and shares its processors.
- **Transaction.** Through the store of a device, in turn with the append it is told in.
- **Plan.** ` + "`go test -bench Plan .`" + `

What can be counted instead of timed - private operations, durable transactions, bytes written on an idle day, allocations, failed handshakes, bytes of the program - the tests in
` + "`bench`" + ` hold to its limit on every machine.
`

// page is the run as a page.
func (b *bench) page() string {
	var s strings.Builder
	s.WriteString(head)
	fmt.Fprintf(&s, "Measured on %s. The run took %.0f s; other programs took %.0f %% of the processors meanwhile.\n", machine(b.dir), b.took.Seconds(), b.others*100)
	if b.short {
		s.WriteString("It was a short run: its figures are worth nothing.\n")
	}
	for _, g := range []string{groupWalk, groupRest, groupAuthority, groupStore} {
		fmt.Fprintf(&s, "\n## %s\n\n| What | Unit | Wanted | Measured | |\n|---|---|---|---|---|\n", g)
		for _, f := range b.figures {
			if f.group == g {
				s.WriteString(f.row())
			}
		}
	}
	s.WriteString(method)
	return s.String()
}

func processors() int { return runtime.NumCPU() }

// machine describes what the run was made on, without names.
func machine(dir string) string {
	model := runtime.GOARCH
	text, _ := os.ReadFile("/proc/cpuinfo") // without it the architecture has to do
	for line := range strings.Lines(string(text)) {
		if key, value, found := strings.Cut(line, ":"); found && strings.TrimSpace(key) == "model name" {
			model = strings.TrimSpace(value)
			break
		}
	}
	return fmt.Sprintf("%d processors (%s), Linux %s, %s, %s", processors(), model, kernel(), filesystem(dir), runtime.Version())
}

// kernel is its version, without what its builder added.
func kernel() string {
	text, _ := os.ReadFile("/proc/sys/kernel/osrelease")
	parts := strings.SplitN(string(text), ".", 3)
	return strings.Join(parts[:min(2, len(parts))], ".")
}

// filesystem is the kind of the one that holds dir.
func filesystem(dir string) string {
	var s syscall.Statfs_t
	if syscall.Statfs(dir, &s) != nil {
		return "unknown file system"
	}
	names := map[int64]string{0xef53: "ext4", 0x58465342: "xfs", 0x9123683e: "btrfs", 0x01021994: "tmpfs (syncs cost nothing there)", 0x794c7630: "overlayfs"}
	if name := names[int64(s.Type)]; name != "" {
		return name
	}
	return fmt.Sprintf("file system %#x", s.Type)
}
