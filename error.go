package newleaf

import (
	"errors"
	"fmt"
	"slices"
)

// Code names a kind of failure. Codes are stable: they stand in the API, the
// journal and the documentation, and are never translated.
type Code string

// The codes. What each means for HTTP, the exit status and a retry stands in
// the table that [Code.Info] reads.
const (
	CodeInternal      Code = "internal"
	CodeUsage         Code = "usage"
	CodeInvalid       Code = "invalid"
	CodeUnknownKey    Code = "unknown-key"
	CodeNotFound      Code = "not-found"
	CodeNameTaken     Code = "name-taken"
	CodeAlreadyHeld   Code = "already-held"
	CodeStoreFull     Code = "store-full"
	CodeInUse         Code = "in-use"
	CodePinned        Code = "pinned"
	CodeSlotTaken     Code = "slot-taken"
	CodeConflict      Code = "conflict"
	CodeNoConnection  Code = "no-connection"
	CodeNoAnchor      Code = "no-anchor"
	CodeUnconfirmed   Code = "anchor-unconfirmed"
	CodeThumbprint    Code = "thumbprint-mismatch"
	CodeUnreachable   Code = "unreachable"
	CodeInterrupted   Code = "interrupted"
	CodeTimeout       Code = "timeout"
	CodeHTTP          Code = "http-status"
	CodeRefused       Code = "refused"
	CodePending       Code = "pending"
	CodeBadAnswer     Code = "bad-answer"
	CodeBadSignature  Code = "bad-signature"
	CodeTransaction   Code = "wrong-transaction"
	CodeForeignKey    Code = "foreign-key"
	CodeOldCert       Code = "old-certificate"
	CodeUntrusted     Code = "untrusted"
	CodeUnfit         Code = "unfit"
	CodeRAChanged     Code = "ra-changed"
	CodeWeak          Code = "weak-algorithm"
	CodeMayHold       Code = "may-hold"
	CodeNoRequest     Code = "no-request"
	CodeClock         Code = "clock"
	CodeNotProven     Code = "not-proven"
	CodePassphrase    Code = "passphrase"
	CodeKeyMismatch   Code = "key-mismatch"
	CodeNotExportable Code = "not-exportable"
	CodeDamaged       Code = "damaged"
	CodeDiskFull      Code = "disk-full"
	CodeRestart       Code = "restart-failed"
	CodeUnauthorized  Code = "unauthorized"
	CodeForbidden     Code = "forbidden"
	CodeLabOnly       Code = "lab-only"
	CodeNotRunning    Code = "not-running"
	CodeCancelled     Code = "cancelled"
)

// Retry says what a failed renewal does next.
type Retry string

const (
	RetrySoon   Retry = "soon"   // a passing fault: growing, jittered delay (TIM-35)
	RetrySlowly Retry = "slowly" // the authority said no: at most eight requests a day (TIM-37)
	RetryNever  Retry = "never"  // a person has to act first
)

// CodeInfo is one row of the table of codes.
type CodeInfo struct {
	Code   Code
	Status int   // HTTP status of the API (RFC 9457)
	Exit   int   // exit status of the CLI
	Retry  Retry // what an unattended renewal does after it
	Means  string
	Hint   string // used where the error brings no hint of its own
}

// Codes is the table of all codes, in the order of the documentation.
func Codes() []CodeInfo { return slices.Clone(codes) }

