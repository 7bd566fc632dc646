package api

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"newleaf"
)

var root0 = newleaf.Actor{Name: "root", Role: newleaf.Administrator, Local: true}

// never is a heart that does not beat.
func never() (<-chan time.Time, func()) { return nil, func() {} }

// serveAs serves s to one actor and returns a client of it.
func serveAs(t *testing.T, s http.Handler, a newleaf.Actor) (*Client, *httptest.Server) {
	t.Helper()
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.ServeHTTP(w, r.WithContext(newleaf.WithActor(r.Context(), a)))
	}))
	t.Cleanup(srv.Close)
	c := NewClient(srv.URL, srv.Client().Transport, "")
	c.wait = func(ctx context.Context, _ int) error { return ctx.Err() }
	return c, srv
}

var errEnough = errors.New("enough")

// calls has one or more calls for each method of a device; what they return is
// compared between near and far.
var deviceCalls = []struct {
	method string
	do     func(ctx context.Context, d newleaf.Device) (any, error)
}{
	{"Status", func(ctx context.Context, d newleaf.Device) (any, error) { return d.Status(ctx) }},
	{"Doctor", func(ctx context.Context, d newleaf.Device) (any, error) { return d.Doctor(ctx) }},
	{"Restart", func(ctx context.Context, d newleaf.Device) (any, error) { return nil, d.Restart(ctx) }},
	{"List", func(ctx context.Context, d newleaf.Device) (any, error) { return d.List(ctx) }},
	{"Certificate", func(ctx context.Context, d newleaf.Device) (any, error) { return d.Certificate(ctx, "Xyz1") }},
	{"Certificate", func(ctx context.Context, d newleaf.Device) (any, error) { return d.Certificate(ctx, "a/b c?d#e%2Fä") }},
	{"Certificate", func(ctx context.Context, d newleaf.Device) (any, error) { return d.Certificate(ctx, "..") }},
	{"Certificate", func(ctx context.Context, d newleaf.Device) (any, error) { return d.Certificate(ctx, "a//../b") }},
	{"Generate", func(ctx context.Context, d newleaf.Device) (any, error) {
		return d.Generate(ctx, filled[newleaf.Generation]())
	}},
	{"Generate", func(ctx context.Context, d newleaf.Device) (any, error) { return d.Generate(ctx, newleaf.Generation{}) }},
	{"Import", func(ctx context.Context, d newleaf.Device) (any, error) {
		return d.Import(ctx, filled[newleaf.Import]())
	}},
	{"Import", func(ctx context.Context, d newleaf.Device) (any, error) {
		return d.Import(ctx, newleaf.Import{Data: []byte("x")})
	}},
	{"Export", func(ctx context.Context, d newleaf.Device) (any, error) {
		return d.Export(ctx, "Xyz1", newleaf.FormatDER, "")
	}},
	{"Export", func(ctx context.Context, d newleaf.Device) (any, error) {
		return d.Export(ctx, "Xyz1", newleaf.FormatPKCS12, "")
	}},
	{"Export", func(ctx context.Context, d newleaf.Device) (any, error) {
		return d.Export(ctx, "Xyz1", newleaf.FormatPKCS12, "ä&=\"")
	}},
	{"Export", func(ctx context.Context, d newleaf.Device) (any, error) { return d.Export(ctx, "Xyz1", "odd&x", "") }},
	{"Delete", func(ctx context.Context, d newleaf.Device) (any, error) { return nil, d.Delete(ctx, "Xyz1", true) }},
	{"Delete", func(ctx context.Context, d newleaf.Device) (any, error) { return nil, d.Delete(ctx, "Xyz1", false) }},
	{"Pin", func(ctx context.Context, d newleaf.Device) (any, error) { return d.Pin(ctx, "Xyz1", true) }},
	{"Pin", func(ctx context.Context, d newleaf.Device) (any, error) { return d.Pin(ctx, "Xyz1", false) }},
	{"SetPurposes", func(ctx context.Context, d newleaf.Device) (any, error) {
		return d.SetPurposes(ctx, "Xyz1", []newleaf.Purpose{"tls", "ipsec:hq"})
	}},
	{"SetPurposes", func(ctx context.Context, d newleaf.Device) (any, error) { return d.SetPurposes(ctx, "Xyz1", nil) }},
	{"SetRequest", func(ctx context.Context, d newleaf.Device) (any, error) {
		return d.SetRequest(ctx, "Xyz1", filled[newleaf.Request]())
	}},
	{"FetchAnchors", func(ctx context.Context, d newleaf.Device) (any, error) { return d.FetchAnchors(ctx, "hq", "ab:cd") }},
	{"ConfirmAnchors", func(ctx context.Context, d newleaf.Device) (any, error) { return d.ConfirmAnchors(ctx, "hq") }},
	{"AnchorList", func(ctx context.Context, d newleaf.Device) (any, error) { return d.AnchorList(ctx) }},
	{"AddAnchor", func(ctx context.Context, d newleaf.Device) (any, error) {
		return d.AddAnchor(ctx, "", []byte("\x00\xff-----BEGIN"))
	}},
	{"RemoveAnchor", func(ctx context.Context, d newleaf.Device) (any, error) { return nil, d.RemoveAnchor(ctx, "abcd") }},
	{"ConnectionList", func(ctx context.Context, d newleaf.Device) (any, error) { return d.ConnectionList(ctx) }},
	{"SetConnection", func(ctx context.Context, d newleaf.Device) (any, error) {
		return d.SetConnection(ctx, filled[newleaf.Connection]())
	}},
	{"SetConnection", func(ctx context.Context, d newleaf.Device) (any, error) {
		return d.SetConnection(ctx, newleaf.Connection{Name: "a/b"})
	}},
	{"RemoveConnection", func(ctx context.Context, d newleaf.Device) (any, error) { return nil, d.RemoveConnection(ctx, "h q/1") }},
	{"TestConnection", func(ctx context.Context, d newleaf.Device) (any, error) { return d.TestConnection(ctx, "hq") }},
	{"Issue", func(ctx context.Context, d newleaf.Device) (any, error) { return d.Issue(ctx, filled[newleaf.Issue]()) }},
	{"Issue", func(ctx context.Context, d newleaf.Device) (any, error) { return d.Issue(ctx, newleaf.Issue{}) }},
	{"Update", func(ctx context.Context, d newleaf.Device) (any, error) {
		p, r, err := d.Update(ctx, []string{"Xyz1", "Xyz2"}, false)
		return []any{p, r}, err
	}},
	{"Update", func(ctx context.Context, d newleaf.Device) (any, error) {
		p, r, err := d.Update(ctx, nil, true)
		return []any{p, r}, err
	}},
	{"Renewals", func(ctx context.Context, d newleaf.Device) (any, error) { return d.Renewals(ctx) }},
	{"Renewal", func(ctx context.Context, d newleaf.Device) (any, error) { return d.Renewal(ctx, 7) }},
	{"CancelRenewal", func(ctx context.Context, d newleaf.Device) (any, error) { return d.CancelRenewal(ctx, 7) }},
	{"RetryRenewal", func(ctx context.Context, d newleaf.Device) (any, error) { return d.RetryRenewal(ctx, 1<<40) }},
	{"Watch", func(ctx context.Context, d newleaf.Device) (any, error) {
		var steps []newleaf.Progress
		r, err := d.Watch(ctx, 7, func(p newleaf.Progress) { steps = append(steps, p) })
		return []any{steps, r}, err
	}},
	{"Reservation", func(ctx context.Context, d newleaf.Device) (any, error) { return d.Reservation(ctx) }},
	{"SetReservation", func(ctx context.Context, d newleaf.Device) (any, error) {
		return d.SetReservation(ctx, filled[newleaf.Reservation]())
	}},
	{"SetReservation", func(ctx context.Context, d newleaf.Device) (any, error) {
		return d.SetReservation(ctx, newleaf.Reservation{})
	}},
	{"PlanReservation", func(ctx context.Context, d newleaf.Device) (any, error) {
		return d.PlanReservation(ctx, filled[newleaf.ForecastQuery]())
	}},
	{"PlanReservation", func(ctx context.Context, d newleaf.Device) (any, error) {
		return d.PlanReservation(ctx, newleaf.ForecastQuery{Count: 3})
	}},
	{"Deletion", func(ctx context.Context, d newleaf.Device) (any, error) { return d.Deletion(ctx) }},
	{"SetDeletion", func(ctx context.Context, d newleaf.Device) (any, error) {
		return d.SetDeletion(ctx, filled[newleaf.DeletionPolicy]())
	}},
	{"SetDeletion", func(ctx context.Context, d newleaf.Device) (any, error) {
		return d.SetDeletion(ctx, newleaf.DeletionPolicy{})
	}},
	{"PlanDeletion", func(ctx context.Context, d newleaf.Device) (any, error) {
		p := filled[newleaf.DeletionPolicy]()
		return d.PlanDeletion(ctx, []newleaf.Purpose{"tls"}, &p)
	}},
	{"PlanDeletion", func(ctx context.Context, d newleaf.Device) (any, error) { return d.PlanDeletion(ctx, nil, nil) }},
	{"Settings", func(ctx context.Context, d newleaf.Device) (any, error) { return d.Settings(ctx) }},
	{"SetSettings", func(ctx context.Context, d newleaf.Device) (any, error) {
		return d.SetSettings(ctx, filled[newleaf.Settings]())
	}},
	{"SetSettings", func(ctx context.Context, d newleaf.Device) (any, error) {
		return d.SetSettings(ctx, newleaf.Settings{})
	}},
	{"Events", func(ctx context.Context, d newleaf.Device) (any, error) { return d.Events(ctx, 1<<40, 33) }},
	{"Follow", func(ctx context.Context, d newleaf.Device) (any, error) {
		var events []newleaf.Event
		err := d.Follow(ctx, 41, func(e newleaf.Event) error {
			if events = append(events, e); len(events) == 2 {
				return errEnough
			}
			return nil
		})
		if errors.Is(err, errEnough) {
			err = nil
		}
		return events, err
	}},
	{"CreateToken", func(ctx context.Context, d newleaf.Device) (any, error) {
		tok, secret, err := d.CreateToken(ctx, filled[newleaf.NewToken]())
		return []any{tok, secret}, err
	}},
	{"TokenList", func(ctx context.Context, d newleaf.Device) (any, error) { return d.TokenList(ctx) }},
	{"RevokeToken", func(ctx context.Context, d newleaf.Device) (any, error) { return nil, d.RevokeToken(ctx, "t/1") }},
}

