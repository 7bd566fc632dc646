package cms

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"crypto/x509"
	"errors"
	"io"
	"math/big"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/crypto/cryptobyte"
)

// open parses a message with one signer and verifies it under the certificate found for it.
func open(ber []byte, also []*x509.Certificate, policy Policy) (*SignedData, *SignerInfo, error) {
	s, err := ParseSigned(ber)
	if err != nil {
		return nil, nil, err
	}
	si, err := s.Signer()
	if err != nil {
		return nil, nil, err
	}
	cert := s.Find(si, also)
	if cert == nil {
		return nil, nil, errors.New("no certificate")
	}
	return s, si, s.Verify(si, cert, policy)
}

func TestSignVerify(t *testing.T) {
	attrs := []Attribute{TextAttribute(oidMessageType, "19"), OctetsAttribute(oidNonce, []byte("0123456789abcdef"))}
	for _, tt := range []struct {
		name string
		id   identity
		hash crypto.Hash
		want string // identifier in the message
	}{
		{"T2 RSA-1024", rsa1024(), 0, "1.2.840.113549.1.1.1"},
		{"T2 RSA-2048 SHA-384", rsa2048(), crypto.SHA384, "1.2.840.113549.1.1.1"},
		{"T2 RSA-2048 SHA-512", rsa2048(), crypto.SHA512, "1.2.840.113549.1.1.1"},
		{"P-256", p256(), 0, "1.2.840.10045.4.3.2"},
		{"P-384 SHA-384", p384(), crypto.SHA384, "1.2.840.10045.4.3.3"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			signer := tt.id.signer()
			signer.Hash = tt.hash
			der, err := Sign([]byte("content"), signer, attrs, []*x509.Certificate{tt.id.cert, other().cert})
			if err != nil {
				t.Fatal(err)
			}
			s, si, err := open(der, nil, Policy{})
			if err != nil {
				t.Fatal(err)
			}
			if string(s.Content) != "content" || !s.ContentType.Equal(oidData) || len(s.Certificates) != 2 {
				t.Errorf("content %q of type %v, %d certificates", s.Content, s.ContentType, len(s.Certificates))
			}
			if si.Algorithm.String() != tt.want {
				t.Errorf("signature algorithm %v, want %v", si.Algorithm, tt.want)
			}
			if isRSA := tt.want == oidRSA.String(); isRSA != bytes.Equal(si.params, []byte{5, 0}) {
				t.Errorf("parameters %x", si.params)
			}
			if text, err := si.Text(oidMessageType); text != "19" || err != nil {
				t.Errorf("messageType %q, %v", text, err)
			}
			if nonce, err := si.Octets(oidNonce); string(nonce) != "0123456789abcdef" || err != nil {
				t.Errorf("nonce %q, %v", nonce, err)
			}
		})
	}
}

// TestSignEmpty is trap T4: certmonger needs the content to be present in FAILURE and PENDING.
func TestSignEmpty(t *testing.T) {
	for _, content := range [][]byte{nil, {}} {
		der := must(Sign(content, p256().signer(), nil, []*x509.Certificate{p256().cert}))
		s, _, err := open(der, nil, Policy{})
		if err != nil || s.Content == nil || len(s.Content) != 0 {
			t.Errorf("content %#v, %v", s.Content, err)
		}
		if !bytes.Contains(der, unhex("06092a864886f70d010701 a002 0400")) {
			t.Error("no [0] EXPLICIT OCTET STRING of no bytes")
		}
	}
}

// TestSignSorted checks the DER order of the signed attributes (quirk Q20) and that the key is used once.
func TestSignSorted(t *testing.T) {
	key := &countingSigner{Signer: p256().key}
	attrs := []Attribute{TextAttribute(oidNonce, "zz"), TextAttribute(oidMessageType, "a much longer value"), OctetsAttribute(oidChallenge, nil)}
	der := must(Sign(nil, Signer{Certificate: p256().cert, Key: key}, attrs, nil))
	si := must(must(ParseSigned(der)).Signer())
	sorted, err := sortSet(si.set)
	if err != nil || !bytes.Equal(sorted, si.set) {
		t.Error("signed attributes are not in DER order")
	}
	if key.calls != 1 {
		t.Errorf("signed %d times", key.calls)
	}
}

