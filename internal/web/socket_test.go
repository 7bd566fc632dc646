package web

import (
	"context"
	"encoding/json"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"newleaf"
)

// whoami answers with the actor.
func whoami() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		WriteJSON(w, http.StatusOK, "application/json", newleaf.ActorOf(r.Context()))
	})
}

func socketClient(path string) *http.Client {
	return &http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "unix", path)
	}}}
}

// serveSocket serves h at path until the test ends.
func serveSocket(t *testing.T, path string, h http.Handler) {
	t.Helper()
	ln, err := ListenSocket(path)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- ServeSocket(ctx, ln, h) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
		if _, err := os.Lstat(path); err == nil {
			t.Error("the socket file is left behind")
		}
	})
}

// TestSocketPeer asks over a real socket: the kernel says who we are.
func TestSocketPeer(t *testing.T) {
	path := filepath.Join(t.TempDir(), "agent.sock")
	serveSocket(t, path, whoami())
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o660 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	resp, err := socketClient(path).Get("http://newleaf/")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var got newleaf.Actor
	if err := json.NewDecoder(resp.Body).Decode(&got); err != nil {
		t.Fatal(err)
	}
	want := newleaf.Actor{Name: "uid:" + strconv.Itoa(os.Getuid()), Role: newleaf.Administrator, Local: true}
	if os.Getuid() == 0 {
		want.Name = "root"
	}
	if got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
	if resp.Header.Get("X-Content-Type-Options") != "nosniff" {
		t.Error("no security headers over the socket")
	}
}

// TestSocketStranger: a process of another user is refused although it could
// connect. It needs root to become one.
func TestSocketStranger(t *testing.T) {
	if dir := os.Getenv("NEWLEAF_TEST_STRANGER"); dir != "" {
		resp, err := socketClient(filepath.Join(dir, "agent.sock")).Get("http://newleaf/")
		if err != nil {
			t.Fatal(err)
		}
		if p := problemOf(t, resp); p.Code != newleaf.CodeForbidden || !strings.Contains(p.Detail, "65534") {
			t.Errorf("got %+v", p)
		}
		return
	}
	if os.Getuid() != 0 {
		t.Skip("only root can become somebody else")
	}
	dir, err := os.MkdirTemp("/tmp", "newleaf")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	path := filepath.Join(dir, "agent.sock")
	serveSocket(t, path, whoami())
	self := filepath.Join(dir, "test")
	raw, err := os.ReadFile("/proc/self/exe")
	if err == nil {
		err = os.WriteFile(self, raw, 0o755)
	}
	for _, name := range []string{dir, path} {
		if err == nil {
			err = os.Chmod(name, 0o777)
		}
	}
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), self, "-test.run=^TestSocketStranger$", "-test.v")
	cmd.Dir, cmd.Env = "/", append(os.Environ(), "NEWLEAF_TEST_STRANGER="+dir)
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	if out, err := cmd.CombinedOutput(); err != nil || !strings.Contains(string(out), "--- PASS: TestSocketStranger") {
		t.Errorf("%v\n%s", err, out)
	}
}

func TestWhoIsLocal(t *testing.T) {
	for _, c := range []struct {
		name      string
		uid, self int
		member    bool
		want      newleaf.Actor
	}{
		{"root", 0, 990, false, newleaf.Actor{Name: "root", Role: newleaf.Administrator, Local: true}},
		{"root's agent", 0, 0, false, newleaf.Actor{Name: "root", Role: newleaf.Administrator, Local: true}},
		{"the agent's user", 990, 990, false, newleaf.Actor{Name: "uid:990", Role: newleaf.Administrator, Local: true}},
		{"a member", 1000, 990, true, newleaf.Actor{Name: "uid:1000", Role: newleaf.Viewer, Local: true}},
		{"a stranger", 1000, 990, false, newleaf.Actor{}},
	} {
		got, err := judge(c.uid, c.self, func() bool { return c.member })
		if d := cmp.Diff(c.want, got); d != "" || (err != nil) != (c.want.Name == "") {
			t.Errorf("%s: %v\n%s", c.name, err, d)
		}
		if err != nil && newleaf.CodeOf(err) != newleaf.CodeForbidden {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

// TestNobodyGetsInUnasked: the handler of the socket refuses what came another way.
func TestNobodyGetsInUnasked(t *testing.T) {
	address, _ := running(t, func(ctx context.Context, ln net.Listener) error { return Serve(ctx, ln, local(whoami())) })
	resp, err := http.Get("http://" + address)
	if err != nil {
		t.Fatal(err)
	}
	if p := problemOf(t, resp); p.Code != newleaf.CodeForbidden {
		t.Errorf("got %+v", p)
	}
}

func TestSocketFile(t *testing.T) {
	t.Run("left by a dead agent", func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "agent.sock")
		ln, err := net.Listen("unix", path)
		if err != nil {
			t.Fatal(err)
		}
		ln.(*net.UnixListener).SetUnlinkOnClose(false)
		ln.Close()
		serveSocket(t, path, whoami())
		if _, err := socketClient(path).Get("http://newleaf/"); err != nil {
			t.Error(err)
		}
	})
	t.Run("somebody answers", func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "agent.sock")
		serveSocket(t, path, whoami())
		if _, err := ListenSocket(path); newleaf.CodeOf(err) != newleaf.CodeConflict || !strings.Contains(err.Error(), path) {
			t.Errorf("got %v", err)
		}
		if _, err := socketClient(path).Get("http://newleaf/"); err != nil {
			t.Errorf("the first agent was disturbed: %v", err)
		}
	})
	t.Run("another file", func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "agent.sock")
		if err := os.WriteFile(path, []byte("precious"), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := ListenSocket(path); newleaf.CodeOf(err) != newleaf.CodeConflict {
			t.Errorf("got %v", err)
		}
		if raw, err := os.ReadFile(path); err != nil || string(raw) != "precious" {
			t.Errorf("the file is now %q, %v", raw, err)
		}
	})
	t.Run("no folder", func(t *testing.T) {
		if _, err := ListenSocket(filepath.Join(t.TempDir(), "missing", "agent.sock")); newleaf.CodeOf(err) != newleaf.CodeConflict {
			t.Errorf("got %v", err)
		}
	})
}
