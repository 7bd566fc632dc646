// Package enroll is the contract between a device and an authority: what every
// protocol can do for the device ([Client]), what an authority decides for
// every protocol ([Authority]), and the checks an answer has to pass before
// anything is kept. It speaks root and standard-library types only.
package enroll

import (
	"context"
	"crypto"
	"crypto/x509"
	"time"

	"newleaf"
)

// Client is one protocol spoken to one authority. Every error is a
// *newleaf.Error. A Client holds no state between calls beyond kept-alive
// connections and may be used by several goroutines.
type Client interface {
	// Capabilities asks what the authority can do.
	Capabilities(ctx context.Context) (Capabilities, error)
	// Certificates fetches the authority's certificates, nothing trusted yet (F7-*).
	Certificates(ctx context.Context) ([]*x509.Certificate, error)
	// NextCertificates fetches what will follow them (RFC 8894, 4.7), verified under trust.
	NextCertificates(ctx context.Context, trust Trust) ([]*x509.Certificate, error)
	// Send makes one request, by the method it names, and returns the
	// authority's decision. A refusal is an Answer, not an error.
	Send(ctx context.Context, r Request) (Answer, error)
	// Poll asks again for a pending request: same key, same transactionID.
	Poll(ctx context.Context, r Request) (Answer, error)
}

// Capabilities is what an authority says of itself; Unknown when it does not say.
type Capabilities struct {
	Unknown    bool     // it has no capabilities answer: assume the least (Q4)
	Renewal    bool     // takes a RenewalReq
	POST       bool     // takes binary messages by POST
	Ciphers    []string // "aes128-cbc", "3des"; best first
	Hashes     []string // "sha512", "sha256", "sha1"; best first
	NextCA     bool
	AsReceived []string // the words themselves, for people
}

// Method is a rung of the renewal ladder.
type Method string

const (
	ByRenewal   Method = "renewal"   // RenewalReq (17), signed by the present certificate
	BySignature Method = "signature" // PKCSReq (19), signed by the present certificate
	ByChallenge Method = "challenge" // PKCSReq (19), self-signed, with the challenge password
)

// Credential is a certificate with its key, to sign a renewal.
type Credential struct {
	Certificate *x509.Certificate
	Key         crypto.Signer
}

// Trust is what the administrator confirmed for a connection.
type Trust struct {
	Anchors []*x509.Certificate // confirmed CA certificates; partial chains end here (Q12)
	Chain   []*x509.Certificate // further CA certificates of the same answer
	RAs     []newleaf.ID        // RA certificates confirmed by thumbprint
}

// Request is all a protocol needs to ask for one certificate.
type Request struct {
	Method        Method
	TransactionID string // chosen by the device, kept for the whole transaction
	Key           crypto.Signer
	Subject       []byte   // DER name
	SAN           []string // as newleaf.Request
	Challenge     string   // "" where Method needs none
	Present       *Credential
	Trust         Trust
	Verify        bool // verify the answer's signature (1304)
}

// NotIssued marks an error after which the authority cannot have issued anything:
// the request was not sent, or Refused with an HTTP status that no issuance can
// have. It does not count against the budget; only a refusal climbs the ladder.
type NotIssued struct {
	Err     error
	Refused bool
}

func (n *NotIssued) Error() string { return n.Err.Error() }

// Unwrap returns the error itself.
func (n *NotIssued) Unwrap() error { return n.Err }

// Status is an authority's decision.
type Status string

const (
	Issued  Status = "issued"
	Pending Status = "pending"
	Refused Status = "refused"
)

// Answer is the authority's decision on a request. The checks of [Check] have
// not been made yet.
type Answer struct {
	Status       Status
	Certificates []*x509.Certificate // as received; which one is ours Check decides by key
	Verified     bool                // the answer's signature was verified under Trust
	Reason       string              // failInfo in words, with what the authority added
	FailInfo     string              // "badRequest", "badMessageCheck", "badAlg", "badTime", "badCertId", ""
	RetryAfter   time.Duration       // 0: the authority did not say
	Notes        []string            // what was odd but tolerated, one sentence each
	Raw          []byte              // the answer's bytes, for the journal
}
