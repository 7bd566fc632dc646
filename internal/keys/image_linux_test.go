package keys_test

import (
	"bytes"
	"database/sql"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"

	"newleaf/internal/keys"
)

// onImage runs f with a folder on a fresh ext4 file system and gives back the raw
// bytes of the disk below it, taken once while mounted and once afterwards.
func onImage(t *testing.T, f func(dir string)) (during, after []byte) {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("mounting needs root")
	}
	image, dir := filepath.Join(t.TempDir(), "image"), t.TempDir()
	file, err := os.Create(image)
	if err != nil {
		t.Fatal(err)
	}
	if err := file.Truncate(32 << 20); err != nil {
		t.Fatal(err)
	}
	if err := file.Close(); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("mkfs.ext4", "-q", image).CombinedOutput(); err != nil {
		t.Skipf("mkfs.ext4 does not work here: %v %s", err, out)
	}
	if out, err := exec.Command("mount", "-o", "loop,data=ordered", image, dir).CombinedOutput(); err != nil {
		t.Skipf("mounting a loop device does not work here: %v %s", err, out)
	}
	unmount := func() {
		if err := syscall.Unmount(dir, 0); err != nil {
			t.Errorf("unmounting %s: %v", dir, err)
			_ = syscall.Unmount(dir, syscall.MNT_DETACH)
		}
	}
	mounted := true
	defer func() {
		if mounted {
			unmount()
		}
	}()
	f(dir)
	if during, err = os.ReadFile(image); err != nil {
		t.Fatal(err)
	}
	unmount()
	mounted = false
	if after, err = os.ReadFile(image); err != nil {
		t.Fatal(err)
	}
	return during, after
}

// Overwriting in place leaves nothing of an old generation on an ext4 disk. The
// live one, and an old one that was kept, are found: so the search works.
func TestRawDisk(t *testing.T) {
	for name, keep := range map[string]bool{"rotation": false, "rotation that keeps the old generation": true} {
		t.Run(name, func(t *testing.T) {
			var old [][]byte
			var live []byte
			var survivors []keys.Sealed
			during, after := onImage(t, func(dir string) {
				s := openState(t, dir)
				defer s.close(t)
				if keep {
					s.v.KeepOld()
				}
				for range 4 {
					gone := s.add(t, 3)
					old = append(old, s.v.KEK())
					s.destroy(t, gone, nowhere)
				}
				// One more that crashes between the commit and the end.
				survivors = s.add(t, 2)
				r, err := s.v.Begin()
				if err != nil {
					t.Fatal(err)
				}
				old = append(old, s.v.KEK())
				s.write(t, func(tx *sql.Tx) error { return replace(tx, r, nil) })
				if live = r.KEK(); !keep {
					openVault(t, s.kek(), s.live(t))
				}
			})
			for when, disk := range map[string][]byte{"mounted": during, "unmounted": after} {
				if !bytes.Contains(disk, live) {
					t.Errorf("%s: the live key-encryption key is not found", when)
				}
				if !bytes.Contains(disk, survivors[0].Blob) {
					t.Errorf("%s: the surviving rows are not found", when)
				}
				found := 0
				for _, kek := range old {
					if bytes.Contains(disk, kek) {
						found++
					}
				}
				// Each slot is overwritten by the generation after the next in any case.
				if want := map[bool]int{false: 0, true: 1}[keep]; found != want {
					t.Errorf("%s: %d of %d old generations are on the disk, want %d", when, found, len(old), want)
				}
			}
		})
	}
}
