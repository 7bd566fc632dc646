package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"io"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"newleaf"
)

func TestStreamsOfEvents(t *testing.T) {
	t.Run("--follow -o json prints an object on each line until it is stopped", func(t *testing.T) {
		r, w := io.Pipe()
		a := newApp(strings.NewReader(""), w, io.Discard)
		f := newFake()
		a.device = func() (newleaf.Device, error) { return f, nil }
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		code := make(chan int, 1)
		go func() {
			code <- a.run(ctx, []string{"events", "--follow", "--since", "1", "-o", "json"})
			w.Close()
		}()
		lines := bufio.NewScanner(r)
		var ids []int64
		for len(ids) < 2 && lines.Scan() {
			var e newleaf.Event
			if err := json.Unmarshal(lines.Bytes(), &e); err != nil {
				t.Fatalf("the line %q is no object: %v", lines.Text(), err)
			}
			ids = append(ids, e.ID)
		}
		cancel()
		if got := <-code; got != 0 {
			t.Errorf("exit status %d, want 0", got)
		}
		if diff := cmp.Diff([]int64{2, 3}, ids); diff != "" {
			t.Error(diff)
		}
	})
}

// TestSecrets checks that passwords come from files and stdin alone, without
// the line's end, and never go to an output.
func TestSecrets(t *testing.T) {
	f := newFake()
	code, out, errs := runFake(t, f, "pass word\r\n", "cert", "issue", "--name", "X", "--subject", "CN=x", "--password-file", "-")
	if code != 0 {
		t.Fatalf("exit status %d: %s", code, errs)
	}
	if diff := cmp.Diff([]string{"pass word"}, f.secrets); diff != "" {
		t.Error(diff)
	}
	if strings.Contains(out+errs, "pass word") {
		t.Errorf("the password is shown: %s%s", out, errs)
	}
	for _, stdin := range []string{"", "\n", "one\ntwo\n"} {
		if code, _, errs := runFake(t, f, stdin, "cert", "issue", "--name", "X", "--subject", "CN=x", "--password-file", "-"); code != 2 {
			t.Errorf("with %q on stdin the exit status is %d: %s", stdin, code, errs)
		}
	}
}

// TestConfirm is DLS-37: a person at a terminal is asked, and told of the use.
func TestConfirm(t *testing.T) {
	for answer, want := range map[string]int{"y\n": 0, "Yes\n": 0, "n\n": 2, "\n": 2, "": 2} {
		f := newFake()
		var errs bytes.Buffer
		a := newApp(strings.NewReader(answer), io.Discard, &errs)
		a.asks = true
		a.device = func() (newleaf.Device, error) { return f, nil }
		if got := a.run(t.Context(), []string{"cert", "delete", "Xyz1", "--force"}); got != want {
			t.Errorf("answer %q gives %d, want %d", answer, got, want)
		}
		if !strings.Contains(errs.String(), "Delete certificate Xyz1 (IN USE for TLS)") {
			t.Errorf("the question is %q", errs.String())
		}
		if gone := len(f.certs) == 2; gone != (want == 0) {
			t.Errorf("answer %q: deleted is %v", answer, gone)
		}
	}
}

func TestTerminal(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	defer w.Close()
	null, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	if terminal(r) || terminal(null) || terminal(strings.NewReader("")) {
		t.Error("a pipe, /dev/null or no file at all counts as a terminal")
	}
	pty, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil {
		t.Skipf("no pseudo terminals here: %v", err)
	}
	defer pty.Close()
	if !terminal(pty) {
		t.Error("a pseudo terminal does not count as one")
	}
}

// TestStopped is a signal while a command waits: the renewal goes on.
func TestStopped(t *testing.T) {
	f := newFake()
	f.outcome = newleaf.Renewal{Phase: newleaf.PhaseRunning, Step: newleaf.StepProve}
	ctx, cancel := context.WithCancel(t.Context())
	var errs bytes.Buffer
	a := newApp(strings.NewReader(""), io.Discard, io.MultiWriter(&errs, writerFunc(func(p []byte) {
		if strings.Contains(string(p), "prove") {
			cancel()
		}
	})))
	a.device = func() (newleaf.Device, error) { return f, nil }
	if got := a.run(ctx, []string{"update", "run", "Xyz1", "--wait", "1h"}); got != 1 {
		t.Errorf("exit status %d, want 1", got)
	}
	if !strings.Contains(errs.String(), "It goes on by itself; see \"newleaf update show 1\".") {
		t.Errorf("stderr is %q", errs.String())
	}
}

type writerFunc func([]byte)

func (f writerFunc) Write(p []byte) (int, error) { f(p); return len(p), nil }

