package main

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"newleaf"
)

func settingsFields() []field[newleaf.Settings] {
	type S = newleaf.Settings
	return []field[S]{
		of("capacity", number(), "how many certificates the store holds", func(s *S) *int { return &s.Capacity }),
		of("quota", sizeOr("off"), "space for certificates; off: unlimited", func(s *S) *int64 { return &s.Quota }),
		of("zone", text[string]("IANA"), "time zone of the device, such as Europe/Berlin", func(s *S) *string { return &s.Zone }),
		of("need", needList(), "what a purpose needs to take up a certificate, where it differs: live, reload, restart", func(s *S) *map[newleaf.Purpose]newleaf.Need { return &s.Needs }),
		of("weak-keys", yesNo(), "allow rsa-1024 in requests", func(s *S) *bool { return &s.WeakKeys }),
		of("journal-events", number(), "how many events the journal keeps", func(s *S) *int { return &s.JournalEvents }),
		of("journal-bytes", sizeOr(""), "how much space the journal takes", func(s *S) *int64 { return &s.JournalBytes }),
		of("auto-restart", yesNo(), "restart by itself when a purpose needs it", func(s *S) *bool { return &s.AutoRestart }),
		of("restart-window", textOr("HH:MM-HH:MM", "any"), "when it may do so, as 02:00-05:00 in the device's zone", func(s *S) *string { return &s.RestartWindow }),
		of("delete-on-import", yesNo(), "import and generation start automatic deletion too", func(s *S) *bool { return &s.DeleteOnAdd }),
	}
}

// needList is written as purpose=need pairs, sorted.
func needList() kind[map[newleaf.Purpose]newleaf.Need] {
	type M = map[newleaf.Purpose]newleaf.Need
	known := []string{string(newleaf.NeedLive), string(newleaf.NeedReload), string(newleaf.NeedRestart)}
	return kind[M]{"PURPOSE=NEED,...|none", []string{"none"}, func(s string) (M, error) {
		out := M{}
		for _, pair := range splitList(s) {
			purpose, need, _ := strings.Cut(pair, "=")
			if err := among(need, known); err != nil {
				return nil, err
			}
			out[newleaf.Purpose(purpose)] = newleaf.Need(need)
		}
		return out, nil
	}, func(m M) any {
		out := []string{}
		for _, p := range slices.Sorted(maps.Keys(m)) {
			out = append(out, fmt.Sprintf("%s=%s", p, m[p]))
		}
		return out
	}}
}

func settingsCommand(a *app) *cobra.Command {
	return group("settings", "See, set and carry over the settings of the device",
		`See and set what is neither reservation, deletion nor connection, and carry all
settings from one device to another as one file without secrets.`,
		settingsShowCommand(a), settingsSetCommand(a), settingsExportCommand(a), settingsDiffCommand(a), settingsApplyCommand(a))
}

func settingsShowCommand(a *app) *cobra.Command {
	return &cobra.Command{Use: "show", Short: "Show the settings",
		Long: `Show capacity, quota, time zone, restart needs and the size of the journal.`,
		Example: `  newleaf settings show
  newleaf settings show -o json | jq .capacity`,
		Args: arguments,
		RunE: a.with(func(ctx context.Context, dev newleaf.Device, _ []string) error {
			s, err := dev.Settings(ctx)
			if err != nil {
				return err
			}
			return a.printSettings(s)
		})}
}

func settingsSetCommand(a *app) *cobra.Command {
	cmd := &cobra.Command{Use: "set", Short: "Change settings",
		Long: `Change settings. What no flag names stays as it is. The capacity cannot go below
the number of certificates held.`,
		Example: `  newleaf settings set --capacity 12 --zone Europe/Berlin
  newleaf settings set --need ipsec=reload,dot1x=live`,
		Args: arguments}
	cmd.Flags().SortFlags = false
	form := addFields(cmd, settingsFields())
	cmd.RunE = a.with(func(ctx context.Context, dev newleaf.Device, _ []string) error {
		if err := form.needed(); err != nil {
			return err
		}
		s, err := dev.Settings(ctx)
		if err != nil {
			return err
		}
		if err := form.apply(&s); err != nil {
			return err
		}
		if s, err = dev.SetSettings(ctx, s); err != nil {
			return err
		}
		return a.printSettings(s)
	})
	return cmd
}

func (a *app) printSettings(s newleaf.Settings) error {
	return a.print(s, func() *table {
		t := &table{}
		listFields(t, s, settingsFields())
		return t
	})
}
