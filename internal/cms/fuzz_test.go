package cms

import (
	"bytes"
	"crypto/x509"
	"errors"
	"testing"
)

// seeds are messages of each kind, in DER and loosened to BER.
func seeds(t testing.TB) [][]byte {
	t.Helper()
	id := p256()
	attrs := []Attribute{TextAttribute(oidMessageType, "19"), OctetsAttribute(oidNonce, make([]byte, 16))}
	all := [][]byte{
		must(Sign([]byte("content"), id.signer(), attrs, []*x509.Certificate{id.cert})),
		must(Sign(nil, rsa1024().signer(), attrs, nil)),
		must(Degenerate([]*x509.Certificate{id.cert, id.cert}, unhex("3000"))),
		must(Encrypt([]byte("content"), rsa1024().cert, EncryptOptions{})),
		must(Encrypt([]byte("content"), rsa1024().cert, EncryptOptions{Cipher: AES256GCM, OAEP: true})),
		must(CreateRequest(&CertificateRequest{Challenge: "s3cret"}, id.key)),
		id.cert.Raw,
	}
	for _, der := range all {
		all = append(all, loosen(der))
	}
	return append(all, unhex("2480 2480 0401 01 0000 2403 0401 02 0000"), unhex("3080 3180 0500 0000 0000"), []byte("<html>"), nil)
}

// loosen gives every constructed element of der an indefinite length and cuts every OCTET STRING in segments of a byte.
func loosen(der []byte) (ber []byte) {
	for len(der) > 0 {
		h, err := readHeader(der)
		if err != nil {
			return append(ber, der...)
		}
		content := der[h.size : h.size+h.length]
		der = der[h.size+h.length:]
		switch {
		case h.tag&constructed != 0:
			ber = append(append(append(ber, h.tag, 0x80), loosen(content)...), 0, 0)
		case h.tag == tagOctets:
			ber = append(ber, tagOctets|constructed, 0x80)
			for _, b := range content {
				ber = append(ber, tagOctets, 1, b)
			}
			ber = append(ber, 0, 0)
		default:
			ber = append(ber, encode(h.tag, content)...)
		}
	}
	return ber
}

// TestLoosened: the messages we write are read back from BER as loose as it can be. Trap T9.
func TestLoosened(t *testing.T) {
	for i, der := range seeds(t)[:7] {
		if got, err := Normalize(loosen(der)); err != nil || !bytes.Equal(got, der) {
			t.Errorf("seed %d: %v", i, err)
		}
	}
}

// checkKind fails unless err is nil or one of the kinds that parsing may return.
func checkKind(t *testing.T, err error) {
	t.Helper()
	if err != nil && !errors.Is(err, ErrMalformed) && !errors.Is(err, ErrUnsupported) && !errors.Is(err, ErrWeak) {
		t.Errorf("error of no kind: %v", err)
	}
}

func FuzzNormalize(f *testing.F) {
	for _, s := range seeds(f) {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		before := bytes.Clone(in)
		z := normalizer{in: in}
		out, err := z.run()
		if !bytes.Equal(in, before) {
			t.Error("the input was changed")
		}
		if z.nodes > len(in)+1 || z.moved > MaxDepth*len(in) {
			t.Errorf("%d headers, %d bytes moved for %d", z.nodes, z.moved, len(in))
		}
		if err != nil {
			wantError(t, err, ErrMalformed)
			return
		}
		again, err := Normalize(out)
		if err != nil || len(again) > 0 && &again[0] != &out[0] {
			t.Errorf("the output is not DER: %x, %v", out, err)
		}
	})
}

func FuzzParseSigned(f *testing.F) {
	for _, s := range seeds(f) {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		before := bytes.Clone(in)
		s, err := ParseSigned(in)
		if !bytes.Equal(in, before) {
			t.Error("the input was changed")
		}
		if err != nil {
			checkKind(t, err)
			return
		}
		if len(s.Certificates) > len(s.RawCertificates) || len(s.RawCertificates) > maxCertificates || len(s.Signers) > maxSigners {
			t.Errorf("%d certificates, %d raw, %d signers", len(s.Certificates), len(s.RawCertificates), len(s.Signers))
		}
		for i := range s.Signers {
			si := &s.Signers[i]
			s.Find(si, nil)
			for _, cert := range []*x509.Certificate{p256().cert, rsa1024().cert} {
				s.Verify(si, cert, weakAll)
			}
			for _, a := range si.Attributes {
				a.Text()
				a.Octets()
			}
		}
		if _, err := s.Signer(); (err == nil) != (len(s.Signers) == 1) {
			t.Errorf("%d signers: %v", len(s.Signers), err)
		}
	})
}

func FuzzParseEnveloped(f *testing.F) {
	for _, s := range seeds(f) {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		before := bytes.Clone(in)
		e, err := ParseEnveloped(in)
		if !bytes.Equal(in, before) {
			t.Error("the input was changed")
		}
		if err != nil {
			checkKind(t, err)
			return
		}
		if got, ok := e.open(make([]byte, suites[e.Cipher].key)); ok && len(got) > len(in) {
			t.Errorf("%d bytes of content from %d", len(got), len(in))
		}
		for i := range e.Recipients {
			r := &e.Recipients[i]
			r.Names(rsa1024().cert)
			_, err := r.unwrap(rsa1024().decrypter(), suites[e.Cipher].key)
			checkKind(t, err)
		}
	})
}

func FuzzParseChallenge(f *testing.F) {
	for _, challenge := range []string{"s3cret", "under_score", "パスワード", ""} {
		csr := must(x509.ParseCertificateRequest(must(CreateRequest(&CertificateRequest{Challenge: challenge}, p256().key))))
		f.Add(csr.RawTBSCertificateRequest)
	}
	f.Add(unhex("300d 020100 3000 3000 a004 3002 3000"))
	f.Fuzz(func(t *testing.T, in []byte) {
		challenge, found, err := ParseChallenge(&x509.CertificateRequest{RawTBSCertificateRequest: in})
		if err != nil {
			wantError(t, err, ErrMalformed)
		}
		if !found && challenge != "" || err != nil && found {
			t.Errorf("%q, %v, %v", challenge, found, err)
		}
		if found && decodable(challenge) != challenge {
			t.Errorf("%q does not survive", challenge)
		}
	})
}

// decodable writes and reads s.
func decodable(s string) string {
	text, err := TextAttribute(oidChallenge, s).Text()
	if err != nil {
		return err.Error()
	}
	return text
}
