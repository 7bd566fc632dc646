package api

import (
	"context"
	"fmt"
	"reflect"
	"sync"
	"time"

	"newleaf"
)

// fake is a device that notes what it is asked and answers with values in which
// every field is set, or, when bare, with zero ones.
type fake struct {
	mu     sync.Mutex
	asked  []note
	err    error
	bare   bool
	watch  func(ctx context.Context, id int64, step func(newleaf.Progress)) (newleaf.Renewal, error)
	follow func(ctx context.Context, since int64, each func(newleaf.Event) error) error
}

type note struct {
	Actor newleaf.Actor
	Name  string
	Args  []any
}

func (f *fake) note(ctx context.Context, name string, args ...any) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.asked = append(f.asked, note{newleaf.ActorOf(ctx), name, args})
}

func (f *fake) notes() []note {
	f.mu.Lock()
	defer f.mu.Unlock()
	out := f.asked
	f.asked = nil
	return out
}

func answer[T any](f *fake, ctx context.Context, name string, args ...any) (T, error) {
	f.note(ctx, name, args...)
	var v T
	if f.err == nil && !f.bare {
		n := 0
		fill(reflect.ValueOf(&v).Elem(), &n)
	}
	return v, f.err
}

func (f *fake) nothing(ctx context.Context, name string, args ...any) error {
	f.note(ctx, name, args...)
	return f.err
}

// filled is a T in which every field differs from its zero value.
func filled[T any]() T {
	var v T
	n := 0
	fill(reflect.ValueOf(&v).Elem(), &n)
	return v
}

func fill(v reflect.Value, n *int) {
	*n++
	switch v.Interface().(type) {
	case time.Time:
		v.Set(reflect.ValueOf(time.Date(2027, 3, 1, 4, 0, *n, 123456789, time.UTC)))
		return
	case time.Duration:
		v.SetInt(int64(36*time.Hour) + int64(*n)*int64(time.Second))
		return
	case []byte:
		v.SetBytes([]byte{0, 0xff, byte(*n)})
		return
	}
	switch v.Kind() {
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int, reflect.Int64:
		v.SetInt(int64(*n))
	case reflect.String:
		v.SetString(fmt.Sprintf("<text %d> ä", *n))
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(v.Elem(), n)
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 2, 2))
		fill(v.Index(0), n)
		fill(v.Index(1), n)
	case reflect.Map:
		key, value := reflect.New(v.Type().Key()).Elem(), reflect.New(v.Type().Elem()).Elem()
		fill(key, n)
		fill(value, n)
		v.Set(reflect.MakeMap(v.Type()))
		v.SetMapIndex(key, value)
	case reflect.Struct:
		for i := range v.NumField() {
			if f := v.Type().Field(i); f.IsExported() && f.Tag.Get("json") != "-" {
				fill(v.Field(i), n)
			}
		}
	default:
		panic("no value for a " + v.Type().String())
	}
}

var _ newleaf.Device = (*fake)(nil)

