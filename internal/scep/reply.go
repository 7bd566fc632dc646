package scep

import (
	"crypto"
	"fmt"
	"slices"
	"strconv"

	"newleaf/internal/cms"
	"newleaf/internal/enroll"
)

// reply makes the CertRep: what a success brings encrypted to the request's
// signer, all of it signed. FAILURE and PENDING carry a content of zero bytes,
// as certmonger takes none for an error (T4).
func (s *server) reply(req *request, out *outcome, bad enroll.Mischief) ([]byte, error) {
	m := &message{transaction: req.transaction, kind: certRep, sender: nonce(), recipient: req.sender, status: out.status}
	content := []byte{}
	switch out.status {
	case failure:
		m.failInfo, m.failText = failNumber(out.failInfo), out.text
	case success:
		if bad.NoCert {
			out = &outcome{}
		}
		certs, err := cms.Degenerate(out.certs, out.crls...)
		if err != nil {
			return nil, fmt.Errorf("encoding the certificates: %w", err)
		}
		content, err = cms.Encrypt(certs, req.certificate, cms.EncryptOptions{Cipher: s.cipher(req.cipher)})
		if err != nil {
			return nil, fmt.Errorf("encrypting the answer: %w", err)
		}
	}
	signer := enroll.Credential{Certificate: s.id.Signer, Key: s.id.Sign}
	signer = s.spoil(m, signer, bad)
	der, err := cms.Sign(content, cms.Signer{Certificate: signer.Certificate, Key: signer.Key, Hash: s.hash(req.signer)}, m.attributes(), nonNil(signer.Certificate))
	if err != nil {
		return nil, fmt.Errorf("signing the answer: %w", err)
	}
	if bad.Signature {
		der[len(der)-1] ^= 1 // the signature ends the message
	}
	return der, nil
}

// cipher is what the client surely reads: the one it wrote, except that single
// DES is never written.
func (s *server) cipher(sent cms.Cipher) cms.Cipher {
	switch {
	case sent != cms.DESCBC:
		return sent
	case s.policy.TripleDES:
		return cms.TripleDESCBC
	}
	return cms.AES128CBC
}

// hash is the digest the client used, which it surely verifies, if it may be written.
func (s *server) hash(sent *cms.SignerInfo) crypto.Hash {
	if d := digestOf(sent); d.hash != 0 && (d.hash != crypto.SHA1 || s.policy.SHA1) {
		return d.hash
	}
	return crypto.SHA256
}

// failNumber is the number of a failInfo word; badRequest for an unknown one.
func failNumber(word string) string {
	n := slices.IndexFunc(failInfos, func(f failInfo) bool { return f.word == word })
	if n < 0 {
		n = 2
	}
	return strconv.Itoa(n)
}
