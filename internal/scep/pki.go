package scep

import (
	"bytes"
	"context"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"errors"
	"fmt"
	"strings"

	"newleaf"
	"newleaf/internal/cms"
	"newleaf/internal/enroll"
)

// request is a pkiMessage whose signature was verified and whose envelope was opened.
type request struct {
	*message
	certificate *x509.Certificate // of who signed it; not trusted, but its key signed
	cipher      cms.Cipher
	csr         *x509.CertificateRequest // of PKCSReq and RenewalReq
	about       issuerAndSerial          // of GetCert and GetCRL
	peer        string
}

// outcome is what a CertRep says.
type outcome struct {
	status   pkiStatus
	failInfo string // word
	text     string
	certs    []*x509.Certificate
	crls     [][]byte
}

func refuse(failInfo, text string) *outcome {
	return &outcome{status: failure, failInfo: failInfo, text: text}
}

// unreadable is the one answer to everything that goes wrong once the private
// key was used, so that it tells nothing about why.
func unreadable() *outcome {
	return refuse(badMessageCheck, "the message cannot be decrypted")
}

// maxTransactionID and maxNonce bound what an answer has to repeat, in bytes.
const (
	maxTransactionID = 256
	maxNonce         = 256
)

// open reads a message as far as that takes no decision. An error means that
// there is nothing an answer could refer to; an outcome is a refusal.
func (s *server) open(raw []byte) (*request, *outcome, error) {
	m, err := readMessage(raw)
	if err != nil {
		return nil, nil, err
	}
	if n := len(m.transaction); n == 0 || n > maxTransactionID || strings.ContainsFunc(m.transaction, func(r rune) bool { return r < ' ' || r > '~' }) {
		return nil, nil, errors.New("its transactionID is not 1 to 256 printable characters")
	}
	req := &request{message: m}
	if _, known := requests[m.kind]; !known {
		return req, refuse(badRequest, "messages of this type are not taken"), nil
	}
	if n := len(m.sender); n == 0 || n > maxNonce {
		m.sender = nil
		return req, refuse(badRequest, "the message has no senderNonce"), nil
	}
	if req.certificate = m.signed.Find(m.signer, nil); req.certificate == nil {
		return req, refuse(badMessageCheck, "the message does not enclose the certificate that signed it"), nil
	}
	if err := m.signed.Verify(m.signer, req.certificate, s.policy); errors.Is(err, cms.ErrWeak) || errors.Is(err, cms.ErrUnsupported) {
		return req, refuse(badAlg, "the message is signed with an algorithm that is not taken"), nil
	} else if err != nil {
		return req, refuse(badMessageCheck, "the message's signature is wrong"), nil
	}
	if _, ok := req.certificate.PublicKey.(*rsa.PublicKey); !ok {
		return req, refuse(badAlg, "an answer can only be encrypted to an RSA key"), nil
	}
	content, out := s.decrypt(req)
	if out != nil {
		return req, out, nil
	}
	return req, req.parse(content), nil
}

func (s *server) decrypt(req *request) ([]byte, *outcome) {
	envelope, err := cms.ParseEnveloped(req.signed.Content)
	if err == nil {
		var content []byte
		req.cipher = envelope.Cipher
		if content, err = envelope.Decrypt(s.id.Decrypt, s.id.Recipient, s.policy); err == nil {
			return content, nil
		}
	}
	switch {
	case errors.Is(err, cms.ErrWeak), errors.Is(err, cms.ErrUnsupported):
		return nil, refuse(badAlg, "the message is encrypted with an algorithm that is not taken")
	case errors.Is(err, cms.ErrNoRecipient):
		return nil, refuse(badMessageCheck, "the message is not encrypted to this authority's present certificate")
	}
	return nil, unreadable()
}

// parse reads the decrypted content by the message's type.
func (req *request) parse(content []byte) *outcome {
	switch req.kind {
	case pkcsReq, renewalReq:
		csr, err := x509.ParseCertificateRequest(content)
		if err != nil {
			return unreadable()
		}
		req.csr = csr
	case certPoll:
		var about struct{ Issuer, Subject pkix.RDNSequence }
		if rest, err := asn1.Unmarshal(content, &about); err != nil || len(rest) > 0 {
			return unreadable()
		}
	default:
		if rest, err := asn1.Unmarshal(content, &req.about); err != nil || len(rest) > 0 {
			return unreadable()
		}
	}
	return nil
}