// TestApplyFailsHalfway: what was applied before the failure is said.
func TestApplyFailsHalfway(t *testing.T) {
	f := newFake()
	code, _, errs := runFake(t, failing{f}, "[settings]\ncapacity = 9\n[reservation]\nbefore = \"14d\"\n", "settings", "apply", "-")
	if code != 1 || !strings.Contains(errs, "reservation: the disk is full (applied before it: settings)") {
		t.Errorf("exit status %d, stderr %q", code, errs)
	}
	if diff := cmp.Diff([]string{"settings"}, f.writes); diff != "" {
		t.Error(diff)
	}
}

type failing struct{ *fakeDevice }

func (failing) SetReservation(context.Context, newleaf.Reservation) (newleaf.ReservationInfo, error) {
	return newleaf.ReservationInfo{}, newleaf.Errorf(newleaf.CodeDiskFull, "the disk is full")
}

// TestApplyOrder: a store shrinks after the threshold of deletion has, and
// grows before it.
func TestApplyOrder(t *testing.T) {
	f := newFake()
	for _, c := range []struct {
		file string
		want []string
	}{
		{"[settings]\ncapacity = 20\n[deletion]\nthreshold = 20\n", []string{"settings", "deletion"}},
		{"[settings]\ncapacity = 5\n[deletion]\nthreshold = 4\n", []string{"deletion", "settings"}},
		{"[settings]\ncapacity = 5\n[deletion]\nthreshold = 4\n", nil},
		{"[deletion]\nrules = \"all\"\n", []string{"deletion"}},
	} {
		f.writes = nil
		if code, _, errs := runFake(t, f, c.file, "settings", "apply", "-"); code != 0 {
			t.Fatalf("%s: %s", c.file, errs)
		}
		if diff := cmp.Diff(c.want, f.writes); diff != "" {
			t.Errorf("%s: %s", c.file, diff)
		}
	}
}

// TestFileDatePassed: a date that is done with stays acceptable in a file that
// is applied again.
func TestFileDatePassed(t *testing.T) {
	f := newFake()
	f.reservation.Method, f.reservation.At, f.reservation.Fired = newleaf.MethodDate, "2026-01-01T04:00", fakeNow.Add(-time.Hour)
	if code, _, errs := runFake(t, f, "[reservation]\nat = 2026-01-01T04:00:00\n", "settings", "apply", "-"); code != 0 {
		t.Errorf("exit status %d: %s", code, errs)
	}
	if code, _, errs := runFake(t, f, "[reservation]\nat = \"2026-01-02T04:00\"\n", "settings", "apply", "-"); code != 2 || !strings.Contains(errs, "has passed") {
		t.Errorf("exit status %d: %s", code, errs)
	}
}

// TestFileRoundTrip: whatever names and addresses there are, applying what was
// exported changes nothing.
func TestFileRoundTrip(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		p := portable{settings: newleaf.DefaultSettings(), reservation: newleaf.DefaultReservation("UTC"),
			deletion: newleaf.DefaultDeletion(), connections: map[string]newleaf.Connection{}}
		for _, name := range rapid.SliceOfDistinct(rapid.String(), rapid.ID).Draw(rt, "names") {
			c := newleaf.NewConnection(name)
			c.URL = rapid.String().Draw(rt, "url")
			p.connections[name] = c
		}
		data, err := p.file()
		if err != nil {
			rt.Fatal(err)
		}
		var f settingsFile
		if err := decodeTOML("file", data, &f); err != nil {
			rt.Fatalf("%v\n%s", err, data)
		}
		next, err := p.with(f)
		if err != nil {
			rt.Fatalf("%v\n%s", err, data)
		}
		if changes := p.changes(next); len(changes) > 0 {
			rt.Errorf("%v\n%s", changes, data)
		}
	})
}

// TestUnknownKeys: a key that is not known is named with its line and the
// nearest one, at any depth.
func TestUnknownKeys(t *testing.T) {
	type inner struct {
		Name string `toml:"name"`
	}
	var v struct {
		Listen string           `toml:"listen"`
		Target []inner          `toml:"target"`
		By     map[string]inner `toml:"by"`
	}
	for text, want := range map[string]string{
		"lisen = 1":                         `file, line 1: there is no key "lisen"; Did you mean "listen"?`,
		"listen = 'a'\n[[target]]\nnam = 1": `file, line 3: there is no key "target.nam"; Did you mean "name"?`,
		"[by.x]\nnaem = 'b'":                `file, line 2: there is no key "by.x.naem"; Did you mean "name"?`,
		"listen = 3":                        `file, line 1, column 10: the key takes no integer; `,
	} {
		err := newleaf.AsError(decodeTOML("file", []byte(text), &v))
		if got := err.Text + "; " + err.Hint; !strings.HasPrefix(got, want) {
			t.Errorf("%q gives %q, want %q", text, got, want)
		}
	}
}
