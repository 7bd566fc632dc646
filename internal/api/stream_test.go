package api

import (
	"bufio"
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"newleaf"
)

// TestStreamOnTheWire reads what a browser would.
func TestStreamOnTheWire(t *testing.T) {
	ticks := make(chan time.Time)
	emit := make(chan newleaf.Event)
	ended := make(chan struct{})
	dev := &fake{follow: func(ctx context.Context, since int64, each func(newleaf.Event) error) error {
		defer close(ended)
		for {
			select {
			case <-ctx.Done():
				return ctx.Err()
			case e := <-emit:
				if err := each(e); err != nil {
					return err
				}
			}
		}
	}}
	_, srv := serveAs(t, newServer(dev, func() (<-chan time.Time, func()) { return ticks, func() {} }), root0)
	resp, err := srv.Client().Get(srv.URL + root + "/events/follow")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if ct := resp.Header.Get("Content-Type"); ct != "text/event-stream" {
		t.Errorf("Content-Type %q", ct)
	}
	lines := bufio.NewScanner(resp.Body)
	next := func() string {
		t.Helper()
		if !lines.Scan() {
			t.Fatalf("the stream ended: %v", lines.Err())
		}
		return lines.Text()
	}
	expect := func(want ...string) {
		t.Helper()
		for _, w := range want {
			if got := next(); got != w {
				t.Fatalf("got %q, want %q", got, w)
			}
		}
	}
	expect(": open", "")
	ticks <- time.Time{}
	expect(": still here", "")
	emit <- newleaf.Event{ID: 42, Text: "two\nlines"}
	expect("id: 42")
	if data := next(); !strings.HasPrefix(data, `data: {"id":42,`) || !strings.Contains(data, `two\nlines`) {
		t.Errorf("got %q", data)
	}
	expect("")
	resp.Body.Close() // the client goes: the handler ends
	<-ended
}

// TestFollowGoesOn where it stopped when the connection breaks.
func TestFollowGoesOn(t *testing.T) {
	dev := &fake{}
	dev.follow = func(ctx context.Context, since int64, each func(newleaf.Event) error) error {
		dev.note(ctx, "Follow", since)
		for id := since + 1; id <= since+2; id++ {
			if err := each(newleaf.Event{ID: id}); err != nil {
				return err
			}
		}
		panic(http.ErrAbortHandler)
	}
	far, _ := serveAs(t, newServer(dev, never), root0)
	var got []int64
	err := far.Follow(t.Context(), 10, func(e newleaf.Event) error {
		if got = append(got, e.ID); e.ID == 15 {
			return errEnough
		}
		return nil
	})
	if !errors.Is(err, errEnough) {
		t.Errorf("Follow gave %v, want the callback's error", err)
	}
	if d := cmp.Diff([]int64{11, 12, 13, 14, 15}, got); d != "" {
		t.Error(d)
	}
	var asked []any
	for _, n := range dev.notes() {
		asked = append(asked, n.Args...)
	}
	if d := cmp.Diff([]any{int64(10), int64(12), int64(14)}, asked); d != "" {
		t.Error(d)
	}
}

// TestFollowGivesUp when the agent stays away, and when the caller does.
func TestFollowGivesUp(t *testing.T) {
	dev := &fake{follow: func(context.Context, int64, func(newleaf.Event) error) error { panic(http.ErrAbortHandler) }}
	far, srv := serveAs(t, newServer(dev, never), root0)
	waits := 0
	far.wait = func(context.Context, int) error {
		if waits++; waits == 1 {
			srv.Close()
		}
		return nil
	}
	if err := far.Follow(t.Context(), 0, nil); newleaf.CodeOf(err) != newleaf.CodeUnreachable || waits != attempts {
		t.Errorf("after %d waits: %v", waits, err)
	}

	near := &fake{}
	far, _ = serveAs(t, newServer(near, never), root0)
	ctx, cancel := context.WithCancel(t.Context())
	err := far.Follow(ctx, 0, func(newleaf.Event) error { cancel(); return nil })
	if !errors.Is(err, context.Canceled) || newleaf.CodeOf(err) != newleaf.CodeCancelled {
		t.Errorf("given up: %v", err)
	}
}

// TestWatchPassesEachStepOnce although a device begins from the start when asked again.
func TestWatchPassesEachStepOnce(t *testing.T) {
	all := filled[[]newleaf.Progress]()
	all = append(all, newleaf.Progress{Text: "three"})
	var rounds atomic.Int32
	dev := &fake{watch: func(_ context.Context, id int64, step func(newleaf.Progress)) (newleaf.Renewal, error) {
		round := int(rounds.Add(1))
		for _, p := range all[:round] {
			step(p)
		}
		if round < len(all) {
			panic(http.ErrAbortHandler)
		}
		return newleaf.Renewal{ID: id, Phase: newleaf.PhaseDone}, nil
	}}
	far, _ := serveAs(t, newServer(dev, never), root0)
	var got []newleaf.Progress
	r, err := far.Watch(t.Context(), 7, func(p newleaf.Progress) { got = append(got, p) })
	if err != nil || r.ID != 7 || r.Phase != newleaf.PhaseDone {
		t.Errorf("%+v, %v", r, err)
	}
	if d := cmp.Diff(all, got); d != "" {
		t.Error(d)
	}
}

// TestWatchFails: before the first step as an HTTP error, later as an event.
func TestWatchFails(t *testing.T) {
	gone := newleaf.Errorf(newleaf.CodeNotFound, "there is no renewal 7")
	far, _ := serveAs(t, newServer(&fake{err: gone}, never), root0)
	if _, err := far.Watch(t.Context(), 7, nil); newleaf.CodeOf(err) != newleaf.CodeNotFound {
		t.Errorf("unknown: %v", err)
	}
	dev := &fake{watch: func(_ context.Context, _ int64, step func(newleaf.Progress)) (newleaf.Renewal, error) {
		step(newleaf.Progress{Text: "one"})
		return newleaf.Renewal{}, newleaf.Errorf(newleaf.CodeDamaged, "the entry is damaged").WithHint("Look.")
	}}
	far, _ = serveAs(t, newServer(dev, never), root0)
	steps := 0
	_, err := far.Watch(t.Context(), 7, func(newleaf.Progress) { steps++ })
	var e *newleaf.Error
	if !errors.As(err, &e) || e.Code != newleaf.CodeDamaged || e.Text != "the entry is damaged" || e.Hint != "Look." || steps != 1 {
		t.Errorf("after %d steps: %#v", steps, err)
	}
}

// TestRacingHeartbeats: events and heartbeats do not mix.
func TestRacingHeartbeats(t *testing.T) {
	ticks := make(chan time.Time)
	stop := make(chan struct{})
	go func() {
		for {
			select {
			case ticks <- time.Time{}:
			case <-stop:
				return
			}
		}
	}()
	defer close(stop)
	dev := &fake{follow: func(ctx context.Context, _ int64, each func(newleaf.Event) error) error {
		for id := int64(1); ; id++ {
			if err := each(newleaf.Event{ID: id}); err != nil {
				return err
			}
		}
	}}
	far, _ := serveAs(t, newServer(dev, func() (<-chan time.Time, func()) { return ticks, func() {} }), root0)
	var got []int64
	err := far.Follow(t.Context(), 0, func(e newleaf.Event) error {
		if got = append(got, e.ID); e.ID == 500 {
			return errEnough
		}
		return nil
	})
	if !errors.Is(err, errEnough) || len(got) != 500 || !slices.IsSorted(got) {
		t.Errorf("%v after %d events", err, len(got))
	}
}
