// Package api is the REST API of a [newleaf.Device], both sides of it:
// [Handler] serves a device under /api/v1, [Client] is a device that is
// reached over the same API.
//
// The nouns and their operations are tables of routes (device.go,
// certificate.go, ...). huma gives the OpenAPI 3.1 document, its schemas and
// the validation of requests; huma.Register is not used, as it is instantiated
// once for each operation: for these 45 that is a megabyte of program and a
// second decoder of errors. [server.handle] does its work for all of them.
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
