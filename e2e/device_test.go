package e2e_test

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"encoding/hex"
	"encoding/json"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// The words of the contract that the tests read.

type certificate struct {
	ID, Name, Serial, SHA1, SHA256, Subject, Origin, State string
	Purposes                                               []string
	NotBefore, NotAfter                                    time.Time
	SelfSigned, Pinned, InUse                              bool
}

type renewal struct {
	ID                                   int64
	Cause, Step, Phase, Evidence         string
	Replaces, Certificate, TransactionID string
	Error                                *struct{ Code, Text, Hint string }
	Request                              struct{ Name string }
	Deleted                              []struct{ Name, Rule string }
	Kept                                 []struct{ Name, Reason string }
}

func (r renewal) open() bool {
	return !slices.Contains([]string{"done", "failed", "cancelled"}, r.Phase)
}

type event struct {
	ID, Renewal             int64
	Kind, Text, Certificate string
	Data                    map[string]string
}

type status struct {
	Lab      bool
	Address  string
	Now      time.Time
	Clock    struct{ Trusted bool }
	Purposes []struct{ Purpose, Name, Certificate, Trial, Previous, Loaded string }
	Warnings []string
}

type verdict struct {
	ID, Name, Rule, Reason string
	Delete                 bool
	Rules                  []string
}

type finding struct {
	OK                bool
	Topic, Text, Hint string
}

// device is a store and the agent that serves it.
type device struct {
	*process
	t       testing.TB
	dir     string // of the state
	aside   string // for what tests put beside it
	config  string // TOML of the machine's owner, "" for none
	address string // of HTTPS
	client  *http.Client
}

// newDevice has its state in dir. The agent is not started yet; the lab file
// says that the clock is right.
func newDevice(t testing.TB, dir string) *device {
	d := &device{t: t, dir: dir, aside: folder(t)}
	d.client = &http.Client{Transport: &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", filepath.Join(dir, "agent.sock"))
	}}}
	d.lab("trusted = true")
	write(t, filepath.Join(d.aside, "password"), password+"\n")
	return d
}

// lab replaces the lab file.
func (d *device) lab(lines ...string) {
	d.t.Helper()
	next := d.labFile() + ".next"
	write(d.t, next, strings.Join(lines, "\n")+"\n")
	if err := os.Rename(next, d.labFile()); err != nil {
		d.t.Fatal(err)
	}
}

func (d *device) labFile() string { return filepath.Join(d.aside, "lab.toml") }

// start runs the agent and waits until it serves.
func (d *device) start() *device {
	d.t.Helper()
	d.try()
	if d.address == "" {
		d.t.Fatalf("the agent did not start: %v\n%s", d.cmd.ProcessState, d.log)
	}
	return d
}

// try runs the agent until it serves, or ends before.
func (d *device) try() {
	d.t.Helper()
	args := []string{"serve", "--state", d.dir, "--listen", "127.0.0.1:0", "--lab", d.labFile()}
	if d.config != "" {
		args = append(args, "--config", d.config)
	}
	d.process = launch(d.t, "newleaf", args...)
	d.address = strings.TrimPrefix(d.url(d.t), "https://")
	if d.address == "" {
		<-d.ended
	}
}

// restart stops the agent and starts it again, as the restart of a device does.
func (d *device) restart() {
	d.t.Helper()
	d.stop(d.t)
	d.start()
}

// cli runs a command against the agent.
func (d *device) cli(args ...string) outcome {
	d.t.Helper()
	return run(d.t, append([]string{"--state", d.dir}, args...)...)
}

// do runs a command that has to succeed.
func (d *device) do(args ...string) string {
	d.t.Helper()
	return must(d.t, "newleaf", append([]string{"--state", d.dir}, args...)...)
}

// ask runs a command and reads its JSON.
func ask[T any](d *device, args ...string) T {
	d.t.Helper()
	return decode[T](d.t, d.do(append(args, "-o", "json")...))
}

// look reads from the API over the socket; false: nobody answers.
func look[T any](d *device, path string) (v T, answered bool) {
	d.t.Helper()
	r, err := d.client.Get("http://device/api/v1" + path)
	if err != nil {
		return v, false
	}
	defer r.Body.Close()
	if r.StatusCode != http.StatusOK {
		d.t.Fatalf("GET %s: %s", path, r.Status)
	}
	return v, json.NewDecoder(r.Body).Decode(&v) == nil
}

func (d *device) certificates() []certificate {
	d.t.Helper()
	return ask[[]certificate](d, "cert", "list")
}

// named is the entry with this name; it has to be there.
func (d *device) named(name string) certificate {
	d.t.Helper()
	return ask[certificate](d, "cert", "show", name)
}

// holds compares the store with names, each followed by its purposes as in
// "Xyz1:tls,dot1x".
func (d *device) holds(want ...string) {
	d.t.Helper()
	if got := brief(d.certificates()); !slices.Equal(got, want) {
		d.t.Fatalf("the store holds %q, want %q", got, want)
	}
}

func brief(cs []certificate) []string {
	out := []string{}
	for _, c := range cs {
		s := c.Name
		if len(c.Purposes) > 0 {
			s += ":" + strings.Join(c.Purposes, ",")
		}
		out = append(out, s)
	}
	return out
}

func (d *device) renewals() []renewal { d.t.Helper(); return ask[[]renewal](d, "update", "list") }

func (d *device) events() []event { d.t.Helper(); return ask[[]event](d, "events") }

// happened counts the events of a kind.
func (d *device) happened(kind string) (n int) {
	d.t.Helper()
	for _, e := range d.events() {
		if e.Kind == kind {
			n++
		}
	}
	return n
}

// handshake is the SHA-256 of the certificate that HTTPS presents.
func (d *device) handshake() string {
	d.t.Helper()
	dialer := &tls.Dialer{Config: &tls.Config{InsecureSkipVerify: true}} // we look, we do not trust
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	conn, err := dialer.DialContext(ctx, "tcp", d.address)
	if err != nil {
		d.t.Fatalf("a TLS handshake with the device: %v", err)
	}
	defer conn.Close()
	sum := sha256.Sum256(conn.(*tls.Conn).ConnectionState().PeerCertificates[0].Raw)
	return hex.EncodeToString(sum[:])
}

// healthy fails the test when the doctor finds a broken journal or a key that
// cannot be opened.
func (d *device) healthy() {
	d.t.Helper()
	journal := false
	for _, f := range ask[[]finding](d, "doctor") {
		journal = journal || f.Topic == "journal" && f.OK
		if !f.OK && (f.Topic == "journal" || f.Topic == "keys") {
			d.t.Errorf("the doctor finds: %s: %s", f.Topic, f.Text)
		}
	}
	if !journal {
		d.t.Error("the doctor does not say that the journal is whole")
	}
}
