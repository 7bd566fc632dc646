package newleaftest

import (
	"bytes"
	"cmp"
	"errors"
	"io"
	"net/http"

	"newleaf"
)

// RoundTrip answers without a socket, so that simulated time keeps running. A
// handler that gives up its connection looks to the peer as it does over TCP: no
// answer, or one that breaks off.
func (a *Authority) RoundTrip(r *http.Request) (*http.Response, error) {
	if a.Down {
		return nil, newleaf.Errorf(newleaf.CodeUnreachable, "the authority is down")
	}
	w := &answer{header: http.Header{}, status: http.StatusOK}
	err := w.serve(a.Handler, r)
	if err != nil && w.body.Len() == 0 {
		return nil, err
	}
	return &http.Response{
		StatusCode: w.status, Status: http.StatusText(w.status), Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: w.header, ContentLength: -1, Request: r, Body: io.NopCloser(io.MultiReader(&w.body, broken{err})),
	}, nil
}

// longest is how much of an answer is taken before the peer hangs up, in bytes.
const longest = 2 << 20

// answer is what a handler wrote.
type answer struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func (w *answer) Header() http.Header    { return w.header }
func (w *answer) WriteHeader(status int) { w.status = status }
func (w *answer) Flush()                 {}

func (w *answer) Write(b []byte) (int, error) {
	if w.body.Len() > longest {
		return 0, errors.New("the peer hung up")
	}
	return w.body.Write(b)
}

// serve runs h until it returns or gives up the connection.
func (w *answer) serve(h http.Handler, r *http.Request) (err error) {
	defer func() {
		switch p := recover(); p {
		case nil:
		case http.ErrAbortHandler:
			err = cmp.Or(r.Context().Err(), io.ErrUnexpectedEOF)
		default:
			panic(p)
		}
	}()
	h.ServeHTTP(w, r)
	return nil
}

// broken ends an answer: well where there is no error.
type broken struct{ error }

func (b broken) Read([]byte) (int, error) { return 0, cmp.Or(b.error, io.EOF) }
