package main

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"
	"unicode"
	"unicode/utf8"

	"newleaf"
)

// table collects rows and writes them aligned. What certificates and
// authorities say is made inert in every cell.
type table struct{ rows [][]string }

func newTable(header ...string) *table { return &table{rows: [][]string{header}} }

func (t *table) row(cells ...string) { t.rows = append(t.rows, cells) }

func (t *table) write(w io.Writer) error {
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, cells := range t.rows {
		for i, c := range cells {
			if i > 0 {
				fmt.Fprint(tw, "\t")
			}
			fmt.Fprint(tw, inert(orDash(c)))
		}
		fmt.Fprintln(tw)
	}
	if err := tw.Flush(); err != nil {
		return fmt.Errorf("writing the table: %w", err)
	}
	return nil
}

func orDash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

// inert writes out what would move the cursor, change colors or turn the
// direction of a terminal's text.
func inert(s string) string {
	var b strings.Builder
	for i, r := range s {
		switch {
		case r == utf8.RuneError && s[i] != "\uFFFD"[0]:
			fmt.Fprintf(&b, `\x%02x`, s[i])
		case unicode.IsControl(r), unicode.Is(unicode.Cf, r), r == '\u2028', r == '\u2029':
			quoted := fmt.Sprintf("%+q", r)
			b.WriteString(quoted[1 : len(quoted)-1])
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}

// when shows an instant with its zone, "" for none.
func when(t time.Time, zone *time.Location) string {
	if t.IsZero() {
		return ""
	}
	return t.In(zone).Format("2006-01-02 15:04 MST")
}

// zoneOf is the named zone, UTC where the name says nothing.
func zoneOf(name string) *time.Location {
	if zone, err := time.LoadLocation(name); err == nil {
		return zone
	}
	return time.UTC
}

// pairs writes hex as people compare it: "0A 1B 2C".
func pairs(hex string) string {
	var out []string
	for s := strings.ToUpper(hex); s != ""; s = s[min(2, len(s)):] {
		out = append(out, s[:min(2, len(s))])
	}
	return strings.Join(out, " ")
}

func joinPurposes(ps []newleaf.Purpose) string { return strings.Join(plain(ps), ",") }

// labels spells purposes as the figures do.
func labels(ps []newleaf.Purpose) string {
	out := make([]string, len(ps))
	for i, p := range ps {
		out[i] = newleaf.BuiltinKinds().Label(p)
	}
	return strings.Join(out, ", ")
}

func yes(b bool) string { return plainText(b) }

// badges are the states of a certificate in words.
func badges(c newleaf.Listed) string {
	var out []string
	for _, b := range []struct {
		on   bool
		word string
	}{
		{c.InUse, "in use"}, {c.Expired, "expired"}, {c.Pinned, "pinned"}, {c.Damaged, "damaged"},
		{c.State != newleaf.StateHeld, string(c.State)}, {c.SelfSigned, "self-signed"},
	} {
		if b.on {
			out = append(out, b.word)
		}
	}
	return strings.Join(out, ", ")
}