type countingSigner struct {
	crypto.Signer
	calls int
}

func (c *countingSigner) Sign(r io.Reader, digest []byte, o crypto.SignerOpts) ([]byte, error) {
	c.calls++
	return c.Signer.Sign(r, digest, o)
}

func TestSignRefuses(t *testing.T) {
	with := func(id identity, h crypto.Hash) Signer { return Signer{id.cert, id.key, h} }
	for _, tt := range []struct {
		name  string
		s     Signer
		attrs []Attribute
		want  error
	}{
		{"nothing wrong", with(p256(), 0), nil, nil},
		{"no signer", Signer{}, nil, ErrInvalid},
		{"other key", Signer{Certificate: other().cert, Key: rsa1024().key}, nil, ErrInvalid},
		{"Ed25519", with(ed(), 0), nil, ErrUnsupported},
		{"MD5", with(rsa1024(), crypto.MD5), nil, ErrWeak},
		{"SHA-224", with(rsa1024(), crypto.SHA224), nil, ErrUnsupported},
		{"attribute without value", with(p256(), 0), []Attribute{{Type: oidNonce}}, ErrInvalid},
		{"attribute with two values", with(p256(), 0), []Attribute{{oidNonce, unhex("0500 0500")}}, ErrInvalid},
		{"text that is not UTF-8", with(p256(), 0), []Attribute{TextAttribute(oidNonce, "\xff")}, ErrInvalid},
		{"attribute twice", with(p256(), 0), []Attribute{TextAttribute(oidNonce, "a"), TextAttribute(oidNonce, "b")}, ErrInvalid},
		{"contentType again", with(p256(), 0), []Attribute{TextAttribute(oidContentType, "a")}, ErrInvalid},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := Sign([]byte("content"), tt.s, tt.attrs, nil)
			wantError(t, err, tt.want)
		})
	}
}

func TestDegenerate(t *testing.T) {
	template := &x509.RevocationList{Number: big.NewInt(1)}
	issuer := *p256().cert
	issuer.KeyUsage |= x509.KeyUsageCRLSign
	crl := must(x509.CreateRevocationList(rand.Reader, template, &issuer, p256().key))
	certs := []*x509.Certificate{rsa2048().cert, p256().cert, rsa1024().cert}
	for _, tt := range []struct {
		name  string
		certs []*x509.Certificate
		crls  [][]byte
	}{
		{"RFC 8894 4.2 certs-only keeps the order", certs, nil},
		{"RFC 8894 3.3.4 CRL only", nil, [][]byte{crl}},
		{"both", certs[:1], [][]byte{crl, crl}},
		{"empty", nil, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s, err := ParseSigned(must(Degenerate(tt.certs, tt.crls...)))
			if err != nil {
				t.Fatal(err)
			}
			if s.Content != nil || len(s.Signers) != 0 {
				t.Errorf("content %v, %d signers", s.Content, len(s.Signers))
			}
			if diff := cmp.Diff(tt.certs, s.Certificates, cmp.Comparer((*x509.Certificate).Equal)); diff != "" {
				t.Error(diff)
			}
			if diff := cmp.Diff(tt.crls, s.CRLs); diff != "" {
				t.Error(diff)
			}
			_, err = s.Signer()
			wantError(t, err, ErrMalformed)
		})
	}
	_, err := Degenerate(nil, []byte("-----BEGIN X509 CRL-----"))
	wantError(t, err, ErrInvalid)
}