func (f *fake) Status(ctx context.Context) (newleaf.Status, error) {
	return answer[newleaf.Status](f, ctx, "Status")
}
func (f *fake) Doctor(ctx context.Context) ([]newleaf.Finding, error) {
	return answer[[]newleaf.Finding](f, ctx, "Doctor")
}
func (f *fake) Restart(ctx context.Context) error { return f.nothing(ctx, "Restart") }
func (f *fake) List(ctx context.Context) ([]newleaf.Listed, error) {
	return answer[[]newleaf.Listed](f, ctx, "List")
}
func (f *fake) Certificate(ctx context.Context, ref string) (newleaf.Detail, error) {
	return answer[newleaf.Detail](f, ctx, "Certificate", ref)
}
func (f *fake) Generate(ctx context.Context, g newleaf.Generation) (newleaf.Listed, error) {
	return answer[newleaf.Listed](f, ctx, "Generate", g)
}
func (f *fake) Import(ctx context.Context, i newleaf.Import) (newleaf.Listed, error) {
	return answer[newleaf.Listed](f, ctx, "Import", i)
}
func (f *fake) Export(ctx context.Context, ref string, format newleaf.Format, passphrase string) ([]byte, error) {
	return answer[[]byte](f, ctx, "Export", ref, format, passphrase)
}
func (f *fake) Delete(ctx context.Context, ref string, force bool) error {
	return f.nothing(ctx, "Delete", ref, force)
}
func (f *fake) Pin(ctx context.Context, ref string, pinned bool) (newleaf.Listed, error) {
	return answer[newleaf.Listed](f, ctx, "Pin", ref, pinned)
}
func (f *fake) SetPurposes(ctx context.Context, ref string, purposes []newleaf.Purpose) (newleaf.Listed, error) {
	return answer[newleaf.Listed](f, ctx, "SetPurposes", ref, purposes)
}
func (f *fake) SetRequest(ctx context.Context, ref string, r newleaf.Request) (newleaf.Request, error) {
	return answer[newleaf.Request](f, ctx, "SetRequest", ref, r)
}
func (f *fake) FetchAnchors(ctx context.Context, connection, thumbprint string) ([]newleaf.AnchorInfo, error) {
	return answer[[]newleaf.AnchorInfo](f, ctx, "FetchAnchors", connection, thumbprint)
}
func (f *fake) ConfirmAnchors(ctx context.Context, connection string) ([]newleaf.AnchorInfo, error) {
	return answer[[]newleaf.AnchorInfo](f, ctx, "ConfirmAnchors", connection)
}
func (f *fake) AnchorList(ctx context.Context) ([]newleaf.AnchorInfo, error) {
	return answer[[]newleaf.AnchorInfo](f, ctx, "AnchorList")
}
func (f *fake) AddAnchor(ctx context.Context, connection string, pem []byte) ([]newleaf.AnchorInfo, error) {
	return answer[[]newleaf.AnchorInfo](f, ctx, "AddAnchor", connection, pem)
}
func (f *fake) RemoveAnchor(ctx context.Context, id newleaf.ID) error {
	return f.nothing(ctx, "RemoveAnchor", id)
}
func (f *fake) ConnectionList(ctx context.Context) ([]newleaf.ConnectionInfo, error) {
	return answer[[]newleaf.ConnectionInfo](f, ctx, "ConnectionList")
}
func (f *fake) SetConnection(ctx context.Context, c newleaf.Connection) (newleaf.ConnectionInfo, error) {
	return answer[newleaf.ConnectionInfo](f, ctx, "SetConnection", c)
}
func (f *fake) RemoveConnection(ctx context.Context, name string) error {
	return f.nothing(ctx, "RemoveConnection", name)
}
func (f *fake) TestConnection(ctx context.Context, name string) (newleaf.ConnectionTest, error) {
	return answer[newleaf.ConnectionTest](f, ctx, "TestConnection", name)
}
func (f *fake) Issue(ctx context.Context, i newleaf.Issue) (newleaf.Renewal, error) {
	return answer[newleaf.Renewal](f, ctx, "Issue", i)
}
func (f *fake) Update(ctx context.Context, refs []string, dryRun bool) ([]newleaf.Planned, []newleaf.Renewal, error) {
	p, err := answer[[]newleaf.Planned](f, ctx, "Update", refs, dryRun)
	if f.bare || err != nil {
		return p, nil, err
	}
	return p, filled[[]newleaf.Renewal](), nil
}
func (f *fake) Renewals(ctx context.Context) ([]newleaf.Renewal, error) {
	return answer[[]newleaf.Renewal](f, ctx, "Renewals")
}
func (f *fake) Renewal(ctx context.Context, id int64) (newleaf.Renewal, error) {
	return answer[newleaf.Renewal](f, ctx, "Renewal", id)
}
func (f *fake) CancelRenewal(ctx context.Context, id int64) (newleaf.Renewal, error) {
	return answer[newleaf.Renewal](f, ctx, "CancelRenewal", id)
}
func (f *fake) RetryRenewal(ctx context.Context, id int64) (newleaf.Renewal, error) {
	return answer[newleaf.Renewal](f, ctx, "RetryRenewal", id)
}
func (f *fake) Watch(ctx context.Context, id int64, step func(newleaf.Progress)) (newleaf.Renewal, error) {
	if f.watch != nil {
		return f.watch(ctx, id, step)
	}
	for _, p := range filled[[]newleaf.Progress]() {
		step(p)
	}
	return answer[newleaf.Renewal](f, ctx, "Watch", id)
}
func (f *fake) Reservation(ctx context.Context) (newleaf.ReservationInfo, error) {
	return answer[newleaf.ReservationInfo](f, ctx, "Reservation")
}
func (f *fake) SetReservation(ctx context.Context, r newleaf.Reservation) (newleaf.ReservationInfo, error) {
	return answer[newleaf.ReservationInfo](f, ctx, "SetReservation", r)
}
func (f *fake) PlanReservation(ctx context.Context, q newleaf.ForecastQuery) ([]newleaf.Planned, error) {
	return answer[[]newleaf.Planned](f, ctx, "PlanReservation", q)
}
func (f *fake) Deletion(ctx context.Context) (newleaf.DeletionInfo, error) {
	return answer[newleaf.DeletionInfo](f, ctx, "Deletion")
}
func (f *fake) SetDeletion(ctx context.Context, p newleaf.DeletionPolicy) (newleaf.DeletionInfo, error) {
	return answer[newleaf.DeletionInfo](f, ctx, "SetDeletion", p)
}
func (f *fake) PlanDeletion(ctx context.Context, purposes []newleaf.Purpose, p *newleaf.DeletionPolicy) ([]newleaf.Verdict, error) {
	return answer[[]newleaf.Verdict](f, ctx, "PlanDeletion", purposes, p)
}
func (f *fake) Settings(ctx context.Context) (newleaf.Settings, error) {
	return answer[newleaf.Settings](f, ctx, "Settings")
}
func (f *fake) SetSettings(ctx context.Context, s newleaf.Settings) (newleaf.Settings, error) {
	return answer[newleaf.Settings](f, ctx, "SetSettings", s)
}
func (f *fake) Events(ctx context.Context, since int64, limit int) ([]newleaf.Event, error) {
	return answer[[]newleaf.Event](f, ctx, "Events", since, limit)
}
func (f *fake) Follow(ctx context.Context, since int64, each func(newleaf.Event) error) error {
	if f.follow != nil {
		return f.follow(ctx, since, each)
	}
	f.note(ctx, "Follow", since)
	if f.err != nil {
		return f.err
	}
	for _, e := range filled[[]newleaf.Event]() {
		if err := each(e); err != nil {
			return err
		}
	}
	<-ctx.Done()
	return ctx.Err()
}
func (f *fake) CreateToken(ctx context.Context, t newleaf.NewToken) (newleaf.Token, string, error) {
	out, err := answer[newleaf.Token](f, ctx, "CreateToken", t)
	return out, "nl_1_secret", err
}
func (f *fake) TokenList(ctx context.Context) ([]newleaf.Token, error) {
	return answer[[]newleaf.Token](f, ctx, "TokenList")
}
func (f *fake) RevokeToken(ctx context.Context, id string) error {
	return f.nothing(ctx, "RevokeToken", id)
}
