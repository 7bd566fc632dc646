package enroll

import (
	"context"
	"crypto"
	"crypto/x509"
	"math/big"
)

// Authority is what a protocol server asks of a certificate/registration
// authority. It knows nothing of messages. Methods may be called concurrently.
type Authority interface {
	// Identity returns the authority's certificates and the keys that open
	// requests and sign answers. It does not change while the process runs.
	Identity() Identity
	// Decide grants, refuses or queues a request. A repeated request (same
	// transactionID and key) is a poll, not a second certificate.
	Decide(ctx context.Context, s Submission) (Decision, error)
	// Poll returns the present decision on a transaction.
	Poll(ctx context.Context, transactionID string, signer *x509.Certificate) (Decision, error)
	// Find returns an issued certificate, nil when there is none.
	Find(ctx context.Context, serial *big.Int) (*x509.Certificate, error)
	// CRL returns the present revocation list, DER.
	CRL(ctx context.Context) ([]byte, error)
	// Misbehave returns what the server shall do wrong on this exchange, the
	// zero Mischief normally.
	Misbehave(operation string) Mischief
}

// Identity is an authority's certificates with the keys it answers with.
type Identity struct {
	Issuer    *x509.Certificate   // issues certificates
	Chain     []*x509.Certificate // from the issuer's issuer to the root
	Recipient *x509.Certificate   // requests are encrypted to it: the RA's, or the issuer itself
	Decrypt   crypto.Decrypter
	Signer    *x509.Certificate // signs answers
	Sign      crypto.Signer
	Next      []*x509.Certificate // what follows the issuer at a rollover; empty: none planned
	Foreign   Credential          // a signer that does not belong to this authority, for mischief
	Weak      []string            // weak algorithms that may be read and written: 3des, des, sha1
}

// Submission is a request as a protocol server understood it. The server has
// verified the request's own signature and that Signer signed the message.
type Submission struct {
	Protocol      string
	TransactionID string
	CSR           *x509.CertificateRequest
	Challenge     string
	Signer        *x509.Certificate // who signed the message; the requester itself for a first request
	Renewal       bool              // the message says that Signer is to be replaced
	Peer          string            // network address, for the request log
}

// Decision is the authority's word. Status Refused carries FailInfo and Reason.
type Decision struct {
	Status      Status
	Certificate *x509.Certificate
	FailInfo    string
	Reason      string
}

// Mischief is a fault on demand, as data: the protocol server obeys it. Zero
// means none; the fields that apply to an operation are obeyed together.
type Mischief struct {
	Refuse    string // answer FAILURE with this failInfo
	Reset     bool   // cut the connection without an answer
	ResetMid  bool   // cut it in the middle of the answer
	Stall     bool   // never answer (until the peer gives up)
	Endless   bool   // never stop answering
	Status    int    // answer with this HTTP status
	Garbage   bool   // answer with bytes that are no message
	Empty     bool   // answer with nothing
	Nonce     bool   // wrong recipientNonce
	Transact  bool   // wrong transactionID
	Key       bool   // a certificate for another key
	Old       bool   // the requester's present certificate again
	Foreign   bool   // signed by a stranger
	Sibling   bool   // signed by an issued end-entity certificate, as if it were an RA
	Signature bool   // signature damaged
	NoCert    bool   // SUCCESS without a certificate
	Pending   bool   // PENDING
	LeafAsCA  bool   // GetCACert answers with an end-entity certificate
	Expired   bool   // a certificate that expired
	Future    bool   // a certificate that is not valid yet
	NoEKU     bool   // a certificate fit for e-mail only
	AsCA      bool   // a CA certificate
}
