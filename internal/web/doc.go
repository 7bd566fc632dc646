// Package web is the HTTP floor of the agent: its two listeners (a unix socket
// and HTTPS), who is asking, and what holds for every answer. What is asked is
// not its business; API and pages are handlers that it is given.
//
//	socket  Socket   peer credentials -> Actor -> Secure -> handler
//	HTTPS   Live     Network: bearer token -> Actor -> API; pages for the rest
//
// Both run in [Serve], which bounds what a stranger can hold open.
package web