// decide has the authority decide on the request.
func (s *server) decide(ctx context.Context, req *request, m enroll.Mischief) (*outcome, error) {
	switch {
	case m.Refuse != "":
		return refuse(m.Refuse, "refused on demand"), nil
	case m.Pending:
		return &outcome{status: pending}, nil
	}
	switch req.kind {
	case certPoll:
		d, err := s.authority.Poll(ctx, req.transaction, req.certificate)
		return outcomeOf(d, err)
	case getCert, getCRL:
		return s.find(ctx, req)
	}
	challenge, out := s.checkCSR(req.csr)
	if out != nil {
		return out, nil
	}
	d, err := s.authority.Decide(ctx, enroll.Submission{
		Protocol: string(newleaf.SCEP), TransactionID: req.transaction, CSR: req.csr, Challenge: challenge,
		Signer: req.certificate, Renewal: req.renews(challenge), Peer: req.peer,
	})
	return outcomeOf(d, err)
}

// renews reports whether the request asks to replace its signer: by its type,
// or because only another key's signature speaks for it, as clients do whose
// authorities knew no RenewalReq (Q8, Q15).
func (req *request) renews(challenge string) bool {
	own, ok := req.csr.PublicKey.(*rsa.PublicKey)
	same := ok && own.Equal(req.certificate.PublicKey)
	return req.kind == renewalReq || challenge == "" && !same
}

// checkCSR verifies the request's own signature and reads its challenge.
func (s *server) checkCSR(csr *x509.CertificateRequest) (challenge string, out *outcome) {
	if k, ok := csr.PublicKey.(*rsa.PublicKey); ok && k.N.BitLen() > cms.MaxRSA {
		return "", refuse(badAlg, fmt.Sprintf("RSA keys of more than %d bits are not taken", cms.MaxRSA))
	}
	if a := csr.SignatureAlgorithm; (a == x509.SHA1WithRSA || a == x509.ECDSAWithSHA1) && !s.policy.SHA1 {
		return "", refuse(badAlg, "the request is signed with SHA-1")
	}
	if csr.CheckSignature() != nil {
		return "", refuse(badRequest, "the request's own signature is wrong")
	}
	challenge, _, err := cms.ParseChallenge(csr)
	if err != nil {
		return "", refuse(badRequest, "the challenge password cannot be read")
	}
	return challenge, nil
}

// find answers GetCert and GetCRL, to holders of a certificate issued here.
func (s *server) find(ctx context.Context, req *request) (*outcome, error) {
	held, err := s.authority.Find(ctx, req.certificate.SerialNumber)
	if err != nil {
		return nil, fmt.Errorf("finding the signer's certificate: %w", err)
	}
	if held == nil || !held.Equal(req.certificate) {
		return refuse(badRequest, "only who holds a certificate of this authority may ask"), nil
	}
	if !bytes.Equal(req.about.Issuer.FullBytes, s.id.Issuer.RawSubject) {
		return refuse(badCertID, "this authority has another name"), nil
	}
	if req.kind == getCRL {
		crl, err := s.authority.CRL(ctx)
		if err != nil {
			return nil, fmt.Errorf("making the revocation list: %w", err)
		}
		return &outcome{status: success, crls: [][]byte{crl}}, nil
	}
	found, err := s.authority.Find(ctx, req.about.Serial)
	if err != nil {
		return nil, fmt.Errorf("finding a certificate: %w", err)
	}
	if found == nil {
		return refuse(badCertID, "no certificate with this serial number was issued"), nil
	}
	return &outcome{status: success, certs: nonNil(found)}, nil
}

func outcomeOf(d enroll.Decision, err error) (*outcome, error) {
	switch {
	case err != nil:
		return nil, err
	case d.Status == enroll.Refused:
		return refuse(d.FailInfo, d.Reason), nil
	case d.Status == enroll.Pending:
		return &outcome{status: pending}, nil
	case d.Status == enroll.Issued && d.Certificate != nil:
		return &outcome{status: success, certs: nonNil(d.Certificate)}, nil
	}
	return nil, fmt.Errorf("the decision %q has no certificate", d.Status)
}

func nonNil(certs ...*x509.Certificate) []*x509.Certificate {
	var list []*x509.Certificate
	for _, c := range certs {
		if c != nil {
			list = append(list, c)
		}
	}
	return list
}