// TestUnreadableCertificate: a certificate that crypto/x509 refuses does not spoil the message.
func TestUnreadableCertificate(t *testing.T) {
	good := p256().cert
	negative := bytes.Replace(good.Raw, good.SerialNumber.Bytes(), append([]byte{0xff}, good.SerialNumber.Bytes()[1:]...), 1)
	i := bytes.Index(negative, unhex("021100ff"))
	copy(negative[i:], unhex("0211ffff"))
	if _, err := x509.ParseCertificate(negative); err == nil {
		t.Fatal("crypto/x509 reads the certificate now; find another one")
	}
	s, err := ParseSigned(must(Degenerate([]*x509.Certificate{{Raw: negative}, good})))
	if err != nil {
		t.Fatal(err)
	}
	if len(s.Certificates) != 1 || !s.Certificates[0].Equal(good) || len(s.RawCertificates) != 2 || !bytes.Equal(s.RawCertificates[0], negative) {
		t.Errorf("%d certificates, %d raw", len(s.Certificates), len(s.RawCertificates))
	}
}

// TestOtherChoices: attribute certificates and foreign revocation formats (RFC 5652 sections 10.2.1 and 10.2.2) are skipped.
func TestOtherChoices(t *testing.T) {
	der := must(encodeSigned([]*x509.Certificate{{Raw: unhex("a100")}, p256().cert}, [][]byte{unhex("a100"), unhex("3000")},
		addNothing, addNothing, addNothing))
	s, err := ParseSigned(der)
	if err != nil || len(s.RawCertificates) != 1 || len(s.Certificates) != 1 || len(s.CRLs) != 1 {
		t.Errorf("%+v, %v", s, err)
	}
}

func TestFind(t *testing.T) {
	bySerial := SignerInfo{CertificateID: CertificateID{Issuer: rsa1024().cert.RawIssuer, Serial: rsa1024().cert.SerialNumber}}
	byKey := SignerInfo{CertificateID: CertificateID{SubjectKeyID: rsa1024().cert.SubjectKeyId}}
	otherIssuer := SignerInfo{CertificateID: CertificateID{Issuer: other().cert.RawIssuer, Serial: rsa1024().cert.SerialNumber}}
	all := []*x509.Certificate{other().cert, rsa1024().cert}
	for _, tt := range []struct {
		name           string
		si             SignerInfo
		embedded, also []*x509.Certificate
		want           *x509.Certificate
	}{
		{"embedded", bySerial, all, nil, rsa1024().cert},
		{"elsewhere", bySerial, nil, all, rsa1024().cert},
		{"by subject key identifier", byKey, all, nil, rsa1024().cert},
		{"same serial of another issuer", otherIssuer, all, all, nil},
		{"nowhere", bySerial, []*x509.Certificate{other().cert}, nil, nil},
		{"no identifier", SignerInfo{}, []*x509.Certificate{{SerialNumber: big.NewInt(0)}}, nil, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := (&SignedData{Certificates: tt.embedded}).Find(&tt.si, tt.also); got != tt.want {
				t.Errorf("found %v", got)
			}
		})
	}
}

// TestReadIDLimit: a serial number is not worth unlimited arithmetic.
func TestReadIDLimit(t *testing.T) {
	for size, want := range map[int]bool{0: false, 1: true, maxSerial: true, maxSerial + 1: false} {
		s := cryptobyte.String(encode(0x30, append(bytes.Clone(rsa1024().cert.RawIssuer), encode(2, make([]byte, size))...)))
		if _, ok := readID(&s); ok != want {
			t.Errorf("%d bytes: %v", size, ok)
		}
	}
}

// TestReadID: a peer that leaves out the leading zero of a serial number is understood (trap T3).
func TestReadID(t *testing.T) {
	cert := rsa1024().cert
	for name, serial := range map[string][]byte{
		"DER":            append([]byte{0}, cert.SerialNumber.Bytes()...),
		"T3 no zero":     cert.SerialNumber.Bytes(),
		"too many zeros": append([]byte{0, 0, 0}, cert.SerialNumber.Bytes()...),
	} {
		s := cryptobyte.String(encode(0x30, append(bytes.Clone(cert.RawIssuer), encode(2, serial)...)))
		if id, ok := readID(&s); !ok || !id.Names(cert) {
			t.Errorf("%s: %v", name, id.Serial)
		}
	}
}
