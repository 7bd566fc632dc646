package api

import (
	"context"
	"net/http"

	"newleaf"
)

// access is who may use a route.
type access int

const (
	byMethod access = iota // look for GET, change for all others
	look                   // any role; nothing changes
	change                 // an administrator
	local                  // an administrator who stands at the device
)

func (a access) of(method string) access {
	switch {
	case a != byMethod:
		return a
	case method == http.MethodGet:
		return look
	}
	return change
}

// allow decides whether the actor of ctx may.
func (a access) allow(actor newleaf.Actor) error {
	admin := actor.Role == newleaf.Administrator
	switch {
	case !admin && actor.Role != newleaf.Viewer:
		return newleaf.Errorf(newleaf.CodeForbidden, "%s has no role on this device", actor.Name)
	case a == look:
		return nil
	case !admin:
		return newleaf.Errorf(newleaf.CodeForbidden, "%s may look at the device and not change it", actor.Name)
	case a == local && !actor.Local:
		return newleaf.Errorf(newleaf.CodeForbidden, "tokens are managed at the device only").
			WithHint("Use \"newleaf token\" on the device, as root.")
	}
	return nil
}

// asker is the actor of ctx. No request comes from the agent itself, so one
// without an actor comes from a listener that forgot to ask who it is.
func asker(ctx context.Context) (newleaf.Actor, error) {
	a := newleaf.ActorOf(ctx)
	if a == newleaf.ActorOf(context.Background()) {
		return a, newleaf.Errorf(newleaf.CodeUnauthorized, "it is not known who asks")
	}
	return a, nil
}
