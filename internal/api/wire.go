package api

import (
	"encoding/json"
	"slices"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"newleaf"
)

// The types of this file differ from the root's in how they write lengths of
// time, in what a request may leave out, and in what is for reading only. A
// field that is named here hides the embedded one of the same name.

// Wire returns v, a value of the root package or a slice of such, in the form
// that encodes as the API shows it. Other values are returned as they are.
func Wire(v any) any {
	switch v := v.(type) {
	case newleaf.Connection:
		return connection{v, Period(v.Timeout)}
	case newleaf.ConnectionInfo:
		return wireConnection(v)
	case []newleaf.ConnectionInfo:
		return each(v, wireConnection)
	case newleaf.Reservation:
		return wireReservation(v)
	case newleaf.ReservationInfo:
		return reservationInfo{v, Period(v.Before), Period(v.Every), Period(v.Jitter)}
	case newleaf.ForecastQuery:
		q := forecastQuery{ForecastQuery: v}
		if v.Unsaved != nil {
			r := wireReservation(*v.Unsaved)
			q.Unsaved = &r
		}
		return q
	case newleaf.Import:
		return importing{v, v.Key}
	case newleaf.DeletionPolicy:
		return wirePolicy(v)
	case newleaf.DeletionInfo:
		return deletionInfo{v, (*Period)(v.ExpiredMargin), (*Period)(v.ProofLimit), Period(v.Settle)}
	case newleaf.Renewal:
		return wireRenewal(v)
	case []newleaf.Renewal:
		return each(v, wireRenewal)
	case newleaf.Status:
		s := status{Status: v, Running: each(v.Running, wireRenewal)}
		if v.Last != nil {
			r := wireRenewal(*v.Last)
			s.Last = &r
		}
		return s
	}
	return v
}

func each[T, W any](in []T, f func(T) W) []W {
	out := make([]W, len(in))
	for i, v := range in {
		out[i] = f(v)
	}
	return out
}

type connection struct {
	newleaf.Connection
	Timeout Period `json:"timeout"`
}

type connectionInfo struct {
	newleaf.ConnectionInfo
	Timeout Period `json:"timeout"`
}

func wireConnection(v newleaf.ConnectionInfo) connectionInfo {
	return connectionInfo{v, Period(v.Timeout)}
}

func (w connectionInfo) root() newleaf.ConnectionInfo {
	w.ConnectionInfo.Timeout = time.Duration(w.Timeout)
	return w.ConnectionInfo
}

// TransformSchema lets what GET shows be put back, and the name stand in the
// path alone.
func (connectionInfo) TransformSchema(_ huma.Registry, s *huma.Schema) *huma.Schema {
	return optional(readOnly(s, "endpoint", "passwordStored", "anchors", "warning"), "name")
}

type reservation struct {
	newleaf.Reservation
	Before Period `json:"before"`
	Every  Period `json:"every"`
	Jitter Period `json:"jitter"`
}

func wireReservation(v newleaf.Reservation) reservation {
	return reservation{v, Period(v.Before), Period(v.Every), Period(v.Jitter)}
}

func (w reservation) root() newleaf.Reservation {
	r := w.Reservation
	r.Before, r.Every, r.Jitter = time.Duration(w.Before), time.Duration(w.Every), time.Duration(w.Jitter)
	return r
}

type reservationInfo struct {
	newleaf.ReservationInfo
	Before Period `json:"before"`
	Every  Period `json:"every"`
	Jitter Period `json:"jitter"`
}

func (w reservationInfo) root() newleaf.ReservationInfo {
	i := w.ReservationInfo
	i.Reservation = reservation{i.Reservation, w.Before, w.Every, w.Jitter}.root()
	return i
}

func (reservationInfo) TransformSchema(_ huma.Registry, s *huma.Schema) *huma.Schema {
	return readOnly(s, "next", "warnings")
}

type forecastQuery struct {
	newleaf.ForecastQuery
	Unsaved *reservation `json:"unsaved,omitempty"`
}

func (w forecastQuery) root() newleaf.ForecastQuery {
	q := w.ForecastQuery
	if w.Unsaved != nil {
		r := w.Unsaved.root()
		q.Unsaved = &r
	}
	return q
}

