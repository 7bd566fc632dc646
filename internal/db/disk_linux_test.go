package db_test

import (
	"database/sql"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"unsafe"

	"newleaf/internal/db"
)

// mounted mounts device (see mount(8)) for the time of the test, or skips it.
func mounted(t *testing.T, args ...string) string {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("mounting needs root")
	}
	dir := t.TempDir()
	if out, err := exec.Command("mount", append(args, dir)...).CombinedOutput(); err != nil {
		t.Skipf("mount %s does not work here: %s", strings.Join(args, " "), out)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, 0); err != nil {
			t.Errorf("unmounting %s: %v", dir, err)
			_ = syscall.Unmount(dir, syscall.MNT_DETACH)
		}
	})
	return dir
}

// ext4 makes an image file with an ext4 file system in it, or skips the test.
func ext4(t *testing.T) string {
	t.Helper()
	image := filepath.Join(t.TempDir(), "image")
	if err := os.WriteFile(image, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(image, 32<<20); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("mkfs.ext4", "-q", image).CombinedOutput(); err != nil {
		t.Skipf("mkfs.ext4 does not work here: %v %s", err, out)
	}
	return image
}

func TestFullByPageCount(t *testing.T) {
	d := open(t, temp(t))
	limit := func(pages string) {
		t.Helper()
		err := d.Read(t.Context(), func(tx *sql.Tx) error {
			_, err := tx.Exec(`PRAGMA max_page_count = ` + pages)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := d.Write(t.Context(), insert(1, "a")); err != nil {
		t.Fatal(err)
	}
	limit("1") // SQLite takes it as the present size
	big := strings.Repeat("x", 100_000)
	for name, err := range map[string]error{
		"Write":  d.Write(t.Context(), insert(2, big)),
		"Submit": d.Submit(t.Context(), insert(2, big)),
	} {
		if !db.IsFull(err) || db.IsReadOnly(err) || db.IsIO(err) {
			t.Errorf("%s: got %v, want one that IsFull", name, err)
		}
	}
	want(t, d, 1)
	limit("1000")
	if err := d.Write(t.Context(), insert(3, big)); err != nil {
		t.Errorf("with room again: %v", err)
	}
	want(t, d, 1, 3)
}

// Acknowledged rows stay, refused ones are not there, and work goes on once there is room.
func TestFullFileSystem(t *testing.T) {
	for name, mount := range map[string]func() []string{
		"tmpfs": func() []string { return []string{"-t", "tmpfs", "-o", "size=2m", "tmpfs"} },
		"ext4":  func() []string { return []string{"-o", "loop", ext4(t)} },
	} {
		t.Run(name, func(t *testing.T) {
			dir := mounted(t, mount()...)
			path := filepath.Join(dir, "store.db")
			d := open(t, path)
			ballast := filepath.Join(dir, "ballast")
			fill(t, ballast)
			var acked []int
			big := strings.Repeat("x", 3000)
			var full error
			for id := 0; id < 10_000 && full == nil; id++ {
				if full = d.Write(t.Context(), insert(id, big)); full == nil {
					acked = append(acked, id)
				}
			}
			if !db.IsFull(full) {
				t.Fatalf("got %v, want one that IsFull", full)
			}
			if err := d.Submit(t.Context(), insert(20_000, big)); !db.IsFull(err) {
				t.Errorf("Submit: got %v, want one that IsFull", err)
			}
			want(t, d, acked...)
			if _, err := db.Open(filepath.Join(dir, "second.db"), db.Options{Migrations: migrations}); !db.IsFull(err) {
				t.Errorf("Open: got %v, want one that IsFull", err)
			}
			if err := os.Remove(ballast); err != nil {
				t.Fatal(err)
			}
			if err := d.Write(t.Context(), insert(30_000, big)); err != nil {
				t.Errorf("with room again: %v", err)
			}
			if err := d.Close(); err != nil {
				t.Fatal(err)
			}
			again := open(t, path)
			want(t, again, append(acked, 30_000)...)
			if err := again.Close(); err != nil { // before the file system goes
				t.Fatal(err)
			}
		})
	}
}

// fill leaves no free block in the file system of path.
func fill(t *testing.T, path string) {
	t.Helper()
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for size := 1 << 20; size >= 512; {
		switch _, err := f.Write(make([]byte, size)); {
		case errors.Is(err, syscall.ENOSPC):
			size /= 2
		case err != nil:
			t.Fatal(err)
		}
	}
	_ = f.Sync() // ext4 may find here that it is full
}

func TestReadOnlyFileSystem(t *testing.T) {
	dir := mounted(t, "-t", "tmpfs", "-o", "size=2m", "tmpfs")
	path := filepath.Join(dir, "store.db")
	d := open(t, path)
	if err := errors.Join(d.Write(t.Context(), insert(1, "a")), d.Close()); err != nil {
		t.Fatal(err)
	}
	remount := func(flags uintptr) {
		t.Helper()
		if err := syscall.Mount("", dir, "", syscall.MS_REMOUNT|flags, ""); err != nil {
			t.Fatal(err)
		}
	}
	remount(syscall.MS_RDONLY)
	for _, name := range []string{"store.db", "new.db"} {
		if _, err := db.Open(filepath.Join(dir, name), db.Options{Migrations: migrations}); !db.IsReadOnly(err) {
			t.Errorf("%s: got %v, want one that IsReadOnly", name, err)
		}
	}
	remount(0)
	again := open(t, path)
	want(t, again, 1)
	if err := again.Close(); err != nil {
		t.Fatal(err)
	}
}

// The image file behind a mounted file system holds what has reached the disk
// and nothing else. A copy of it is the disk after a power cut.
func TestPowerCut(t *testing.T) {
	image := ext4(t)
	dir := mounted(t, "-o", "loop", image)
	d := open(t, filepath.Join(dir, "store.db"))
	var acked []int
	for cut := range 2 {
		for range 5 {
			for _, put := range []func() error{
				func() error { return d.Write(t.Context(), insert(len(acked), "a")) },
				func() error { return d.Submit(t.Context(), insert(len(acked), "a")) },
			} {
				if err := put(); err != nil {
					t.Fatal(err)
				}
				acked = append(acked, len(acked))
			}
		}
		// The control: this one is not synced, and must be lost for the test to mean anything.
		if err := os.WriteFile(filepath.Join(dir, "unsynced"), make([]byte, 1000), 0o600); err != nil {
			t.Fatal(err)
		}
		func() {
			content, err := os.ReadFile(image)
			if err != nil {
				t.Fatal(err)
			}
			disk := filepath.Join(t.TempDir(), "cut")
			if err := os.WriteFile(disk, content, 0o600); err != nil {
				t.Fatal(err)
			}
			found := mounted(t, "-o", "loop", disk)
			if info, err := os.Stat(filepath.Join(found, "unsynced")); cut == 0 && err == nil && info.Size() > 0 {
				t.Skip("this machine wrote the unsynced file as well")
			}
			after := open(t, filepath.Join(found, "store.db"))
			want(t, after, acked...)
			if err := after.Close(); err != nil {
				t.Fatal(err)
			}
		}()
	}
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
}

// The disk dies under the store: the caller learns that it cannot know, and
// what was acknowledged before is there when the disk is back.
func TestDeadDisk(t *testing.T) {
	image := ext4(t)
	t.Run("dies", func(t *testing.T) {
		dir := mounted(t, "-o", "loop", image)
		d := open(t, filepath.Join(dir, "store.db"))
		if err := d.Write(t.Context(), insert(1, "a")); err != nil {
			t.Fatal(err)
		}
		shutdown(t, dir)
		if err := d.Write(t.Context(), insert(2, "b")); !db.IsIO(err) || !errors.Is(err, db.ErrUncertain) {
			t.Errorf("got %v, want one that IsIO and ErrUncertain", err)
		}
		if err := d.Submit(t.Context(), insert(3, "c")); err == nil {
			t.Error("a change was acknowledged")
		}
	})
	t.Run("is back", func(t *testing.T) {
		dir := mounted(t, "-o", "loop", image)
		d := open(t, filepath.Join(dir, "store.db"))
		if got := ids(t, d); len(got) == 0 || got[0] != 1 {
			t.Errorf("rows %v, want the acknowledged row 1", got)
		}
		if err := d.Close(); err != nil {
			t.Fatal(err)
		}
	})
}

// shutdown makes every further access to the file system fail (EXT4_IOC_SHUTDOWN, nothing flushed).
func shutdown(t *testing.T, dir string) {
	t.Helper()
	f, err := os.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	flags := uint32(2)
	if _, _, errno := syscall.Syscall(syscall.SYS_IOCTL, f.Fd(), 0x8004587d, uintptr(unsafe.Pointer(&flags))); errno != 0 {
		t.Skipf("shutting down an ext4 file system does not work here: %v", errno)
	}
}
