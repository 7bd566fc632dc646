package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/pem"
	"fmt"
	"maps"
	"slices"

	"github.com/pelletier/go-toml/v2"

	"newleaf"
)

// portable is all that a settings file carries from one device to another.
type portable struct {
	settings    newleaf.Settings
	connections map[string]newleaf.Connection
	anchors     []anchor // confirmed ones
	reservation newleaf.Reservation
	deletion    newleaf.DeletionPolicy
}

type anchor struct {
	id         newleaf.ID
	connection string
	pem        string
	subject    string
}

// settingsFile is the file. Keys of its tables are the flags of "set"; what it
// does not name stays as it is.
type settingsFile struct {
	Settings    map[string]any            `toml:"settings"`
	Connection  map[string]map[string]any `toml:"connection"`
	Reservation map[string]any            `toml:"reservation"`
	Deletion    map[string]any            `toml:"deletion"`
	Anchor      []anchorEntry             `toml:"anchor"`
}

type anchorEntry struct {
	Connection string `toml:"connection"`
	PEM        string `toml:"pem,multiline"`
}

// readPortable asks the device for its present settings.
func readPortable(ctx context.Context, dev newleaf.Device) (portable, error) {
	p := portable{connections: map[string]newleaf.Connection{}}
	var err error
	if p.settings, err = dev.Settings(ctx); err != nil {
		return p, err
	}
	connections, err := dev.ConnectionList(ctx)
	if err != nil {
		return p, err
	}
	for _, c := range connections {
		p.connections[c.Name] = c.Connection
	}
	anchors, err := dev.AnchorList(ctx)
	if err != nil {
		return p, err
	}
	for _, r := range anchors {
		if r.Confirmed && r.Role == newleaf.RoleAnchor {
			p.anchors = append(p.anchors, anchor{r.ID, r.Connection, r.PEM, r.Subject})
		}
	}
	slices.SortFunc(p.anchors, func(a, b anchor) int {
		return cmp.Or(cmp.Compare(a.connection, b.connection), cmp.Compare(a.id, b.id))
	})
	reservation, err := dev.Reservation(ctx)
	if err != nil {
		return p, err
	}
	deletion, err := dev.Deletion(ctx)
	p.reservation, p.deletion = reservation.Reservation, deletion.DeletionPolicy
	return p, err
}

// file writes p; the same settings give the same bytes.
func (p portable) file() ([]byte, error) {
	var b bytes.Buffer
	b.WriteString("# Settings of a newleaf device, without secrets: newleaf settings apply FILE\n")
	err := writeTable(&b, "settings", p.settings, settingsFields())
	for _, name := range slices.Sorted(maps.Keys(p.connections)) {
		if err == nil {
			err = writeTable(&b, "connection."+tomlKey(name), p.connections[name], connectionFields())
		}
	}
	if err == nil {
		err = writeTable(&b, "reservation", p.reservation, reservationKeys())
	}
	if err == nil {
		err = writeTable(&b, "deletion", p.deletion, deletionFields())
	}
	for _, a := range p.anchors {
		entry, encoding := toml.Marshal(anchorEntry{a.connection, a.pem})
		if err == nil && encoding != nil {
			err = fmt.Errorf("encoding an anchor: %w", encoding)
		}
		b.WriteString("\n[[anchor]]\n")
		b.Write(entry)
	}
	return b.Bytes(), err
}

// connection is the one of that name, nil for none.
func (p portable) connection(name string) *newleaf.Connection {
	if c, held := p.connections[name]; held {
		return &c
	}
	return nil
}

