package e2e_test

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// disk is a small file system of its own.
type disk struct {
	t   testing.TB
	dir string
}

func newDisk(t testing.TB) *disk {
	t.Helper()
	if os.Getuid() != 0 {
		missing(t, "mounting a small file system needs root")
	}
	k := &disk{t, folder(t)}
	if err := syscall.Mount("newleaf-test", k.dir, "tmpfs", 0, "size=1m"); err != nil {
		missing(t, "a small file system cannot be mounted here: "+err.Error())
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(k.dir, syscall.MNT_DETACH); err != nil {
			t.Errorf("unmounting %s: %v", k.dir, err)
		}
	})
	return k
}

func (k *disk) ballast() string { return filepath.Join(k.dir, "ballast") }

// fill takes all the space there is.
func (k *disk) fill() {
	f, err := os.Create(k.ballast())
	if err != nil {
		k.t.Error(err)
		return
	}
	defer f.Close()
	for size := 64 << 10; size > 0; {
		switch _, err := f.Write(make([]byte, size)); {
		case errors.Is(err, syscall.ENOSPC):
			size /= 2
		case err != nil:
			k.t.Error(err)
			return
		}
	}
}

func (k *disk) free() {
	k.t.Helper()
	if err := os.Remove(k.ballast()); err != nil {
		k.t.Fatal(err)
	}
}

// onDisk is a device with the store of Fig. 17A on a disk of its own, not yet
// started, beside an authority. What passes on its way to the authority is shown to see.
func onDisk(t testing.TB, see func(operation string), caArgs ...string) (*device, *authority, *disk) {
	t.Helper()
	k := newDisk(t)
	a := startAuthority(t, folder(t), caArgs...)
	d := newDevice(t, filepath.Join(k.dir, "device"))
	d.provision(connected(a), fx17A()...)
	d.start()
	d.do("connection", "set", "--url", via(t, a, see))
	return d, a, k
}

// via is an address at which a proxy passes everything on to a.
func via(t testing.TB, a *authority, see func(operation string)) string {
	t.Helper()
	target, err := url.Parse(a.url)
	if err != nil {
		t.Fatal(err)
	}
	to := httputil.NewSingleHostReverseProxy(&url.URL{Scheme: target.Scheme, Host: target.Host})
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if see != nil {
			see(r.URL.Query().Get("operation"))
		}
		to.ServeHTTP(w, r)
	}))
	t.Cleanup(proxy.Close)
	return proxy.URL + target.Path
}

// complains waits until the agent says that the disk is full.
func (d *device) complains() {
	d.t.Helper()
	eventually(d.t, "the agent says that the disk is full", func() bool {
		return strings.Contains(d.log.String(), "the disk is full or read-only")
	})
}

// through waits until no renewal is open.
func (d *device) through() {
	d.t.Helper()
	eventually(d.t, "the renewals are through", func() bool {
		for _, r := range d.renewals() {
			if r.open() {
				return false
			}
		}
		return true
	})
}

// whole checks that the issuance of Xyz4 ended as if the disk had never been full.
func (d *device) whole(a *authority) {
	d.t.Helper()
	d.holds("Xyz2:ipsec", "Xyz3:dot1x", "Bought", "Xyz4:tls")
	d.healthy()
	if n := len(a.register()); n != 1 {
		d.t.Errorf("the authority issued %d certificates for one need", n)
	}
	if seen, want := d.handshake(), d.named("Xyz4").SHA256; seen != want {
		d.t.Errorf("HTTPS serves %.8s, Xyz4 is %.8s", seen, want)
	}
}

