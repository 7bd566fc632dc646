package cms

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	casn1 "golang.org/x/crypto/cryptobyte/asn1"
)

var (
	oidSAN = asn1.ObjectIdentifier{2, 5, 29, 17}
	oidEKU = asn1.ObjectIdentifier{2, 5, 29, 37}
	san    = pkix.Extension{Id: oidSAN, Critical: true, Value: unhex("3009 8207 7072696e746572")} // DNS:printer
)

func TestCreateRequest(t *testing.T) {
	p521 := must(ecdsa.GenerateKey(elliptic.P521(), rand.Reader))
	subject := pkix.Name{Country: []string{"JP"}, Organization: []string{"ABC"}, CommonName: "Device001"}
	extensions := []pkix.Extension{san, {Id: oidEKU, Value: unhex("300a 06082b06010505070302")}}
	for _, tt := range []struct {
		name string
		key  crypto.Signer
		want x509.SignatureAlgorithm
	}{
		{"RSA-1024", rsa1024().key, x509.SHA256WithRSA},
		{"RSA-2048", rsa2048().key, x509.SHA256WithRSA},
		{"P-256", p256().key, x509.ECDSAWithSHA256},
		{"P-384", p384().key, x509.ECDSAWithSHA384},
		{"P-521", p521, x509.ECDSAWithSHA512},
		{"Ed25519", ed().key, x509.PureEd25519},
	} {
		t.Run(tt.name, func(t *testing.T) {
			key := &countingSigner{Signer: tt.key}
			der, err := CreateRequest(&CertificateRequest{Subject: subject, Extensions: extensions, Challenge: "s3cret"}, key)
			if err != nil {
				t.Fatal(err)
			}
			if key.calls != 1 {
				t.Errorf("signed %d times", key.calls)
			}
			csr, err := x509.ParseCertificateRequest(der)
			if err != nil {
				t.Fatal(err)
			}
			if err := csr.CheckSignature(); err != nil || csr.SignatureAlgorithm != tt.want {
				t.Errorf("%v: %v", csr.SignatureAlgorithm, err)
			}
			if csr.Subject.String() != subject.String() || csr.Version != 0 || len(csr.DNSNames) != 1 || csr.DNSNames[0] != "printer" {
				t.Errorf("subject %v, version %d, names %v", csr.Subject, csr.Version, csr.DNSNames)
			}
			if diff := cmp.Diff(extensions, csr.Extensions); diff != "" {
				t.Error(diff)
			}
			if challenge, found, err := ParseChallenge(csr); challenge != "s3cret" || !found || err != nil {
				t.Errorf("challenge %q, %v, %v", challenge, found, err)
			}
			if got, err := Normalize(der); err != nil || !bytes.Equal(got, der) {
				t.Errorf("not DER: %v", err)
			}
		})
	}
}

// TestCreateRequestPlain: without challenge and extensions the attributes are there, but empty (RFC 2986 section 4.1).
func TestCreateRequestPlain(t *testing.T) {
	raw := p256().cert.RawSubject
	csr := must(x509.ParseCertificateRequest(must(CreateRequest(&CertificateRequest{RawSubject: raw}, p256().key))))
	if !bytes.Equal(csr.RawSubject, raw) || !bytes.HasSuffix(csr.RawTBSCertificateRequest, unhex("a000")) || csr.CheckSignature() != nil {
		t.Errorf("request %x", csr.Raw)
	}
	if challenge, found, err := ParseChallenge(csr); challenge != "" || found || err != nil {
		t.Errorf("challenge %q, %v, %v", challenge, found, err)
	}
}

// TestChallengeEncoding is quirk Q27: old authorities read PrintableString only.
func TestChallengeEncoding(t *testing.T) {
	for _, tt := range []struct {
		challenge string
		tag       casn1.Tag
	}{
		{"A1b2 '()+,-./:=?", casn1.PrintableString},
		{"under_score", casn1.UTF8String},
		{"mail@host", casn1.UTF8String},
		{"star*", casn1.UTF8String},
		{"パスワード", casn1.UTF8String},
		{strings.Repeat("x", 3000), casn1.PrintableString},
	} {
		t.Run(tt.challenge[:min(len(tt.challenge), 20)], func(t *testing.T) {
			csr := must(x509.ParseCertificateRequest(must(CreateRequest(&CertificateRequest{Challenge: tt.challenge}, p256().key))))
			got, found, err := ParseChallenge(csr)
			if got != tt.challenge || !found || err != nil {
				t.Errorf("%q, %v, %v", got, found, err)
			}
			if want := encode(byte(tt.tag), []byte(tt.challenge)); !bytes.Contains(csr.RawTBSCertificateRequest, want) {
				t.Errorf("no string with tag %d", tt.tag)
			}
		})
	}
}

// TestRequestAttributesSorted: the shorter attribute comes first, whichever it is.
func TestRequestAttributesSorted(t *testing.T) {
	for _, challenge := range []string{"x", strings.Repeat("x", 100)} {
		r := &CertificateRequest{Challenge: challenge, Extensions: []pkix.Extension{san}}
		set := must(r.encodeAttributes())
		sorted, err := sortSet(set)
		if err != nil || !bytes.Equal(set, sorted) {
			t.Errorf("challenge of %d: not in DER order", len(challenge))
		}
	}
}