// with is p as it is once the file has been applied.
func (p portable) with(f settingsFile) (portable, error) {
	p.connections = maps.Clone(p.connections)
	if err := setTable(&p.settings, settingsFields(), f.Settings, "settings"); err != nil {
		return p, err
	}
	for _, name := range slices.Sorted(maps.Keys(f.Connection)) {
		c, held := p.connections[name]
		if !held {
			c = newleaf.NewConnection(name)
		}
		if err := setTable(&c, connectionFields(), f.Connection[name], "connection."+name); err != nil {
			return p, err
		}
		p.connections[name] = c
	}
	if err := oneMethod(f.Reservation); err != nil {
		return p, err
	}
	if err := setTable(&p.reservation, reservationKeys(), f.Reservation, "reservation"); err != nil {
		return p, err
	}
	if err := setTable(&p.deletion, deletionFields(), f.Deletion, "deletion"); err != nil {
		return p, err
	}
	p.anchors = slices.Clone(p.anchors)
	for _, entry := range f.Anchor {
		a, err := readAnchor(entry)
		if err != nil {
			return p, err
		}
		if !slices.ContainsFunc(p.anchors, a.same) {
			p.anchors = append(p.anchors, a)
		}
	}
	return p, nil
}

// same reports the same certificate for the same connection; one that was added
// by hand serves all.
func (a anchor) same(held anchor) bool {
	return a.id == held.id && (a.connection == held.connection || held.connection == "")
}

func readAnchor(entry anchorEntry) (anchor, error) {
	block, _ := pem.Decode([]byte(entry.PEM))
	if block == nil {
		return anchor{}, newleaf.Errorf(newleaf.CodeInvalid, "an anchor of connection %q is not PEM", entry.Connection)
	}
	parsed, err := newleaf.Parse(block.Bytes)
	if err != nil {
		return anchor{}, err
	}
	if !parsed.IsCA {
		return anchor{}, newleaf.Errorf(newleaf.CodeInvalid, "the anchor %q of connection %q is no CA certificate", parsed.Subject, entry.Connection)
	}
	return anchor{newleaf.IDOf(block.Bytes), entry.Connection, entry.PEM, parsed.Subject}, nil
}

// oneMethod refuses a reservation that names two methods.
func oneMethod(table map[string]any) error {
	var chosen []string
	for _, f := range append([]field[newleaf.Reservation]{offField()}, methodFields()...) {
		if v, given := table[f.name]; given && (f.name != "off" || plainText(v) == "yes") {
			chosen = append(chosen, f.name)
		}
	}
	if len(chosen) > 1 {
		return newleaf.Errorf(newleaf.CodeInvalid, "reservation: %s and %s exclude each other", chosen[0], chosen[1]).
			WithHint("Choose one method.")
	}
	return nil
}

// change is one difference between two states of the settings.
type change struct {
	Key  string `json:"key"`
	From string `json:"from"`
	To   string `json:"to"`
}

// changes lists what differs in next.
func (p portable) changes(next portable) []change {
	out := fieldChanges("settings", &p.settings, next.settings, settingsFields())
	for _, name := range slices.Sorted(maps.Keys(next.connections)) {
		out = append(out, fieldChanges("connection."+name, p.connection(name), next.connections[name], connectionFields())...)
	}
	out = append(out, fieldChanges("reservation", &p.reservation, next.reservation, reservationKeys())...)
	out = append(out, fieldChanges("deletion", &p.deletion, next.deletion, deletionFields())...)
	for _, a := range next.anchors[len(p.anchors):] {
		out = append(out, change{"anchor." + a.id.Short(), "", a.subject})
	}
	return out
}

// fieldChanges lists the fields whose text differs; all that are set where
// there is no old.
func fieldChanges[T any](place string, old *T, next T, fields []field[T]) []change {
	out := []change{}
	for _, f := range fields {
		from, to := "", plainText(f.get(next))
		if old != nil {
			from = plainText(f.get(*old))
		}
		if from != to {
			out = append(out, change{place + "." + f.name, from, to})
		}
	}
	return out
}

func differ[T any](old *T, next T, fields []field[T]) bool {
	return len(fieldChanges("", old, next, fields)) > 0
}