func TestEveryMethodHasACall(t *testing.T) {
	for m := range reflect.TypeFor[newleaf.Device]().Methods() {
		if !slices.ContainsFunc(deviceCalls, func(c struct {
			method string
			do     func(ctx context.Context, d newleaf.Device) (any, error)
		}) bool {
			return c.method == m.Name
		}) {
			t.Errorf("no call for %s of newleaf.Device", m.Name)
		}
	}
}

// TestFarIsLikeNear runs each call against a device and against a client of it:
// the device is asked the same by the same actor, and answers the same. Empty
// and nil lists count as equal, as JSON has one form for both.
func TestFarIsLikeNear(t *testing.T) {
	for _, bare := range []bool{false, true} {
		dev := &fake{bare: bare}
		far, srv := serveAs(t, newServer(dev, never), root0)
		s := newServer(dev, never)
		doc := &documented{t: t, next: srv.Client().Transport, mux: s.routed(), doc: document(s.routes())}
		far.http.Transport = doc
		for i, c := range deviceCalls {
			name := c.method + strconv.Itoa(i)
			if bare {
				name += "-bare"
			}
			t.Run(name, func(t *testing.T) {
				doc.t = t
				ctx, cancel := context.WithCancel(newleaf.WithActor(t.Context(), root0))
				defer cancel()
				wantResult, wantErr := c.do(ctx, dev)
				want := dev.notes()
				gotResult, gotErr := c.do(ctx, far)
				got := slices.DeleteFunc(dev.notes(), func(n note) bool { return c.method == "Watch" && n.Name == "Renewal" })
				if wantErr != nil || gotErr != nil {
					t.Fatalf("near: %v, far: %v", wantErr, gotErr)
				}
				if d := cmp.Diff(want, got, cmpopts.EquateEmpty()); d != "" {
					t.Errorf("the device was asked something else (-near +far):\n%s", d)
				}
				if d := cmp.Diff(wantResult, gotResult, cmpopts.EquateEmpty()); d != "" {
					t.Errorf("the answer differs (-near +far):\n%s", d)
				}
			})
		}
	}
}

