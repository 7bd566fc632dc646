package api

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"time"

	"newleaf"
	"newleaf/internal/web"
)

const (
	// silence is how long a stream may say nothing: two heartbeats are missing.
	silence = 3 * heartbeat
	// attempts is how often in a row a stream is opened again, in about a minute.
	attempts = 8
	// eventLimit is the longest line of a stream.
	eventLimit = 1 << 20
)

// backoff waits before the given attempt: 1, 2, 4, 8, then 15 seconds.
func backoff(ctx context.Context, attempt int) error {
	t := time.NewTimer(min(time.Second<<min(attempt, 4), 15*time.Second))
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}

// received is one event as it came.
type received struct {
	id, event string
	data      []byte
}

// stream calls each for the events at path until each reports the end. A stream
// that breaks off once it was open is opened again where it stopped.
func (c *Client) stream(ctx context.Context, path string, each func(received) (end bool, err error)) error {
	last, opened, tries := "", false, 0
	for {
		var own error // of each: never a reason to try again
		err := c.listen(ctx, path, last, func(m received) (bool, error) {
			opened, tries = true, 0
			if m.id != "" {
				last = m.id
			}
			if m.event == "" && len(m.data) == 0 {
				return false, nil // a comment
			}
			end, err := each(m)
			own = err
			return end, err
		})
		if err == nil || own != nil {
			return err
		}
		if tries++; !opened || tries > attempts || !passing(err) {
			return err
		}
		if c.wait(ctx, tries-1) != nil {
			return c.failure(ctx, ctx.Err())
		}
	}
}

// passing reports a failure that a restart of the agent or a weak network explains.
func passing(err error) bool {
	switch newleaf.CodeOf(err) {
	case newleaf.CodeNotRunning, newleaf.CodeUnreachable, newleaf.CodeInterrupted:
		return true
	}
	return false
}

// listen reads one stream until each reports the end, which gives nil, or it
// breaks off. A stream that falls silent is broken.
func (c *Client) listen(ctx context.Context, path, last string, each func(received) (bool, error)) error {
	quiet, cancel := context.WithCancel(ctx)
	defer cancel()
	header := http.Header{"Accept": {eventStream}}
	if last != "" {
		header.Set(lastEventID, last)
	}
	alarm := time.AfterFunc(silence, cancel)
	defer alarm.Stop()
	resp, err := c.do(quiet, http.MethodGet, path, nil, header)
	if err != nil {
		return c.broken(ctx, quiet, err)
	}
	defer resp.Body.Close()
	lines := bufio.NewScanner(resp.Body)
	lines.Buffer(nil, eventLimit)
	var m received
	for lines.Scan() {
		alarm.Reset(silence)
		line := lines.Text()
		if line != "" {
			m.take(line)
			continue
		}
		end, err := each(m)
		if end || err != nil {
			return err
		}
		m = received{}
	}
	err = lines.Err()
	if err == nil {
		err = io.ErrUnexpectedEOF
	}
	return c.broken(ctx, quiet, c.failure(ctx, err))
}

// broken is err, or the silence that was the reason for it.
func (c *Client) broken(ctx, quiet context.Context, err error) error {
	if ctx.Err() == nil && quiet.Err() != nil {
		return newleaf.Errorf(newleaf.CodeInterrupted, "%s has fallen silent", c.peer())
	}
	return err
}

// take adds one line of an event (HTML, 9.2.6).
func (m *received) take(line string) {
	field, value, _ := strings.Cut(line, ":")
	value = strings.TrimPrefix(value, " ")
	switch field {
	case "id":
		m.id = value
	case "event":
		m.event = value
	case "data":
		m.data = append(m.data, value...)
	}
}

// decode reads the event's JSON; a failed one is its error.
func (m received) decode(v any) error {
	if m.event == eventFailed {
		var p web.Problem
		v = &p
		if err := json.Unmarshal(m.data, v); err == nil {
			return p.Err()
		}
	}
	if err := json.Unmarshal(m.data, v); err != nil {
		return newleaf.Errorf(newleaf.CodeBadAnswer, "an event cannot be read: %w", err).
			WithHint("Check the address of the device and its version.")
	}
	return nil
}

// Watch follows a renewal. A step that a new connection brings again is passed
// on once.
func (c *Client) Watch(ctx context.Context, id int64, step func(newleaf.Progress)) (newleaf.Renewal, error) {
	var out renewal
	seen := map[string]bool{}
	err := c.stream(ctx, "/updates/"+decimal(id)+"/watch", func(m received) (bool, error) {
		switch m.event {
		case eventDone:
			return true, m.decode(&out)
		case eventFailed:
			return true, m.decode(nil)
		case "":
			var p newleaf.Progress
			if err := m.decode(&p); err != nil {
				return true, err
			}
			if !seen[m.id] {
				seen[m.id] = m.id != ""
				step(p)
			}
		}
		return false, nil
	})
	return out.root(), err
}

// Follow passes on the events after since, then new ones.
func (c *Client) Follow(ctx context.Context, since int64, each func(newleaf.Event) error) error {
	return c.stream(ctx, "/events/follow?since="+decimal(since), func(m received) (bool, error) {
		switch m.event {
		case eventFailed:
			return true, m.decode(nil)
		case "":
			var e newleaf.Event
			if err := m.decode(&e); err != nil {
				return true, err
			}
			return false, each(e)
		}
		return false, nil
	})
}
