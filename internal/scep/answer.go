package scep

import (
	"bytes"
	"crypto"
	"crypto/x509"
	"errors"
	"strconv"

	"newleaf"
	"newleaf/internal/cms"
	"newleaf/internal/enroll"
)

// reply is an answer that passed the checks of [session.read].
type reply struct {
	*message
	verified bool
	certs    []*x509.Certificate // of a success
	crls     [][]byte
	raw      []byte
}

// read checks an answer in this order (F8-S813 to S818, F8-G12): it is a
// message, about our transaction, about this very request, a CertRep, and
// signed by the authority. Only then its decision counts and it is decrypted.
func (s *session) read(body, sent []byte) (*reply, error) {
	m, err := readMessage(body)
	if err != nil {
		return nil, newleaf.Errorf(newleaf.CodeBadAnswer, "the answer is no SCEP message%s: %w", saying(body), err)
	}
	switch {
	case m.transaction != s.transaction:
		return nil, newleaf.Errorf(newleaf.CodeTransaction, "the answer is about transaction %q, not %q", quote([]byte(m.transaction)), s.transaction)
	case len(m.recipient) == 0:
		return nil, newleaf.Errorf(newleaf.CodeTransaction, "the answer does not repeat our nonce, so that it may be an old one")
	case !bytes.Equal(m.recipient, sent):
		return nil, newleaf.Errorf(newleaf.CodeTransaction, "the answer repeats another nonce than ours, so that it answers another request")
	case m.kind != certRep:
		return nil, newleaf.Errorf(newleaf.CodeBadAnswer, "the answer is a message of type %q, not 3 (CertRep)", quote([]byte(m.kind)))
	}
	allowed := policy(s.client.connection)
	if s.verify {
		if err := s.authority.verify(m.signed, m.signer, allowed); err != nil {
			return nil, besides(err, m, allowed)
		}
	}
	r := &reply{message: m, verified: s.verify, raw: body}
	s.tell(m)
	switch m.status {
	case failure, pending:
		return r, nil
	case success:
		return r, s.unpack(r, allowed)
	}
	return nil, newleaf.Errorf(newleaf.CodeBadAnswer, "the answer has the unknown pkiStatus %q", quote([]byte(m.status)))
}

// tell notes what was tolerated.
func (s *session) tell(m *message) {
	if digestOf(m.signer).hash == crypto.SHA1 {
		s.notes = append(s.notes, "The authority signs its answers with SHA-1.")
	}
	if len(m.sender) == 0 {
		s.notes = append(s.notes, "The answer has no senderNonce.")
	}
}

// verify checks that si is the signature of one that may sign for the authority
// (F8-S815, F8-G14).
func (a authority) verify(signed *cms.SignedData, si *cms.SignerInfo, allowed cms.Policy) error {
	signer := signed.Find(si, a.known)
	for _, c := range a.signers() {
		if si.Names(c) {
			signer = c // what is enclosed may only look like it
		}
	}
	if signer == nil {
		return newleaf.Errorf(newleaf.CodeUntrusted, "the answer is signed by a certificate that neither it nor GetCACert brings along")
	}
	switch standing := a.judge(signer); {
	case standing == unfit:
		return strangeRA(signer)
	case standing == stranger:
		return newleaf.Errorf(newleaf.CodeUntrusted, "the answer is signed by %q (SHA-256 %s), which does not lead to the confirmed CA certificate",
			newleaf.FormatDN(signer.RawSubject), newleaf.IDOf(signer.Raw))
	case !maySign(signer, standing):
		return newleaf.Errorf(newleaf.CodeUntrusted, "the answer is signed by %q, whose key usage does not allow signatures", newleaf.FormatDN(signer.RawSubject))
	}
	switch err := signed.Verify(si, signer, allowed); {
	case err == nil:
		return nil
	case errors.Is(err, cms.ErrWeak):
		return weakSignature(si, err)
	case errors.Is(err, cms.ErrSignature), errors.Is(err, cms.ErrDigest):
		return newleaf.Errorf(newleaf.CodeBadSignature, "the answer's signature by %q is wrong: %w", newleaf.FormatDN(signer.RawSubject), err)
	default:
		return newleaf.Errorf(newleaf.CodeBadAnswer, "the answer's signature cannot be checked: %w", err)
	}
}

// unpack decrypts a success and takes out what it brings.
func (s *session) unpack(r *reply, allowed cms.Policy) error {
	if len(r.signed.Content) == 0 {
		return noCertificate()
	}
	envelope, err := cms.ParseEnveloped(r.signed.Content)
	if err != nil {
		return newleaf.Errorf(newleaf.CodeBadAnswer, "the answer's envelope cannot be read: %w", err)
	}
	content, err := s.decrypt(envelope, allowed)
	if err != nil {
		return err
	}
	if c := envelope.Cipher; c == cms.DESCBC || c == cms.TripleDESCBC {
		s.notes = append(s.notes, "The authority encrypts its answers with "+c.String()+".")
	}
	signed, err := cms.ParseSigned(content)
	if err != nil {
		return newleaf.Errorf(newleaf.CodeBadAnswer, "the answer's envelope holds no certs-only message: %w", err)
	}
	r.certs, r.crls = signed.Certificates, signed.CRLs
	return bounded(r.certs)
}

