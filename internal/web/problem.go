package web

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"net/http"
	"strconv"

	"newleaf"
)

// ProblemType is the media type of every error (RFC 9457).
const ProblemType = "application/problem+json"

// errorsPage is where the codes are explained; the fragment is the code.
const errorsPage = "/api/v1/errors#"

// Problem is an error as it goes over the wire: RFC 9457 with the code and the
// hint of a [newleaf.Error]. Its detail is the error's sentence.
type Problem struct {
	Type   string       `json:"type"`
	Title  string       `json:"title"`
	Status int          `json:"status"`
	Detail string       `json:"detail"`
	Code   newleaf.Code `json:"code"`
	Hint   string       `json:"hint"`
}

// ProblemOf describes err, which must not be nil.
func ProblemOf(err error) Problem {
	e := newleaf.AsError(err)
	info := e.Code.Info()
	status := info.Status
	var s *statusError
	if errors.As(err, &s) {
		status = s.status
	}
	return Problem{Type: errorsPage + string(e.Code), Title: cmp.Or(info.Means, http.StatusText(status)),
		Status: status, Detail: e.Text, Code: e.Code, Hint: cmp.Or(e.Hint, info.Hint)}
}

// Err is the error that p describes.
func (p Problem) Err() *newleaf.Error {
	return &newleaf.Error{Code: p.Code, Text: p.Detail, Hint: p.Hint}
}

// statusError answers err with an HTTP status of its own instead of its code's,
// where HTTP is more exact than the codes are.
type statusError struct {
	error
	status int
}

func (s *statusError) Unwrap() error { return s.error }

// WithStatus answers err with this HTTP status.
func WithStatus(status int, err error) error { return &statusError{err, status} }

// Refuse answers a request with err. Headers must not have been sent.
func Refuse(w http.ResponseWriter, err error) {
	p := ProblemOf(err)
	if p.Status == http.StatusUnauthorized {
		w.Header().Set("WWW-Authenticate", `Bearer realm="newleaf"`)
	}
	WriteJSON(w, p.Status, ProblemType, p)
}

// WriteJSON answers with v. A v that cannot be encoded is a bug and becomes
// CodeInternal.
func WriteJSON(w http.ResponseWriter, status int, mediaType string, v any) {
	var body bytes.Buffer
	enc := json.NewEncoder(&body)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		Refuse(w, newleaf.Errorf(newleaf.CodeInternal, "encoding the answer: %w", err))
		return
	}
	w.Header().Set("Content-Type", mediaType)
	w.Header().Set("Content-Length", strconv.Itoa(body.Len()))
	w.WriteHeader(status)
	_, _ = w.Write(body.Bytes()) // a client that is gone needs no answer
}
