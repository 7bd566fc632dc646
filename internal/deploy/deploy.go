// Package deploy is the contract between the device and the users of its
// certificates: a [Target] is told which certificate a purpose has, and asked
// for evidence that it really uses it.
package deploy

import (
	"context"
	"crypto"

	"newleaf"
)

// Material is a certificate with everything a target may need of it. The key
// must not be kept beyond the call, except where the target serves it itself.
type Material struct {
	Purpose newleaf.Purpose
	ID      newleaf.ID
	DER     []byte
	Chain   [][]byte // issuer first, without the root
	Anchors [][]byte // confirmed CA certificates of the issuing connection
	Key     crypto.Signer
}

// Target is one user of certificates for one purpose. Calls for one target
// never overlap; all of them may be repeated after a crash.
type Target interface {
	// Put makes m the certificate to use; one without DER takes it away. It must leave the old one usable when
	// it fails. Whether it takes effect at once says Need.
	Put(ctx context.Context, m Material) error
	// Evidence looks, from outside the consumer where that is possible, which
	// certificate is in use. The text says what was seen.
	Evidence(ctx context.Context, m Material) (newleaf.Evidence, string)
	// Retain forgets everything of other certificates than ids, clear keys above
	// all. It is called after deletions and at every start.
	Retain(ctx context.Context, p newleaf.Purpose, ids []newleaf.ID) error
	// Need is how a new certificate takes effect, "" for the purpose's default.
	Need() newleaf.Need
	// AcceptsAssumed says that assumed use is enough to delete the predecessor.
	AcceptsAssumed() bool
}
