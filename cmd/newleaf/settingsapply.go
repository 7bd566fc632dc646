package main

import (
	"context"
	"maps"
	"slices"
	"strings"

	"github.com/pelletier/go-toml/v2"
	"github.com/spf13/cobra"

	"newleaf"
)

func settingsExportCommand(a *app) *cobra.Command {
	return &cobra.Command{Use: "export", Short: "Print all settings as one file",
		Long: `Print settings, connections, reservation, deletion and confirmed CA certificates as
one TOML file without secrets. Its keys are the flags of the "set" commands. The
same settings always give the same file. With -o json the same as JSON.`,
		Example: `  newleaf settings export > device.toml
  newleaf settings export | ssh other newleaf settings apply -`,
		Args: arguments,
		RunE: a.with(func(ctx context.Context, dev newleaf.Device, _ []string) error {
			p, err := readPortable(ctx, dev)
			if err != nil {
				return err
			}
			data, err := p.file()
			if err != nil {
				return err
			}
			if a.json() {
				var v map[string]any
				if err := toml.Unmarshal(data, &v); err != nil {
					return newleaf.Errorf(newleaf.CodeInternal, "reading back the settings: %w", err)
				}
				return a.encode(v, "  ")
			}
			return a.export(exported{Data: data}, "")
		})}
}

func settingsDiffCommand(a *app) *cobra.Command {
	return &cobra.Command{Use: "diff FILE", Short: "Show what a settings file would change",
		Long: `Show what "newleaf settings apply" would change, and change nothing. The exit
status is 3 when something would change, 0 when nothing would.`,
		Example: `  newleaf settings diff device.toml
  newleaf settings export | newleaf settings diff -   # nothing`,
		Args: arguments,
		RunE: a.with(func(ctx context.Context, dev newleaf.Device, args []string) error {
			return a.applyFile(ctx, dev, args[0], true)
		})}
}

func settingsApplyCommand(a *app) *cobra.Command {
	cmd := &cobra.Command{Use: "apply FILE", Short: "Apply a settings file",
		Long: `Apply a file that "newleaf settings export" or a person wrote ("-" for standard
input). What it does not name stays as it is; connections and CA certificates are
added or changed, never removed. All of it is checked first, and an unknown key or
a value that is not acceptable changes nothing. Applying it twice changes nothing
more. With --dry-run it is "newleaf settings diff".`,
		Example: `  newleaf settings apply device.toml
  newleaf settings apply device.toml --dry-run`,
		Args: arguments}
	dry := cmd.Flags().Bool("dry-run", false, "change nothing; exit with 3 when something would change")
	cmd.RunE = a.with(func(ctx context.Context, dev newleaf.Device, args []string) error {
		return a.applyFile(ctx, dev, args[0], *dry)
	})
	return cmd
}

func (a *app) applyFile(ctx context.Context, dev newleaf.Device, path string, dry bool) error {
	data, err := a.readFile(path)
	if err != nil {
		return err
	}
	var f settingsFile
	if err := decodeTOML(path, data, &f); err != nil {
		return err
	}
	old, err := readPortable(ctx, dev)
	if err != nil {
		return err
	}
	next, err := old.with(f)
	if err != nil {
		return err
	}
	if next.reservation.Only, err = resolve(ctx, dev, next.reservation.Only); err != nil {
		return err
	}
	s, err := dev.Status(ctx)
	if err != nil {
		return err
	}
	changes := old.changes(next)
	if err := old.check(next, s); err != nil {
		return err
	}
	if !dry {
		if err := apply(ctx, steps(dev, old, next)); err != nil {
			return err
		}
	}
	return a.reportChanges(changes, dry)
}

func (a *app) reportChanges(changes []change, dry bool) error {
	if len(changes) == 0 {
		a.say("Nothing changes: the device has these settings.")
		if a.json() {
			return a.encode(changes, "  ")
		}
		return nil
	}
	if err := a.print(changes, func() *table { return changeTable(changes) }); err != nil {
		return err
	}
	if dry {
		return changePending
	}
	a.say("Settings are reflected.")
	return nil
}

func changeTable(changes []change) *table {
	t := newTable("SETTING", "FROM", "TO")
	for _, c := range changes {
		t.row(c.Key, c.From, c.To)
	}
	return t
}

// check judges what changes as the device will, so that a file is refused as a
// whole.
func (p portable) check(next portable, s newleaf.Status) error {
	if differ(&p.settings, next.settings, settingsFields()) {
		if err := next.settings.Validate(s.Stored, kindsOf(s)); err != nil {
			return err
		}
	}
	for _, name := range slices.Sorted(maps.Keys(next.connections)) {
		if c := next.connections[name]; differ(p.connection(name), c, connectionFields()) {
			if err := c.Validate(); err != nil {
				return newleaf.Errorf(newleaf.CodeOf(err), "connection %s: %w", name, err).WithHint("%s", newleaf.AsError(err).Hint)
			}
		}
	}
	if differ(&p.reservation, next.reservation, reservationKeys()) {
		if err := next.reservation.SavedOver(p.reservation, s.Now).Validate(s.Now); err != nil {
			return err
		}
	}
	return next.deletion.Validate(next.settings.Capacity)
}

// step is one change to the device.
type step struct {
	name string
	do   func(context.Context) error
}

// steps are the changes in an order in which each is valid: a store shrinks
// after the threshold of deletion has.
func steps(dev newleaf.Device, old, next portable) []step {
	var out []step
	add := func(changed bool, name string, do func(context.Context) error) {
		if changed {
			out = append(out, step{name, do})
		}
	}
	resized := differ(&old.settings, next.settings, settingsFields())
	resize := func(ctx context.Context) error { _, err := dev.SetSettings(ctx, next.settings); return err }
	shrinks := next.settings.Capacity < old.settings.Capacity
	add(resized && !shrinks, "settings", resize)
	for _, name := range slices.Sorted(maps.Keys(next.connections)) {
		c := next.connections[name]
		add(differ(old.connection(name), c, connectionFields()), "connection "+name,
			func(ctx context.Context) error { _, err := dev.SetConnection(ctx, c); return err })
	}
	for _, a := range next.anchors[len(old.anchors):] {
		add(true, "anchor "+a.id.Short(),
			func(ctx context.Context) error { _, err := dev.AddAnchor(ctx, a.connection, []byte(a.pem)); return err })
	}
	add(differ(&old.reservation, next.reservation, reservationKeys()), "reservation",
		func(ctx context.Context) error { _, err := dev.SetReservation(ctx, next.reservation); return err })
	add(differ(&old.deletion, next.deletion, deletionFields()), "deletion",
		func(ctx context.Context) error { _, err := dev.SetDeletion(ctx, next.deletion); return err })
	add(resized && shrinks, "settings", resize)
	return out
}

// apply does the steps. When one fails, the error tells which were done.
func apply(ctx context.Context, steps []step) error {
	done := []string{}
	for _, s := range steps {
		if err := s.do(ctx); err != nil {
			return newleaf.Errorf(newleaf.AsError(err).Code, "%s: %w (applied before it: %s)", s.name, err, joinOrNone(done)).
				WithHint("%s", strings.TrimSpace(newleaf.AsError(err).Hint+" Applying the file again does the rest."))
		}
		done = append(done, s.name)
	}
	return nil
}
