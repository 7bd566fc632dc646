package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"newleaf"
)

// methodFields choose the timing; each also selects its method (RSV-01).
func methodFields() []field[newleaf.Reservation] {
	type R = newleaf.Reservation
	return []field[R]{
		method("at", newleaf.MethodDate, wall("DATETIME", len("2027-03-01T04:00")), "once, at a date and time of day such as 2027-03-01T04:00", func(r *R) *string { return &r.At }),
		method("before", newleaf.MethodBefore, span(), "this long before the end of validity", func(r *R) *time.Duration { return &r.Before }),
		method("every", newleaf.MethodEvery, span(), "this long after the last update", func(r *R) *time.Duration { return &r.Every }),
		method("monthly", newleaf.MethodMonthly, kind[int]{"DAY", nil, parseNumber, func(n int) any { return int64(n) }}, "on this day of every month, its last where it is shorter", func(r *R) *int { return &r.Day }),
		yearlyField(),
	}
}

// wall is a time on the clock to the minute, of the given length. TOML's own
// times come with seconds.
func wall(value string, length int) kind[string] {
	k := text[string](value)
	k.parse = func(s string) (string, error) {
		if len(s) == length+len(":00") {
			s = strings.TrimSuffix(s, ":00")
		}
		return s, nil
	}
	return k
}

// method is a field that also selects the method m.
func method[V any](name string, m newleaf.Method, k kind[V], usage string, at func(*newleaf.Reservation) *V) field[newleaf.Reservation] {
	f := of(name, k, usage, at)
	return selecting(f, m)
}

func selecting(f field[newleaf.Reservation], m newleaf.Method) field[newleaf.Reservation] {
	get, set := f.get, f.set
	f.get = func(r newleaf.Reservation) any {
		if r.Method != m {
			return nil
		}
		return get(r)
	}
	f.set = func(r *newleaf.Reservation, s string) error {
		r.Method = m
		return set(r, s)
	}
	return f
}

func yearlyField() field[newleaf.Reservation] {
	f := field[newleaf.Reservation]{name: "yearly", value: "MM-DD", usage: "on this date of every year",
		get: func(r newleaf.Reservation) any { return fmt.Sprintf("%02d-%02d", int(r.Month), r.Day) },
		set: func(r *newleaf.Reservation, s string) error {
			month, day, _ := strings.Cut(s, "-")
			m, err := parseNumber(month)
			d, err2 := parseNumber(day)
			if err != nil || err2 != nil {
				return newleaf.Errorf(newleaf.CodeInvalid, "%q is no date of a year", s).WithHint("Write month and day, as in 02-29.")
			}
			r.Month, r.Day = time.Month(m), d
			return nil
		}}
	return selecting(f, newleaf.MethodYearly)
}

// offField is the word "off" of the command line as a key of files.
func offField() field[newleaf.Reservation] {
	return field[newleaf.Reservation]{name: "off", value: "yes|no", usage: "nothing happens by itself",
		get: func(r newleaf.Reservation) any {
			if r.Method == newleaf.MethodOff || r.Method == "" {
				return true
			}
			return nil
		},
		set: func(r *newleaf.Reservation, s string) error {
			off, err := parseYesNo(s)
			if off {
				r.Method = newleaf.MethodOff
			}
			return err
		}}
}

func reservationFields() []field[newleaf.Reservation] {
	type R = newleaf.Reservation
	return append(methodFields(),
		of("time", wall("HH:MM", len("03:00")), "time of day of monthly and yearly", func(r *R) *string { return &r.Time }),
		of("zone", text[string]("IANA"), "time zone of dates and times of day, such as Europe/Berlin", func(r *R) *string { return &r.Zone }),
		of("jitter", span(), "window over which a fleet spreads its updates", func(r *R) *time.Duration { return &r.Jitter }),
		of("safety-net", yesNo(), "update before the end of validity, whatever the method", func(r *R) *bool { return &r.SafetyNet }),
		of("only", kind[[]newleaf.ID]{"ID,...|all", []string{"all"}, parseOnly, func(ids []newleaf.ID) any { return onlyText(ids) }},
			"only these certificates; all: every one in use", func(r *R) *[]newleaf.ID { return &r.Only }))
}

// reservationKeys are the keys of files: the flags and the word "off".
func reservationKeys() []field[newleaf.Reservation] {
	return append([]field[newleaf.Reservation]{offField()}, reservationFields()...)
}

func parseOnly(s string) ([]newleaf.ID, error) {
	out := []newleaf.ID{}
	if s == "all" {
		return out, nil
	}
	for _, id := range splitList(s) {
		out = append(out, newleaf.ID(id))
	}
	return out, nil
}

func onlyText(ids []newleaf.ID) any {
	if len(ids) == 0 {
		return "all"
	}
	return plain(ids)
}

// timing is the edit of a reservation with the word "off" besides the flags.
type timing struct{ edit[newleaf.Reservation] }

// addTiming gives cmd the flags and refuses two methods at once.
func addTiming(cmd *cobra.Command) timing {
	cmd.Flags().SortFlags = false
	t := timing{addFields(cmd, reservationFields())}
	cmd.ValidArgs = []string{"off"}
	cmd.Args = func(cmd *cobra.Command, args []string) error {
		if err := arguments(cmd, args); err != nil {
			return err
		}
		if len(args) > 0 && args[0] != "off" {
			return usageError("the argument %q is not \"off\"", args[0]).WithHint("Write \"off\", or name a method with a flag.")
		}
		chosen := slices.Clone(args)
		for _, f := range methodFields() {
			if cmd.Flags().Changed(f.name) {
				chosen = append(chosen, "--"+f.name)
			}
		}
		if len(chosen) > 1 {
			return usageError("%s exclude each other", strings.Join(chosen, " and ")).WithHint("Choose one method.")
		}
		return nil
	}
	return t
}

// change applies the flags and the word, names of certificates resolved. It
// reports whether there were any.
func (t timing) change(ctx context.Context, dev newleaf.Device, args []string, r *newleaf.Reservation) (bool, error) {
	if len(args) > 0 {
		r.Method = newleaf.MethodOff
	}
	err := t.apply(r)
	if err == nil {
		r.Only, err = resolve(ctx, dev, r.Only)
	}
	return len(args) > 0 || t.given(), err
}
