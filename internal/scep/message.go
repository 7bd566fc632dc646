package scep

import (
	"crypto"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/asn1"
	"encoding/hex"
	"fmt"
	"math/big"

	"newleaf/internal/cms"
)

// Signed attributes of a pkiMessage (RFC 8894, 3.2.1).
var (
	oidMessageType    = asn1.ObjectIdentifier{2, 16, 840, 1, 113733, 1, 9, 2}
	oidPKIStatus      = asn1.ObjectIdentifier{2, 16, 840, 1, 113733, 1, 9, 3}
	oidFailInfo       = asn1.ObjectIdentifier{2, 16, 840, 1, 113733, 1, 9, 4}
	oidSenderNonce    = asn1.ObjectIdentifier{2, 16, 840, 1, 113733, 1, 9, 5}
	oidRecipientNonce = asn1.ObjectIdentifier{2, 16, 840, 1, 113733, 1, 9, 6}
	oidTransactionID  = asn1.ObjectIdentifier{2, 16, 840, 1, 113733, 1, 9, 7}
	oidFailInfoText   = asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 24, 1}
)

// Operations of the HTTP interface (RFC 8894, 4.1).
const (
	getCACaps     = "GetCACaps"
	getCACert     = "GetCACert"
	getNextCACert = "GetNextCACert"
	pkiOperation  = "PKIOperation"
)

// messageType is a pkiMessage's type (RFC 8894, 3.2.1.2).
type messageType string

const (
	certRep    messageType = "3"
	renewalReq messageType = "17"
	pkcsReq    messageType = "19"
	certPoll   messageType = "20"
	getCert    messageType = "21"
	getCRL     messageType = "22"
)

// requests names the types a client may send, as [enroll.Authority.Misbehave] gets them.
var requests = map[messageType]string{
	renewalReq: "RenewalReq", pkcsReq: "PKCSReq", certPoll: "CertPoll", getCert: "GetCert", getCRL: "GetCRL",
}

// pkiStatus is an answer's decision (RFC 8894, 3.2.1.3).
type pkiStatus string

const (
	success pkiStatus = "0"
	failure pkiStatus = "2"
	pending pkiStatus = "3"
)

// failInfo is one row of RFC 8894, 3.2.1.4; its index is the number on the wire.
type failInfo struct{ word, means string }

var failInfos = []failInfo{
	{"badAlg", "it does not support the algorithm"},
	{"badMessageCheck", "it found the message damaged"},
	{"badRequest", "it does not permit the request"},
	{"badTime", "the request's time is not close enough to its own"},
	{"badCertId", "it knows no such certificate"},
}

// The words of failInfos that this server uses.
const (
	badAlg          = "badAlg"
	badMessageCheck = "badMessageCheck"
	badRequest      = "badRequest"
	badCertID       = "badCertId"
)

// message holds what a pkiMessage says in its signed attributes. Nothing in it
// is to be believed before the signature was verified.
type message struct {
	transaction string
	kind        messageType
	sender      []byte // senderNonce
	recipient   []byte // recipientNonce, of an answer
	status      pkiStatus
	failInfo    string // number on the wire
	failText    string

	signed *cms.SignedData
	signer *cms.SignerInfo
}

// readMessage parses a pkiMessage of either side. Absent attributes stay zero:
// which ones are needed depends on the side.
func readMessage(ber []byte) (*message, error) {
	signed, err := cms.ParseSigned(ber)
	if err != nil {
		return nil, fmt.Errorf("reading pkiMessage: %w", err)
	}
	signer, err := signed.Signer()
	if err != nil {
		return nil, fmt.Errorf("reading pkiMessage: %w", err)
	}
	m := &message{signed: signed, signer: signer}
	kind, err := signer.Text(oidMessageType)
	if err != nil {
		return nil, fmt.Errorf("reading messageType: %w", err)
	}
	m.kind = messageType(kind)
	// Absent and unreadable are the same to the checks that follow.
	m.transaction, _ = signer.Text(oidTransactionID)
	m.sender, _ = signer.Octets(oidSenderNonce)
	m.recipient, _ = signer.Octets(oidRecipientNonce)
	status, _ := signer.Text(oidPKIStatus)
	m.status = pkiStatus(status)
	m.failInfo, _ = signer.Text(oidFailInfo)
	m.failText, _ = signer.Text(oidFailInfoText)
	return m, nil
}

// attributes are the signed attributes that say m.
func (m *message) attributes() []cms.Attribute {
	attrs := []cms.Attribute{
		cms.TextAttribute(oidTransactionID, m.transaction),
		cms.TextAttribute(oidMessageType, string(m.kind)),
		cms.OctetsAttribute(oidSenderNonce, m.sender),
	}
	if m.recipient != nil {
		attrs = append(attrs, cms.OctetsAttribute(oidRecipientNonce, m.recipient))
	}
	if m.status != "" {
		attrs = append(attrs, cms.TextAttribute(oidPKIStatus, string(m.status)))
	}
	if m.failInfo != "" {
		attrs = append(attrs, cms.TextAttribute(oidFailInfo, m.failInfo))
	}
	if der, err := asn1.MarshalWithParams(m.failText, "utf8"); err == nil && m.failText != "" {
		attrs = append(attrs, cms.Attribute{Type: oidFailInfoText, Value: der})
	}
	return attrs
}

// TransactionID is the identifier RFC 8894, 3.2.1.1 proposes for a request: the
// SHA-256 of the SubjectPublicKeyInfo, lower-case hex. It is "" for a key that
// has no such encoding.
func TransactionID(public crypto.PublicKey) string {
	spki, err := x509.MarshalPKIXPublicKey(public)
	if err != nil {
		return ""
	}
	sum := sha256.Sum256(spki)
	return hex.EncodeToString(sum[:])
}

// nonce is a fresh senderNonce (RFC 8894, 3.2.1.5).
func nonce() []byte {
	b := make([]byte, 16)
	rand.Read(b)
	return b
}

// issuerAndSubject is the content of CertPoll (RFC 8894, 3.3.3).
type issuerAndSubject struct {
	Issuer, Subject asn1.RawValue
}

// issuerAndSerial is the content of GetCert and GetCRL (RFC 8894, 3.3.4 and 3.3.5).
type issuerAndSerial struct {
	Issuer asn1.RawValue
	Serial *big.Int
}

// digest is a hash with its names in [enroll.Capabilities] and on the wire.
type digest struct {
	name string
	hash crypto.Hash
	oid  asn1.ObjectIdentifier
}

// digests lists those a pkiMessage may be signed with, best first. SHA-1 is
// never used for a request.
var digests = []digest{
	{"sha512", crypto.SHA512, asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 2, 3}},
	{"sha384", crypto.SHA384, asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 2, 2}},
	{"sha256", crypto.SHA256, asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 2, 1}},
	{"sha1", crypto.SHA1, asn1.ObjectIdentifier{1, 3, 14, 3, 2, 26}},
}

// digestOf is the digest of a signature, zero if it is none of the table.
func digestOf(si *cms.SignerInfo) digest {
	for _, d := range digests {
		if d.oid.Equal(si.Digest) {
			return d
		}
	}
	return digest{}
}
