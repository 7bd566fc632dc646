package ca

import (
	"net/http"
	"slices"
	"sync"
	"time"
)

// Exchange is one HTTP request as it arrived, whatever became of it.
type Exchange struct {
	At        time.Time `json:"at"`
	Peer      string    `json:"peer"`
	Method    string    `json:"method"`
	Path      string    `json:"path"`
	Operation string    `json:"operation"` // of the query (RFC 8894, 4.1)
	Message   string    `json:"message"`   // of the query, its first characters
	Length    int64     `json:"length"`    // of the body; -1 where it was not said
}

// trafficLimit and messageLimit bound what is remembered.
const (
	trafficLimit = 1000
	messageLimit = 64
)

// traffic remembers the latest exchanges. It is safe for concurrent use.
type traffic struct {
	mu   sync.Mutex
	list []Exchange
}

func (t *traffic) add(e Exchange) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.list) == trafficLimit {
		t.list = slices.Delete(t.list, 0, trafficLimit/10)
	}
	t.list = append(t.list, e)
}

// Exchanges lists the latest HTTP requests that came through [CA.Watch], oldest
// first. They are not stored.
func (c *CA) Exchanges() []Exchange {
	c.traffic.mu.Lock()
	defer c.traffic.mu.Unlock()
	return append([]Exchange{}, c.traffic.list...)
}

// Watch remembers every request to a protocol server before it is answered, so
// that a test sees what a device sent, and that it sent nothing.
func (c *CA) Watch(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		q := r.URL.Query()
		message := q.Get("message")
		c.traffic.add(Exchange{
			At: c.now().UTC(), Peer: r.RemoteAddr, Method: r.Method, Path: r.URL.Path, Operation: q.Get("operation"),
			Message: message[:min(len(message), messageLimit)], Length: r.ContentLength,
		})
		next.ServeHTTP(w, r)
	})
}
