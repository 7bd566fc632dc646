package web

import (
	"net/http"
	"time"
)

// unstalled breaks a connection off when the peer does not take the answer for
// limit. It bounds each write, not the whole answer, as http.Server's
// WriteTimeout does, which would end every stream.
func unstalled(next http.Handler, limit time.Duration) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		out := &patientWriter{ResponseWriter: w, rc: http.NewResponseController(w), limit: limit}
		next.ServeHTTP(out, r)
		if out.written > unbuffered {
			_ = out.FlushError() // net/http would wait for its last part without a limit
		}
	})
}

// unbuffered is more than net/http holds back before it sends headers.
const unbuffered = 2048

// past is a deadline that has passed by any clock: setting it ends a pending
// write at once.
var past = time.Unix(1, 0)

// patientWriter bounds Write and Flush. Unwrap lets http.ResponseController
// reach the rest.
type patientWriter struct {
	http.ResponseWriter
	rc      *http.ResponseController
	limit   time.Duration
	written int
}

func (w *patientWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

func (w *patientWriter) Write(p []byte) (int, error) {
	defer w.watch().Stop()
	w.written += len(p)
	return w.ResponseWriter.Write(p)
}

// FlushError is what http.ResponseController calls for Flush.
func (w *patientWriter) FlushError() error {
	defer w.watch().Stop()
	return w.rc.Flush()
}

func (w *patientWriter) watch() *time.Timer {
	return time.AfterFunc(w.limit, func() { _ = w.rc.SetWriteDeadline(past) })
}
