package scep

import (
	"context"
	"crypto"
	"crypto/x509"
	"encoding/asn1"
	"encoding/hex"
	"math/big"

	"newleaf"
	"newleaf/internal/cms"
	"newleaf/internal/enroll"
)

// session is one operation with an authority whose certificates were judged.
type session struct {
	client      *Client
	caps        enroll.Capabilities
	authority   authority
	recipient   *x509.Certificate
	cipher      cms.Cipher
	hash        crypto.Hash
	transaction string
	verify      bool
	by          signing                   // signs requests, opens answers
	others      func() ([]signing, error) // further keys an answer may be encrypted to (Q31)
	notes       []string
}

// Send makes the request by its method and returns the authority's decision.
// Its key signs the PKCS #10; who signs the message is the method's matter.
func (c *Client) Send(ctx context.Context, r enroll.Request) (enroll.Answer, error) {
	s, err := c.prepare(r)
	if err != nil {
		return enroll.Answer{}, &enroll.NotIssued{Err: err}
	}
	csr, err := pkcs10(r)
	if err != nil {
		return enroll.Answer{}, &enroll.NotIssued{Err: err}
	}
	if err := s.open(ctx, r.Trust); err != nil {
		return enroll.Answer{}, &enroll.NotIssued{Err: err}
	}
	return s.decide(ctx, kindOf(r.Method), csr)
}

// Poll asks for the decision on a pending request by CertPoll (RFC 8894, 3.3.3).
// An authority that cannot answer that is sent the request once more, under the
// same transactionID, as the clients of such authorities do (Q13, T7).
func (c *Client) Poll(ctx context.Context, r enroll.Request) (enroll.Answer, error) {
	s, err := c.prepare(r)
	if err != nil {
		return enroll.Answer{}, err
	}
	if err := s.open(ctx, r.Trust); err != nil {
		return enroll.Answer{}, err
	}
	content, err := asn1.Marshal(issuerAndSubject{
		Issuer:  asn1.RawValue{FullBytes: s.issuer()},
		Subject: asn1.RawValue{FullBytes: r.Subject},
	})
	if err != nil {
		return enroll.Answer{}, newleaf.Errorf(newleaf.CodeInvalid, "encoding the subject: %w", err)
	}
	answer, err := s.decide(ctx, certPoll, content)
	if code := newleaf.CodeOf(err); code != newleaf.CodeHTTP && code != newleaf.CodeBadAnswer {
		return answer, err
	}
	s.notes = append(s.notes, "The authority does not answer CertPoll, so the request was repeated under its transactionID.")
	csr, err := pkcs10(r)
	if err != nil {
		return enroll.Answer{}, err
	}
	return s.decide(ctx, kindOf(r.Method), csr)
}

// GetCert fetches an issued certificate (RFC 8894, 3.3.4); by signs the question.
func (c *Client) GetCert(ctx context.Context, by enroll.Credential, trust enroll.Trust, issuer []byte, serial *big.Int) (*x509.Certificate, error) {
	got, err := c.fetch(ctx, getCert, by, trust, issuer, serial)
	if err != nil {
		return nil, err
	}
	for _, found := range got.certs {
		if found.SerialNumber.Cmp(serial) == 0 {
			return found, nil
		}
	}
	return nil, newleaf.Errorf(newleaf.CodeBadAnswer, "the answer to GetCert does not hold the certificate with serial number %x", serial)
}

// GetCRL fetches the revocation list that covers the certificate of by (RFC
// 8894, 3.3.5), DER.
func (c *Client) GetCRL(ctx context.Context, by enroll.Credential, trust enroll.Trust) ([]byte, error) {
	got, err := c.fetch(ctx, getCRL, by, trust, by.Certificate.RawIssuer, by.Certificate.SerialNumber)
	if err != nil {
		return nil, err
	}
	if len(got.crls) == 0 {
		return nil, newleaf.Errorf(newleaf.CodeBadAnswer, "the answer to GetCRL holds no revocation list")
	}
	if _, err := x509.ParseRevocationList(got.crls[0]); err != nil {
		return nil, newleaf.Errorf(newleaf.CodeBadAnswer, "the revocation list cannot be read: %w", err)
	}
	return got.crls[0], nil
}