// decrypt tries the key that signed the request, then the others (Q31).
func (s *session) decrypt(envelope *cms.Enveloped, allowed cms.Policy) ([]byte, error) {
	content, err := envelope.Decrypt(s.by.decrypter, s.by.certificate, allowed)
	if errors.Is(err, cms.ErrNoRecipient) && s.others != nil {
		others, failed := s.others()
		if failed != nil {
			return nil, failed
		}
		for _, o := range others {
			if content, err = envelope.Decrypt(o.decrypter, o.certificate, allowed); !errors.Is(err, cms.ErrNoRecipient) {
				break
			}
		}
	}
	switch {
	case err == nil:
		return content, nil
	case errors.Is(err, cms.ErrWeak):
		return nil, weakCipher(envelope.Cipher)
	case errors.Is(err, cms.ErrNoRecipient):
		return nil, newleaf.Errorf(newleaf.CodeBadAnswer, "the answer is encrypted to another certificate than ours")
	}
	return nil, newleaf.Errorf(newleaf.CodeBadAnswer, "the answer cannot be decrypted: %w", err)
}

// weakCipher says what is wrong and where it comes from with the authorities
// that are known for it (Q10).
func weakCipher(c cms.Cipher) *newleaf.Error {
	e := newleaf.Errorf(newleaf.CodeWeak, "the authority encrypts its answers with %s, which the connection does not allow", c)
	if c == cms.DESCBC {
		return e.WithHint("step-ca does so unless its provisioner sets \"encryptionAlgorithmIdentifier\": 2, micromdm always; configure AES elsewhere. To read it nevertheless, allow it with --weak des.")
	}
	return e.WithHint("Configure the authority for AES, or allow triple DES with --weak 3des.")
}

// weakSignature is the same for signatures (Q11).
func weakSignature(si *cms.SignerInfo, err error) *newleaf.Error {
	if digestOf(si).hash != crypto.SHA1 {
		return newleaf.Errorf(newleaf.CodeWeak, "the authority signs its answers too weakly to accept: %w", err).
			WithHint("Configure the authority for SHA-256 and RSA keys of 2048 bits.")
	}
	return newleaf.Errorf(newleaf.CodeWeak, "the authority signs its answers with SHA-1, which the connection does not allow").
		WithHint("step-ca and micromdm cannot do otherwise; configure SHA-256 elsewhere. To accept it on answers, allow it with --weak sha1.")
}

// besides adds a weak cipher to a complaint about a weak signature: who has to
// allow one algorithm should not learn of the next one by another failure.
func besides(err error, m *message, allowed cms.Policy) error {
	envelope, failed := cms.ParseEnveloped(m.signed.Content)
	if newleaf.CodeOf(err) != newleaf.CodeWeak || failed != nil {
		return err
	}
	if c := envelope.Cipher; c == cms.DESCBC && !allowed.DES || c == cms.TripleDESCBC && !allowed.TripleDES {
		return newleaf.Errorf(newleaf.CodeWeak, "%w; %s", err, weakCipher(c)).
			WithHint("%s %s", newleaf.AsError(err).Hint, weakCipher(c).Hint)
	}
	return err
}

func noCertificate() *newleaf.Error {
	return newleaf.Errorf(newleaf.CodeBadAnswer, "the authority granted the request but sent no certificate").
		WithHint("Look at the authority's log; the certificate may have been issued.")
}

// answer is the reply as every protocol gives it.
func (r *reply) answer(notes []string) enroll.Answer {
	a := enroll.Answer{Verified: r.verified, Notes: notes, Raw: r.raw}
	switch r.status {
	case success:
		a.Status, a.Certificates = enroll.Issued, r.certs
	case pending:
		a.Status = enroll.Pending
	default:
		a.Status, a.Reason = enroll.Refused, r.reason()
		if info := r.info(); info != nil {
			a.FailInfo = info.word
		}
	}
	return a
}

// info is the row of the reply's failInfo, nil if it has none that is known.
func (r *reply) info() *failInfo {
	if n, err := strconv.Atoi(r.failInfo); err == nil && n >= 0 && n < len(failInfos) {
		return &failInfos[n]
	}
	return nil
}

// reason is a refusal in words (F8-G11).
func (r *reply) reason() string {
	reason := "it gave no reason"
	if info := r.info(); info != nil {
		reason = info.word + ": " + info.means
	} else if r.failInfo != "" {
		reason = "failInfo " + quote([]byte(r.failInfo))
	}
	if text := quote([]byte(r.failText)); text != "" {
		reason += " (" + text + ")"
	}
	return reason
}
