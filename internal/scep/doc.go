// Package scep speaks the Simple Certificate Enrolment Protocol (RFC 8894),
// both sides: [Client] is an [enroll.Client], [NewServer] makes an
// [http.Handler] over an [enroll.Authority].
//
// A request is a PKCS #10 (or what names a certificate), encrypted to the
// authority, signed by the device; the answer is a certs-only message,
// encrypted to the request's signer, signed by the authority. Who may be
// encrypted to and who may sign is decided by [Roles] alone.
package scep