func TestDiskFull(t *testing.T) {
	t.Run("F8-S820 full before anything: refused, nothing changes, it works once there is room", func(t *testing.T) {
		t.Parallel()
		d, a, k := onDisk(t, nil)
		k.fill()
		d.refuses(1, `the disk is full or read-only`, "Free space", d.issuing("Xyz4", "tls")...)
		d.refuses(1, `the disk is full or read-only`, "Free space", "deletion", "set", "--auto=no")
		d.holds("Xyz1:tls", "Xyz2:ipsec", "Xyz3:dot1x", "Old", "Gone", "Bought")
		if n := a.asked("PKIOperation"); n != 0 {
			t.Errorf("the authority was asked %d times", n)
		}
		k.free()
		d.do(d.issuing("Xyz4", "tls")...)
		d.whole(a)
	})
	t.Run("F8-S820 full while the request is out: the same certificate is fetched again", func(t *testing.T) {
		t.Parallel()
		var k *disk
		arm := make(chan struct{}, 1)
		d, a, k := onDisk(t, func(operation string) {
			if operation != "PKIOperation" {
				return
			}
			select {
			case <-arm:
				k.fill()
			default:
			}
		})
		arm <- struct{}{}
		d.do(d.issuing("Xyz4", "tls", "--wait", "0s")...)
		d.complains()
		d.holds("Xyz1:tls", "Xyz2:ipsec", "Xyz3:dot1x", "Old", "Gone", "Bought")
		k.free()
		d.through()
		d.whole(a)
	})
	t.Run("F8-G7 full while the purposes move: old or new holder, and on it goes", func(t *testing.T) {
		t.Parallel()
		d, a, k := onDisk(t, nil)
		d.stop(t)
		armed := filepath.Join(d.aside, "armed")
		d.config = filepath.Join(d.aside, "newleaf.toml")
		write(t, d.config, fmt.Sprintf("[[target]]\npurpose = \"tls:portal\"\naccept = \"assumed\"\nreload = [\"sh\", \"-c\", %q]\n",
			fmt.Sprintf("! rm %s || cat /dev/zero >%s || true", armed, k.ballast())))
		d.start()
		write(t, armed, "")
		d.do(d.issuing("Xyz4", "tls,tls:portal", "--wait", "0s")...)
		d.complains()
		if held := brief(d.certificates()); len(held) != 7 || held[0] != "Xyz1" || held[6] != "Xyz4:tls,tls:portal" {
			t.Errorf("the store holds %q", held)
		}
		k.free()
		d.through()
		d.holds("Xyz2:ipsec", "Xyz3:dot1x", "Bought", "Xyz4:tls,tls:portal")
		d.healthy()
		if n := len(a.register()); n != 1 {
			t.Errorf("the authority issued %d certificates for one need", n)
		}
	})
	t.Run("F19-G3 full when an owed deletion is due: it is carried out later", func(t *testing.T) {
		t.Parallel()
		d, _, k := onDisk(t, nil)
		d.do("deletion", "set", "--settle", "1h", "--rules", "replaced")
		d.do(d.issuing("Xyz4", "tls")...)
		k.fill()
		d.setClock(time.Now().Add(2*time.Hour), true)
		d.complains()
		d.holds("Xyz1", "Xyz2:ipsec", "Xyz3:dot1x", "Old", "Gone", "Bought", "Xyz4:tls")
		k.free()
		eventually(t, "the owed deletion is carried out", func() bool { return d.certificates()[0].Name != "Xyz1" })
		d.holds("Xyz2:ipsec", "Xyz3:dot1x", "Old", "Gone", "Bought", "Xyz4:tls")
		d.healthy()
	})
	t.Run("INV-09 killed on a full disk, started on a full disk", func(t *testing.T) {
		t.Parallel()
		d, a, k := onDisk(t, nil)
		k.fill()
		d.refuses(1, `the disk is full or read-only`, "Free space", "cert", "pin", "Old")
		if err := d.cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		<-d.ended
		if d.try(); d.address != "" {
			d.handshake()
			k.free()
		} else { // it may, if it says why
			isSentence(t, d.log.String(), `the disk is full or read-only`, "Free space")
			k.free()
			d.start()
		}
		d.holds("Xyz1:tls", "Xyz2:ipsec", "Xyz3:dot1x", "Old", "Gone", "Bought")
		d.do(d.issuing("Xyz4", "tls")...)
		d.whole(a)
	})
	t.Run("a disk that cannot be written: refused in a sentence, nothing is lost", func(t *testing.T) {
		t.Parallel()
		d, a, k := onDisk(t, nil)
		d.stop(t)
		remount := func(flags uintptr) {
			if err := syscall.Mount("newleaf-test", k.dir, "tmpfs", syscall.MS_REMOUNT|flags, "size=1m"); err != nil {
				t.Fatal(err)
			}
		}
		remount(syscall.MS_RDONLY)
		d.try()
		if d.address != "" || d.cmd.ProcessState.ExitCode() != 1 {
			t.Fatalf("the agent runs on a read-only disk, or ended with %v", d.cmd.ProcessState)
		}
		isSentence(t, d.log.String(), `read-only`, "Free space")
		remount(0)
		d.start()
		d.holds("Xyz1:tls", "Xyz2:ipsec", "Xyz3:dot1x", "Old", "Gone", "Bought")
		d.do(d.issuing("Xyz4", "tls")...)
		d.whole(a)
	})
}
