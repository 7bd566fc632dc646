package host

import (
	"time"

	"golang.org/x/sys/unix"
)

// Synchronized reports whether the kernel's clock is disciplined by a time
// service (adjtimex: not STA_UNSYNC).
func Synchronized() bool {
	var t unix.Timex
	state, err := unix.Adjtimex(&t)
	return err == nil && state != unix.TIME_ERROR
}

// SinceBoot is CLOCK_BOOTTIME, which goes on while the machine is suspended and
// is not moved when the wall clock is set.
func SinceBoot() time.Duration {
	var ts unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &ts); err != nil {
		return 0
	}
	return time.Duration(ts.Nano())
}