// documented checks each answer and each request against the OpenAPI document.
type documented struct {
	t    *testing.T
	next http.RoundTripper
	mux  *http.ServeMux
	doc  *huma.OpenAPI
}

func (d *documented) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := d.next.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	_, pattern := d.mux.Handler(r)
	method, path, _ := strings.Cut(pattern, " ")
	item := d.doc.Paths[path]
	op := map[string]*huma.Operation{"GET": item.Get, "POST": item.Post, "PUT": item.Put, "DELETE": item.Delete}[method]
	answer := op.Responses[strconv.Itoa(resp.StatusCode)]
	if answer == nil {
		d.t.Errorf("%s: the status %d is not documented", pattern, resp.StatusCode)
		return resp, nil
	}
	media := answer.Content["application/json"]
	if media == nil {
		return resp, nil
	}
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil, err
	}
	resp.Body = io.NopCloser(bytes.NewReader(raw))
	var v any
	if err := json.Unmarshal(raw, &v); err != nil {
		return nil, err
	}
	res := &huma.ValidateResult{}
	huma.Validate(d.doc.Components.Schemas, media.Schema, huma.NewPathBuffer(nil, 0), huma.ModeReadFromServer, v, res)
	for _, e := range res.Errors {
		d.t.Errorf("%s answers against its document: %v", pattern, e)
	}
	return resp, nil
}

// TestNoPlainDuration: nowhere does JSON show a time.Duration as a number.
func TestNoPlainDuration(t *testing.T) {
	seen := map[reflect.Type]bool{}
	var walk func(reflect.Type, string)
	walk = func(ty reflect.Type, path string) {
		if ty == reflect.TypeFor[time.Duration]() {
			t.Errorf("%s is a time.Duration", path)
		}
		if seen[ty] || ty == reflect.TypeFor[time.Time]() {
			return
		}
		seen[ty] = true
		switch ty.Kind() {
		case reflect.Pointer, reflect.Slice, reflect.Map:
			walk(ty.Elem(), path)
		case reflect.Struct:
			for _, f := range reflect.VisibleFields(ty) {
				if !f.Anonymous && f.Tag.Get("json") != "-" {
					walk(f.Type, path+"."+f.Name)
				}
			}
		}
	}
	for _, r := range newServer(&fake{}, never).routes() {
		for _, v := range []any{Wire(r.reply), r.body} {
			if v != nil {
				walk(reflect.TypeOf(v), r.id)
			}
		}
	}
}
