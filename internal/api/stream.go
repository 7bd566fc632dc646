package api

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"sync"

	"newleaf/internal/web"
)

const (
	eventStream = "text/event-stream"
	lastEventID = "Last-Event-ID"
)

// The events of a stream besides the unnamed ones that carry its news.
const (
	eventDone   = "done"   // the last one: the renewal as it then is
	eventFailed = "failed" // the last one: a problem
)

// message is one server-sent event.
type message struct {
	id    string
	event string // "" for news
	data  any    // becomes one line of JSON
}

// feed emits messages until it is through or ctx ends.
type feed func(ctx context.Context, send func(message) error) error

// stream starts a feed and writes what it emits as server-sent events, with a
// comment as heartbeat in between. It ends when the feed does, the client goes,
// or the server stops; of an error of the feed itself the client is told.
func (s *server) stream(c *call, start func(*call) (feed, error)) {
	news, err := start(c)
	if err != nil {
		web.Refuse(c.w, err)
		return
	}
	ctx, cancel := web.Streaming(c.ctx)
	defer cancel()
	out := &eventWriter{w: c.w, rc: http.NewResponseController(c.w), broken: cancel}
	c.w.Header().Set("Content-Type", eventStream)
	c.w.WriteHeader(http.StatusOK)
	if c.r.Method == http.MethodHead || out.comment("open") != nil {
		return
	}
	defer s.heartbeats(ctx, cancel, out)()
	if err := news(ctx, out.message); err != nil && ctx.Err() == nil {
		_ = out.message(message{event: eventFailed, data: web.ProblemOf(err)}) // the end either way
	}
}

// heartbeats writes comments until ctx ends. The function it returns ends ctx
// and waits for that, as nothing may be written after the handler returns.
func (s *server) heartbeats(ctx context.Context, cancel context.CancelFunc, out *eventWriter) (end func()) {
	ticks, stop := s.beat()
	var beats sync.WaitGroup
	beats.Go(func() {
		for {
			select {
			case <-ctx.Done():
				return
			case <-ticks:
				_ = out.comment("still here") // a failure has ended ctx
			}
		}
	})
	return func() {
		stop()
		cancel()
		beats.Wait()
	}
}

// eventWriter writes whole events, from several goroutines. The first failure
// ends the stream.
type eventWriter struct {
	mu     sync.Mutex
	w      http.ResponseWriter
	rc     *http.ResponseController
	broken context.CancelFunc
}

func (o *eventWriter) comment(text string) error { return o.write([]byte(": " + text + "\n\n")) }

func (o *eventWriter) message(m message) error {
	var b bytes.Buffer
	if m.id != "" {
		fmt.Fprintf(&b, "id: %s\n", m.id)
	}
	if m.event != "" {
		fmt.Fprintf(&b, "event: %s\n", m.event)
	}
	raw, err := json.Marshal(tidy(Wire(m.data)))
	if err != nil {
		return fmt.Errorf("encoding an event: %w", err)
	}
	fmt.Fprintf(&b, "data: %s\n\n", raw)
	return o.write(b.Bytes())
}

func (o *eventWriter) write(p []byte) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	_, err := o.w.Write(p)
	if err == nil {
		err = o.rc.Flush()
	}
	if err != nil {
		o.broken()
	}
	return err
}
