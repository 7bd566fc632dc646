// Package api is the REST API of a [newleaf.Device], both sides of it:
// [Handler] serves a device under /api/v1, [Client] is a device that is
// reached over the same API.
//
// The nouns and their operations are tables of routes (device.go,
// certificate.go, ...), and [server.handle] does for all of them what is not
// their own. From huma come the OpenAPI 3.1 document, the schemas of our types
// and the validation of requests against them. huma.Register and its adapters
// are not used: measured here, Register adds 28 kB of program for each of the 45
// operations and keeps 0.8 MB of schemas in memory.
//
// What holds for every operation:
//
//   - JSON field names are those of the root package; lists are [] when empty;
//     times are RFC 3339 in UTC; lengths of time are text, "14d", see [Period].
//   - An unknown key of a body or a query is refused and the nearest known one
//     named; a PUT takes the full document, a POST fills in defaults.
//   - Errors are RFC 9457 problems with code and hint, see [web.Problem].
//   - Streams are server-sent events: a JSON document each, with an id.
//   - A viewer may look and plan, an administrator may change, and only who
//     stands at the device (the socket) manages tokens.
package api