var codes = []CodeInfo{
	{CodeInternal, 500, 1, RetrySoon, "newleaf itself failed", "See the journal; if it happens again, please report it."},
	{CodeUsage, 400, 2, RetryNever, "the command line is wrong", "Add --help to the command to see what it takes."},
	{CodeInvalid, 422, 2, RetryNever, "a value is not acceptable", "Correct the named value; nothing was changed."},
	{CodeUnknownKey, 422, 2, RetryNever, "a key is not known", "Check the spelling; nothing was changed."},
	{CodeNotFound, 404, 1, RetryNever, "there is no such thing", "List what exists, e.g. with \"newleaf cert list\"."},
	{CodeNameTaken, 409, 1, RetryNever, "the name is in use already", "Choose another name, or delete the other certificate first."},
	{CodeAlreadyHeld, 409, 1, RetryNever, "this very certificate is in the store", "Nothing to do: it is held already."},
	{CodeStoreFull, 409, 1, RetrySlowly, "the store has no room", "Delete a certificate that is not in use, raise the capacity, or switch automatic deletion on."},
	{CodeInUse, 409, 1, RetryNever, "the certificate is in use", "Give its purposes to another certificate first, or use --force."},
	{CodePinned, 409, 1, RetryNever, "the certificate is pinned", "Unpin it first."},
	{CodeSlotTaken, 409, 1, RetrySoon, "another renewal is running", "It waits its turn; see \"newleaf update list\"."},
	{CodeConflict, 409, 1, RetryNever, "the state does not allow this", "Look at the present state and try again."},
	{CodeNoConnection, 409, 1, RetryNever, "no connection to an authority is set", "Set one with \"newleaf connection set --url ...\"."},
	{CodeNoAnchor, 409, 1, RetryNever, "no CA certificate is held for the connection", "Fetch it with \"newleaf anchor fetch\"."},
	{CodeUnconfirmed, 409, 1, RetryNever, "the CA certificate has not been confirmed", "Compare its thumbprint with the authority's, then \"newleaf anchor confirm\"."},
	{CodeThumbprint, 409, 1, RetryNever, "the thumbprint does not match", "Do not continue before you know why: ask the authority for its thumbprint."},
	{CodeUnreachable, 502, 1, RetrySoon, "the authority cannot be reached", "Check the server name, port, proxy and network."},
	{CodeInterrupted, 502, 1, RetrySoon, "the connection broke off", "The authority may be restarting; try again."},
	{CodeTimeout, 504, 1, RetrySoon, "the authority did not answer in time", "Try again, or raise the connection's timeout."},
	{CodeHTTP, 502, 1, RetrySoon, "the authority answered with an HTTP error", "Check the path of the URL and the authority's log."},
	{CodeRefused, 502, 1, RetrySlowly, "the authority refused the request", "Check the password and the subject with the authority's administrator."},
	{CodePending, 202, 1, RetrySoon, "the authority has not decided yet", "Nothing to do: newleaf asks again with the same key."},
	{CodeBadAnswer, 502, 1, RetrySoon, "the answer cannot be read", "Check that the URL is the authority's; see the journal for the answer."},
	{CodeBadSignature, 502, 1, RetrySlowly, "the answer's signature is wrong", "The answer may be forged, or the authority changed its certificate: fetch the CA certificate again."},
	{CodeTransaction, 502, 1, RetrySlowly, "the answer belongs to another request", "The answer may be replayed; check what stands between device and authority."},
	{CodeForeignKey, 502, 1, RetrySlowly, "the certificate is for another key", "Report it to the authority's administrator; nothing was stored."},
	{CodeOldCert, 502, 1, RetrySlowly, "the authority sent a certificate that is held already", "Reset the entry at the authority so that it issues a new one."},
	{CodeUntrusted, 502, 1, RetrySlowly, "the certificate does not chain to a trusted CA certificate", "Fetch and confirm the CA certificate of the issuer."},
	{CodeUnfit, 502, 1, RetrySlowly, "the certificate cannot serve its purpose", "Correct the authority's profile (validity, key usage)."},
	{CodeRAChanged, 502, 1, RetryNever, "the registration authority's certificate is another one than confirmed", "Fetch the CA certificates again and confirm the new one."},
	{CodeWeak, 502, 1, RetryNever, "the authority uses a weak algorithm", "Configure the authority for AES and SHA-256, or allow the algorithm with --weak."},
	{CodeMayHold, 409, 1, RetryNever, "the authority may hold a certificate it has not delivered", "Reset the entry at the authority, then \"newleaf update retry\"."},
	{CodeNoRequest, 409, 1, RetryNever, "the certificate has no issuance request to repeat", "Set one with \"newleaf cert request set\"."},
	{CodeClock, 409, 1, RetrySoon, "the device's clock is not believable", "Set the clock; manual actions work meanwhile."},
	{CodeNotProven, 502, 1, RetrySlowly, "the new certificate was not seen in use", "The old one stays in use; see the journal for the evidence."},
	{CodePassphrase, 422, 1, RetryNever, "the passphrase is wrong or missing", "Give the passphrase of the file with --passphrase-file."},
	{CodeKeyMismatch, 422, 1, RetryNever, "the private key does not belong to the certificate", "Give the key that the certificate was made for."},
	{CodeNotExportable, 403, 1, RetryNever, "the private key must not leave the device", "Export the certificate alone, or make a new key that is exportable."},
	{CodeDamaged, 500, 1, RetryNever, "the stored entry cannot be read", "It is never deleted automatically; delete it by hand when it is not needed."},
	{CodeDiskFull, 507, 1, RetrySoon, "the disk is full or read-only", "Free space on the device; nothing was lost."},
	{CodeRestart, 502, 1, RetrySoon, "the restart could not be started", "Restart the device by hand; the certificate waits for it."},
	{CodeUnauthorized, 401, 1, RetryNever, "who asks is not known", "Use the socket as root, or send a token (\"newleaf token create\")."},
	{CodeForbidden, 403, 1, RetryNever, "the role does not allow this", "Ask an administrator."},
	{CodeLabOnly, 409, 1, RetryNever, "only a store provisioned for the lab allows this", "Provision an empty store with \"lab = true\"."},
	{CodeNotRunning, 503, 1, RetrySoon, "the agent is not running", "Start it with \"newleaf serve --state DIR\", or name it with --state or --socket."},
	{CodeCancelled, 409, 1, RetryNever, "it was cancelled", "Start it again when wanted."},
}

// Info returns the row of code c; an unknown code counts as internal.
func (c Code) Info() CodeInfo {
	for _, i := range codes {
		if i.Code == c {
			return i
		}
	}
	return CodeInfo{Code: c, Status: 500, Exit: 1, Retry: RetrySoon}
}

// Error is the one error type that reaches people: a sentence with its cause,
// and a hint what to do.
type Error struct {
	Code  Code   `json:"code"`
	Text  string `json:"text"`
	Hint  string `json:"hint"`
	Cause error  `json:"-"`
}

// Errorf makes an Error with the code's standard hint. A %w in the format
// becomes its cause.
func Errorf(code Code, format string, args ...any) *Error {
	wrapped := fmt.Errorf(format, args...)
	return &Error{Code: code, Text: wrapped.Error(), Hint: code.Info().Hint, Cause: errors.Unwrap(wrapped)}
}

// WithHint replaces the standard hint.
func (e *Error) WithHint(format string, args ...any) *Error {
	e.Hint = fmt.Sprintf(format, args...)
	return e
}

func (e *Error) Error() string { return e.Text }

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Cause }

// AsError returns err as an *Error; anything that is none becomes
// CodeInternal with its own text. A nil error gives nil.
func AsError(err error) *Error {
	if err == nil {
		return nil
	}
	var e *Error
	if errors.As(err, &e) {
		return e
	}
	return Errorf(CodeInternal, "%w", err)
}

// CodeOf is the code of err, "" for nil.
func CodeOf(err error) Code {
	if err == nil {
		return ""
	}
	return AsError(err).Code
}