type policy struct {
	newleaf.DeletionPolicy
	ExpiredMargin *Period `json:"expiredMargin"`
	ProofLimit    *Period `json:"proofLimit"`
	Settle        Period  `json:"settle"`
}

func wirePolicy(v newleaf.DeletionPolicy) policy {
	return policy{v, (*Period)(v.ExpiredMargin), (*Period)(v.ProofLimit), Period(v.Settle)}
}

func (w policy) root() newleaf.DeletionPolicy {
	p := w.DeletionPolicy
	p.ExpiredMargin, p.ProofLimit = (*time.Duration)(w.ExpiredMargin), (*time.Duration)(w.ProofLimit)
	p.Settle = time.Duration(w.Settle)
	return p
}

func (policy) TransformSchema(_ huma.Registry, s *huma.Schema) *huma.Schema { return nullMargins(s) }

type deletionInfo struct {
	newleaf.DeletionInfo
	ExpiredMargin *Period `json:"expiredMargin"`
	ProofLimit    *Period `json:"proofLimit"`
	Settle        Period  `json:"settle"`
}

func (w deletionInfo) root() newleaf.DeletionInfo {
	i := w.DeletionInfo
	i.DeletionPolicy = policy{i.DeletionPolicy, w.ExpiredMargin, w.ProofLimit, w.Settle}.root()
	return i
}

func (deletionInfo) TransformSchema(_ huma.Registry, s *huma.Schema) *huma.Schema {
	return nullMargins(readOnly(s, "stored", "capacity", "owed", "warnings"))
}

type snapshot struct {
	newleaf.RunSnapshot
	Policy policy `json:"policy"`
}

type renewal struct {
	newleaf.Renewal
	Snapshot snapshot `json:"snapshot"`
}

func wireRenewal(v newleaf.Renewal) renewal {
	return renewal{v, snapshot{v.Snapshot, wirePolicy(v.Snapshot.Policy)}}
}

func (w renewal) root() newleaf.Renewal {
	r := w.Renewal
	r.Snapshot = w.Snapshot.RunSnapshot
	r.Snapshot.Policy = w.Snapshot.Policy.root()
	return r
}

type status struct {
	newleaf.Status
	Running []renewal `json:"running"`
	Last    *renewal  `json:"last"`
}

func (w status) root() newleaf.Status {
	s := w.Status
	s.Running = each(w.Running, renewal.root)
	if w.Last != nil {
		r := w.Last.root()
		s.Last = &r
	}
	return s
}

// issue, generation and importing fill in what a fresh form proposes.
type issue struct{ newleaf.Issue }

func (w *issue) UnmarshalJSON(raw []byte) error {
	w.Request = newleaf.DefaultRequest()
	return json.Unmarshal(raw, &w.Issue)
}

func (issue) TransformSchema(_ huma.Registry, s *huma.Schema) *huma.Schema {
	return required(s, "name")
}

type generation struct{ newleaf.Generation }

func (w *generation) UnmarshalJSON(raw []byte) error {
	w.Key = newleaf.RSA2048
	return json.Unmarshal(raw, &w.Generation)
}

func (generation) TransformSchema(_ huma.Registry, s *huma.Schema) *huma.Schema {
	s.Properties["key"].Default = newleaf.RSA2048
	return required(s, "name", "subject", "days")
}

type importing struct {
	newleaf.Import
	Key []byte `json:"key,omitempty"`
}

func (w importing) root() newleaf.Import {
	i := w.Import
	i.Key = w.Key
	return i
}

func (importing) TransformSchema(_ huma.Registry, s *huma.Schema) *huma.Schema {
	return required(s, "name", "data")
}

// readOnly marks what a PUT may bring along from a GET and does not change.
func readOnly(s *huma.Schema, names ...string) *huma.Schema {
	for _, n := range names {
		s.Properties[n].ReadOnly = true
	}
	return s
}

func required(s *huma.Schema, names ...string) *huma.Schema {
	s.Required = names
	return s
}

func optional(s *huma.Schema, names ...string) *huma.Schema {
	s.Required = slices.DeleteFunc(s.Required, func(n string) bool { return slices.Contains(names, n) })
	return s
}

func nullMargins(s *huma.Schema) *huma.Schema {
	s.Properties["expiredMargin"], s.Properties["proofLimit"] = periodSchema(true), periodSchema(true)
	return s
}