func (c *Client) fetch(ctx context.Context, kind messageType, by enroll.Credential, trust enroll.Trust, issuer []byte, serial *big.Int) (*reply, error) {
	signer, err := presentOf(enroll.Request{Present: &by})
	if err != nil {
		return nil, err
	}
	content, err := asn1.Marshal(issuerAndSerial{Issuer: asn1.RawValue{FullBytes: issuer}, Serial: serial})
	if err != nil {
		return nil, newleaf.Errorf(newleaf.CodeInvalid, "encoding issuer and serial number: %w", err)
	}
	s := &session{client: c, by: signer, verify: true, transaction: hex.EncodeToString(nonce())}
	if err := s.open(ctx, trust); err != nil {
		return nil, err
	}
	got, err := s.ask(ctx, kind, content)
	if err != nil {
		return nil, err
	}
	if got.status != success {
		return nil, newleaf.Errorf(newleaf.CodeRefused, "the authority did not answer %s: %s", requests[kind], got.reason())
	}
	return got, nil
}

// prepare does what needs no authority, so that nothing is sent if it fails.
func (c *Client) prepare(r enroll.Request) (*session, error) {
	if len(r.Trust.Anchors) == 0 {
		return nil, newleaf.Errorf(newleaf.CodeNoAnchor, "no CA certificate is confirmed for the connection %q", c.connection.Name)
	}
	if r.Key == nil || len(r.Subject) == 0 {
		return nil, newleaf.Errorf(newleaf.CodeInternal, "a request needs a key and a subject")
	}
	by, err := signerOf(r, c.now())
	if err != nil {
		return nil, err
	}
	s := &session{client: c, by: by, verify: r.Verify, transaction: r.TransactionID}
	if s.transaction == "" {
		s.transaction = TransactionID(r.Key.Public())
	}
	s.others = func() ([]signing, error) {
		if r.Method != enroll.ByChallenge {
			fresh, err := selfSigned(r, c.now())
			return []signing{fresh}, err
		}
		if r.Present != nil {
			present, err := presentOf(r)
			return []signing{present}, err
		}
		return nil, nil
	}
	return s, nil
}

// open asks the authority what it can do and who it is.
func (s *session) open(ctx context.Context, trust enroll.Trust) (err error) {
	if s.authority, err = s.client.present(ctx, trust); err != nil {
		return err
	}
	if s.recipient, err = s.authority.recipient(); err != nil {
		return err
	}
	if s.caps, err = s.client.Capabilities(ctx); err != nil {
		return err
	}
	if s.caps.Unknown {
		s.notes = append(s.notes, "The authority does not say what it can do (GetCACaps).")
	}
	if now := s.client.now(); now.After(s.recipient.NotAfter) {
		s.notes = append(s.notes, "The certificate the request was encrypted to expired on "+s.recipient.NotAfter.UTC().Format("2006-01-02")+".")
	}
	s.cipher, s.hash, err = choose(s.caps, s.client.connection)
	return err
}

// issuer is the name of who will issue: the CA that receives the request, or
// the one behind the RA.
func (s *session) issuer() []byte {
	if s.authority.judge(s.recipient) == isCA {
		return s.recipient.RawSubject
	}
	return s.recipient.RawIssuer
}

// kindOf is the message a PKCS #10 travels in.
func kindOf(by enroll.Method) messageType {
	if by == enroll.ByRenewal {
		return renewalReq
	}
	return pkcsReq
}

// decide sends one pkiMessage and reads the decision.
func (s *session) decide(ctx context.Context, kind messageType, content []byte) (enroll.Answer, error) {
	got, err := s.ask(ctx, kind, content)
	if err != nil {
		return enroll.Answer{}, err
	}
	if got.status == success && len(got.certs) == 0 {
		return enroll.Answer{}, noCertificate()
	}
	return got.answer(s.notes), nil
}

// ask sends one pkiMessage and reads its answer.
func (s *session) ask(ctx context.Context, kind messageType, content []byte) (*reply, error) {
	m := &message{transaction: s.transaction, kind: kind, sender: nonce()}
	envelope, err := cms.Encrypt(content, s.recipient, cms.EncryptOptions{Cipher: s.cipher})
	if err != nil {
		return nil, newleaf.Errorf(newleaf.CodeInternal, "encrypting the request: %w", err)
	}
	signer := cms.Signer{Certificate: s.by.certificate, Key: s.by.key, Hash: s.hash}
	der, err := cms.Sign(envelope, signer, m.attributes(), []*x509.Certificate{s.by.certificate})
	if err != nil {
		return nil, newleaf.Errorf(newleaf.CodeInternal, "signing the request: %w", err)
	}
	body, note, err := s.client.operate(ctx, s.caps, der)
	if err != nil {
		return nil, err
	}
	if note != "" {
		s.notes = append(s.notes, note)
	}
	return s.read(body, m.sender)
}