func TestCreateRequestRefuses(t *testing.T) {
	for _, tt := range []struct {
		name string
		r    CertificateRequest
		key  crypto.Signer
		want error
	}{
		{"control", CertificateRequest{}, p256().key, nil},
		{"subject is no DER", CertificateRequest{RawSubject: []byte("CN=x")}, p256().key, ErrInvalid},
		{"subject and more", CertificateRequest{RawSubject: unhex("3000 00")}, p256().key, ErrInvalid},
		{"challenge is not UTF-8", CertificateRequest{Challenge: "\xff"}, p256().key, ErrInvalid},
		{"challenge is not UTF-8 after a letter", CertificateRequest{Challenge: "ä\xff"}, p256().key, ErrInvalid},
		{"extension without type", CertificateRequest{Extensions: []pkix.Extension{{}}}, p256().key, ErrInvalid},
		{"unknown key", CertificateRequest{}, strangeKey{}, ErrUnsupported},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := CreateRequest(&tt.r, tt.key)
			wantError(t, err, tt.want)
		})
	}
}

type strangeKey struct{ crypto.Signer }

func (strangeKey) Public() crypto.PublicKey { return "key" }

// TestParseChallenge builds the attributes by hand.
func TestParseChallenge(t *testing.T) {
	attribute := func(oid asn1.ObjectIdentifier, values string) []byte {
		return encode(0x30, append(encodeOID(oid), encode(0x31, unhex(values))...))
	}
	challenge := func(values string) []byte { return attribute(oidChallenge, values) }
	for _, tt := range []struct {
		name  string
		attrs []byte
		want  string
		found bool
		err   error
	}{
		{"none", nil, "", false, nil},
		{"PrintableString", challenge("1303 616263"), "abc", true, nil},
		{"UTF8String", challenge("0c02 c3a4"), "ä", true, nil},
		{"IA5String", challenge("1603 615f40"), "a_@", true, nil},
		{"T61String", challenge("1402 e461"), "äa", true, nil},
		{"BMPString", challenge("1e04 0061 00e4"), "aä", true, nil},
		{"empty", challenge("0c00"), "", true, nil},
		{"PrintableString beyond its alphabet", challenge("1303 615f40"), "a_@", true, nil},
		{"other attributes", append(attribute(oidNonce, "0500 0500"), challenge("1301 61")...), "a", true, nil},
		{"attribute of an arc we cannot hold", append(unhex("300d 0607 69ffffffffff7f 3102 0500"), challenge("1301 61")...), "a", true, nil},
		{"twice", append(challenge("1301 61"), challenge("1301 61")...), "", false, ErrMalformed},
		{"two values", challenge("1301 61 1301 62"), "", false, ErrMalformed},
		{"no value", challenge(""), "", false, ErrMalformed},
		{"no string", challenge("0403 616263"), "", false, ErrMalformed},
		{"PrintableString of bytes", challenge("1301 e4"), "", false, ErrMalformed},
		{"broken UTF-8", challenge("0c01 ff"), "", false, ErrMalformed},
		{"odd BMPString", challenge("1e01 61"), "", false, ErrMalformed},
		{"cut value", challenge("1305 61"), "", false, ErrMalformed},
	} {
		t.Run(tt.name, func(t *testing.T) {
			info := encode(0x30, bytes.Join([][]byte{unhex("020100 3000 3000"), encode(0xa0, tt.attrs)}, nil))
			got, found, err := ParseChallenge(&x509.CertificateRequest{RawTBSCertificateRequest: info})
			wantError(t, err, tt.err)
			if got != tt.want || found != tt.found {
				t.Errorf("%q, %v; want %q, %v", got, found, tt.want, tt.found)
			}
		})
	}
	t.Run("an unknown arc is left out", func(t *testing.T) {
		attrs, err := readAttributes(append(unhex("300d 0607 69ffffffffff7f 3102 0500"), challenge("1301 61")...))
		if err != nil || len(attrs) != 1 || !attrs[0].Type.Equal(oidChallenge) {
			t.Errorf("%v, %v", attrs, err)
		}
	})
	t.Run("attributes left out", func(t *testing.T) {
		_, found, err := ParseChallenge(&x509.CertificateRequest{RawTBSCertificateRequest: unhex("3007 020100 3000 3000")})
		if found || err != nil {
			t.Errorf("%v, %v", found, err)
		}
	})
	t.Run("nothing", func(t *testing.T) {
		_, _, err := ParseChallenge(&x509.CertificateRequest{})
		wantError(t, err, ErrMalformed)
	})
}

// TestAttributeText: what TextAttribute and OctetsAttribute write, Text and Octets read, and not the other way round.
func TestAttributeText(t *testing.T) {
	text, octets := TextAttribute(oidNonce, "tränke"), OctetsAttribute(oidNonce, []byte("bytes"))
	if got, err := text.Text(); got != "tränke" || err != nil {
		t.Errorf("%q, %v", got, err)
	}
	if got, err := octets.Octets(); string(got) != "bytes" || err != nil {
		t.Errorf("%q, %v", got, err)
	}
	_, err := text.Octets()
	wantError(t, err, ErrMalformed)
	_, err = octets.Text()
	wantError(t, err, ErrMalformed)
	_, err = Attribute{}.Text()
	wantError(t, err, ErrMalformed)

	si := &SignerInfo{Attributes: []Attribute{text, octets}}
	_, err = si.Octets(oidNonce)
	wantError(t, err, ErrMalformed)
	if _, found := si.Attribute(oidNonce); found {
		t.Error("a repeated attribute has a value")
	}
}
