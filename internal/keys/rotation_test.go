package keys_test

import (
	"bytes"
	"database/sql"
	"errors"
	"maps"
	"sync"
	"testing"

	"newleaf/internal/keys"
)

// checkState opens a copy of the state folder, as after a crash: every stored
// key opens, and the key file holds no other generation.
func checkState(t *testing.T, files map[string][]byte, wantKeys int, generations map[uint64][]byte) {
	t.Helper()
	s := openState(t, restore(t, files))
	left := s.rows(t)
	if len(left) != wantKeys {
		t.Errorf("%d keys, want %d", len(left), wantKeys)
	}
	for _, k := range left {
		if _, err := s.v.Open(k); err != nil {
			t.Error(err)
		}
	}
	content := s.files(t)["kek"]
	for n, kek := range generations {
		if got := bytes.Contains(content, kek); got != (n == s.v.Generation()) {
			t.Errorf("live is %d; the key file holds generation %d: %v", s.v.Generation(), n, got)
		}
	}
	if ok, err := keys.SlotDestroyed(s.kek(), s.v.Generation()+1); err != nil || !ok {
		t.Errorf("the other slot is not destroyed (%v)", err)
	}
}

func TestCrashMatrix(t *testing.T) {
	s := openState(t, t.TempDir())
	gone := s.add(t, 3)
	s.add(t, 4)
	copies := make(map[string]map[string][]byte)
	kek := map[uint64][]byte{s.v.Generation(): s.v.KEK()}
	r := s.destroy(t, gone, func(step string) { copies[step] = s.files(t) })
	kek[r.Generation()] = r.KEK()

	wantKeys := map[string]int{"before": 7, "begun": 7, "not committed": 7, "committed to the database": 4, "after": 4}
	if len(copies) != len(wantKeys) {
		t.Fatalf("%d steps, want %d", len(copies), len(wantKeys))
	}
	for step, files := range copies {
		t.Run(step, func(t *testing.T) { checkState(t, files, wantKeys[step], kek) })
	}
	// A write of a slot that was cut off after some sectors.
	torn := func(name, from, to string) {
		for sectors := 1; sectors < 8; sectors++ {
			files := maps.Clone(copies[from])
			slot := int(r.Generation()%2) * 4096
			if from != "before" {
				slot = 4096 - slot // the old generation's
			}
			cut := bytes.Clone(files["kek"])
			copy(cut[slot:slot+sectors*512], copies[to]["kek"][slot:])
			files["kek"] = cut
			t.Run(name, func(t *testing.T) { checkState(t, files, wantKeys[from], kek) })
		}
	}
	torn("new slot half written", "before", "begun")
	torn("old slot half overwritten", "committed to the database", "after")
}

func TestAbort(t *testing.T) {
	s := openState(t, t.TempDir())
	s.add(t, 3)
	r, err := s.v.Begin()
	if err != nil {
		t.Fatal(err)
	}
	generations := map[uint64][]byte{1: s.v.KEK(), 2: r.KEK()}
	failure := errors.New("the disk is full")
	err = s.db.Write(t.Context(), func(tx *sql.Tx) error { return errors.Join(replace(tx, r, nil), failure) })
	if !errors.Is(err, failure) {
		t.Fatal(err)
	}
	if err := r.Abort(); err != nil {
		t.Fatal(err)
	}
	checkState(t, s.files(t), 3, generations)
	if err := r.Commit(); err == nil {
		t.Error("an aborted rotation was committed")
	}
	if _, err := r.Rewrap(s.rows(t)[0]); err == nil {
		t.Error("an aborted rotation rewraps")
	}
	s.destroy(t, nil, nowhere) // the next one works
	checkState(t, s.files(t), 3, nil)
}

func TestRotationRules(t *testing.T) {
	v := openVault(t, kekPath(t), 0)
	old := seal(t, v, generate(t, "p256"))
	lost := seal(t, v, generate(t, "p256"))
	secret, err := v.SealBytes("challenge", []byte("secret"))
	if err != nil {
		t.Fatal(err)
	}
	r, err := v.Begin()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := v.Begin(); !errors.Is(err, keys.ErrRotating) {
		t.Errorf("a second rotation: got %v, want ErrRotating", err)
	}
	renewed, err := r.Rewrap(old)
	if err != nil {
		t.Fatal(err)
	}
	if renewed.Generation != 2 || renewed.ID != old.ID || !bytes.Equal(renewed.Blob, old.Blob) || bytes.Equal(renewed.Wrapped, old.Wrapped) {
		t.Error("rewrapping must change generation and wrapped data key and nothing else")
	}
	if secret, err = r.Rewrap(secret); err != nil {
		t.Fatal(err)
	}
	damaged := old
	damaged.Wrapped = damaged.Wrapped[1:]
	if _, err := r.Rewrap(damaged); !errors.Is(err, keys.ErrDamaged) {
		t.Errorf("got %v, want ErrDamaged", err)
	}
	for name, s := range map[string]keys.Sealed{"old": old, "renewed": renewed} {
		if _, err := v.Open(s); err != nil {
			t.Errorf("%s during the rotation: %v", name, err)
		}
	}
	if got := seal(t, v, generate(t, "p256")).Generation; got != 1 {
		t.Errorf("sealed under generation %d before the commit", got)
	}
	for range 2 { // the second time only destroys once more
		if err := r.Commit(); err != nil {
			t.Fatal(err)
		}
	}
	if err := r.Abort(); err != nil {
		t.Errorf("Abort after Commit: %v", err)
	}
	if _, err := v.Open(renewed); err != nil {
		t.Error(err)
	}
	if got, err := v.OpenBytes(secret); err != nil || string(got) != "secret" {
		t.Errorf("secret: %q, %v", got, err)
	}
	for _, s := range []keys.Sealed{old, lost} {
		if _, err := v.Open(s); !errors.Is(err, keys.ErrDestroyed) {
			t.Errorf("got %v, want ErrDestroyed", err)
		}
	}
}

// A late Commit of an earlier rotation must not touch what came after it.
func TestCommitAgainAfterTheNextRotation(t *testing.T) {
	path := kekPath(t)
	v := openVault(t, path, 0)
	first, err := v.Begin()
	if err != nil {
		t.Fatal(err)
	}
	if err := first.Commit(); err != nil {
		t.Fatal(err)
	}
	second, err := v.Begin()
	if err != nil {
		t.Fatal(err)
	}
	if err := first.Commit(); err != nil {
		t.Fatal(err)
	}
	if err := second.Commit(); err != nil {
		t.Fatal(err)
	}
	if err := first.Commit(); err != nil {
		t.Fatal(err)
	}
	openVault(t, path, 3)
}

// Keys are sealed and stored while others are destroyed; none is lost.
func TestSealDuringRotations(t *testing.T) {
	s := openState(t, t.TempDir())
	const writers, each = 4, 25
	var group sync.WaitGroup
	for range writers {
		group.Go(func() {
			for range each {
				for {
					sealed, err := s.v.Seal(generate(t, "p256"), false)
					if err == nil {
						err = s.db.Write(t.Context(), put(sealed))
					}
					if errors.Is(err, errStale) {
						continue
					}
					if err != nil {
						t.Error(err)
					}
					break
				}
			}
		})
	}
	done := make(chan struct{})
	go func() { group.Wait(); close(done) }()
	for n := 0; ; n++ {
		s.destroy(t, nil, nowhere)
		select {
		case <-done:
			t.Logf("%d rotations", n)
			if n == 0 {
				t.Error("there was no rotation in between")
			}
			checkState(t, s.files(t), writers*each, nil)
			return
		default:
		}
	}
}
