// Package newleaftest has what several test packages need: an authority without
// sockets, certificates in every state, a way behind the store's back. Only
// external test packages import it.
package newleaftest

import (
	"net/http"
	"testing"
	"time"

	"newleaf"
	"newleaf/internal/ca"
	"newleaf/internal/enroll"
	"newleaf/internal/scep"
)

// Authority is the lab authority, reached in process.
type Authority struct {
	*ca.CA
	Handler http.Handler
	Now     func() time.Time
	Down    bool // nothing answers
}

// NewAuthority opens one in a folder of the test. The challenge password is
// "secret" unless o has another. Authorities of the same options have the same
// keys and certificates; give one another Name where they have to differ.
func NewAuthority(t testing.TB, o ca.Options) *Authority {
	t.Helper()
	if o.Dir == "" {
		o.Dir = t.TempDir()
	}
	if o.Challenge == "" {
		o.Challenge = "secret"
	}
	remember := recall(t, o)
	c, err := ca.Open(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	remember()
	return &Authority{CA: c, Handler: c.Watch(scep.NewServer(c, scep.ServerOptions{})), Now: o.Now}
}

// Dial is a device's way to it.
func (a *Authority) Dial(c newleaf.Connection) (enroll.Client, error) {
	return scep.NewClient(c, scep.Options{Transport: a, Now: a.Now})
}
