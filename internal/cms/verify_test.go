package cms

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/asn1"
	"math/big"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/crypto/cryptobyte"
	casn1 "golang.org/x/crypto/cryptobyte/asn1"
)

// forgery is a SignerInfo put together by hand; zero fields are those of a correct message by rsa1024.
type forgery struct {
	content     string
	contentType asn1.ObjectIdentifier // the real one
	signedType  asn1.ObjectIdentifier // the attribute
	digest, sig asn1.ObjectIdentifier
	params      func(*cryptobyte.Builder)
	extra       []Attribute
	set         func(set []byte) []byte // changes the attributes before signing
	sent        func(set []byte) []byte // changes the attributes after signing
	none        bool                    // no signed attributes
	sign        func(sum []byte) []byte
	more        int  // signers besides the one
	empty       bool // no signer
}

func (f forgery) encode(t *testing.T) []byte {
	t.Helper()
	if f.contentType == nil {
		f.contentType = oidData
	}
	if f.signedType == nil {
		f.signedType = oidData
	}
	if f.digest == nil {
		f.digest = sha256OID
	}
	if f.sig == nil {
		f.sig, f.params = oidRSA, addNull
	}
	hash := must(digestHash(f.digest))
	if hash == crypto.MD5 {
		hash = crypto.SHA256 // cannot be computed, need not be
	}
	sum := hash.New()
	sum.Write([]byte("content"))
	set, ok := encodeAttributes(append([]Attribute{
		{oidContentType, encodeOID(f.signedType)},
		OctetsAttribute(oidMessageDigest, sum.Sum(nil)),
	}, f.extra...))
	if !ok {
		t.Fatal("attributes")
	}
	if f.set != nil {
		set = f.set(set)
	}
	digest := hashSet(hash, set)
	if f.sign == nil {
		f.sign = func(sum []byte) []byte { return must(rsa1024().key.Sign(rand.Reader, sum, hash)) }
	}
	if f.sent != nil {
		set = f.sent(set)
	}
	info := func(b *cryptobyte.Builder) {
		b.AddASN1(casn1.SEQUENCE, func(b *cryptobyte.Builder) {
			b.AddASN1Int64(1)
			addIssuerAndSerial(b, rsa1024().cert)
			addAlgorithm(b, f.digest, nil)
			if !f.none {
				b.AddASN1(tag0.Constructed(), addRaw(set))
			}
			addAlgorithm(b, f.sig, f.params)
			b.AddASN1OctetString(f.sign(digest))
		})
	}
	return must(encodeContentInfo(oidSignedData, func(b *cryptobyte.Builder) {
		b.AddASN1Int64(1)
		b.AddASN1(casn1.SET, func(b *cryptobyte.Builder) { addAlgorithm(b, f.digest, nil) })
		b.AddASN1(casn1.SEQUENCE, func(b *cryptobyte.Builder) {
			b.AddASN1ObjectIdentifier(f.contentType)
			b.AddASN1(tag0.Constructed(), func(b *cryptobyte.Builder) { b.AddASN1OctetString([]byte("content" + f.content)) })
		})
		b.AddASN1(tag0.Constructed(), addRaw(rsa1024().cert.Raw))
		b.AddASN1(casn1.SET, func(b *cryptobyte.Builder) {
			if !f.empty {
				info(b)
			}
			for range f.more {
				info(b)
			}
		})
	}))
}

func reverse(set []byte) []byte {
	var out []byte
	for s := cryptobyte.String(set); !s.Empty(); {
		var e cryptobyte.String
		s.ReadAnyASN1Element(&e, new(casn1.Tag))
		out = append(bytes.Clone(e), out...)
	}
	return out
}

// TestVerifyForgeries changes one thing at a time of a message that verifies.
func TestVerifyForgeries(t *testing.T) {
	key := rsa1024().key.(*rsa.PrivateKey)
	sha384OID := must(digestOID(crypto.SHA384))
	rsaWith := func(h crypto.Hash) asn1.ObjectIdentifier { return must(signatureOID(x509.RSA, h)) }
	flip := func(b []byte) []byte { b = bytes.Clone(b); b[len(b)-1] ^= 1; return b }
	unsigned := asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 7, 6}
	for _, tt := range []struct {
		name   string
		f      forgery
		policy Policy
		want   error
	}{
		{"control", forgery{}, Policy{}, nil},
		{"Q14 sha256WithRSA", forgery{sig: rsaWith(crypto.SHA256), params: addNull}, Policy{}, nil},
		{"Q14 sha256WithRSA without parameters", forgery{sig: rsaWith(crypto.SHA256)}, Policy{}, nil},
		{"another content type, signed", forgery{contentType: unsigned, signedType: unsigned}, Policy{}, nil},
		{"Q20 attributes unsorted, signed sorted", forgery{sent: reverse}, Policy{}, nil},
		{"Q20 attributes unsorted, signed unsorted", forgery{set: reverse}, Policy{}, nil},
		{"Q11 SHA-1 allowed", forgery{digest: sha1OID}, Policy{SHA1: true}, nil},
		{"Q14 sha1WithRSA allowed", forgery{digest: sha1OID, sig: rsaWith(crypto.SHA1), params: addNull}, Policy{SHA1: true}, nil},

		{"content", forgery{content: "!"}, Policy{}, ErrDigest},
		{"content type", forgery{contentType: unsigned}, Policy{}, ErrDigest},
		{"content type attribute", forgery{signedType: unsigned}, Policy{}, ErrDigest},
		{"signature", forgery{sign: func(sum []byte) []byte { return flip(must(key.Sign(rand.Reader, sum, crypto.SHA256))) }}, Policy{}, ErrSignature},
		{"no signature", forgery{sign: func([]byte) []byte { return nil }}, Policy{}, ErrSignature},
		{"other key", forgery{sign: func(sum []byte) []byte { return must(other().key.Sign(rand.Reader, sum, crypto.SHA256)) }}, Policy{}, ErrSignature},
		{"attribute after signing", forgery{extra: []Attribute{TextAttribute(oidMessageType, "19")}, sent: flip}, Policy{}, ErrSignature},
		{"attribute added after signing", forgery{sent: func(set []byte) []byte { return append(set, encode(0x30, unhex("060161 31020500"))...) }}, Policy{}, ErrSignature},
		{"contentType repeated", forgery{extra: []Attribute{{oidContentType, encodeOID(oidData)}}}, Policy{}, ErrMalformed},
		{"messageDigest repeated", forgery{extra: []Attribute{OctetsAttribute(oidMessageDigest, nil)}}, Policy{}, ErrMalformed},
		{"no attributes inside", forgery{set: func([]byte) []byte { return nil }}, Policy{}, ErrMalformed},
		{"no signed attributes", forgery{none: true}, Policy{}, ErrUnsupported},
		{"no signer", forgery{empty: true}, Policy{}, ErrMalformed},
		{"two signers", forgery{more: 1}, Policy{}, ErrMalformed},
		{"SHA-1", forgery{digest: sha1OID}, Policy{DES: true, TripleDES: true}, ErrWeak},
		{"sha1WithRSA over SHA-256", forgery{sig: rsaWith(crypto.SHA1)}, Policy{}, ErrWeak},
		{"MD5", forgery{digest: md5OID}, Policy{SHA1: true}, ErrWeak},
		{"md5WithRSA over SHA-256", forgery{sig: rsaWith(crypto.MD5)}, Policy{SHA1: true}, ErrWeak},
		{"digests disagree", forgery{digest: sha384OID, sig: rsaWith(crypto.SHA256)}, Policy{}, ErrUnsupported},
		{"unknown signature algorithm", forgery{sig: asn1.ObjectIdentifier{1, 2, 3}}, Policy{}, ErrUnsupported},
		{"ECDSA under an RSA key", forgery{sig: must(signatureOID(x509.ECDSA, crypto.SHA256))}, Policy{}, ErrSignature},
		{"PSS without parameters", forgery{sig: oidPSS}, Policy{}, ErrMalformed},
		{"PSS with SHA-1 by default", forgery{sig: oidPSS, params: addRaw(unhex("3000"))}, Policy{SHA1: true}, ErrUnsupported},
		{"PSS with a huge salt", forgery{sig: oidPSS, params: pssParams(1 << 20)}, Policy{}, ErrUnsupported},
		{"PKCS #1 v1.5 marked PSS", forgery{sig: oidPSS, params: pssParams(32)}, Policy{}, ErrSignature},
		{"RFC 4055 PSS", forgery{sig: oidPSS, params: pssParams(32), sign: signPSS(32)}, Policy{}, nil},
		{"RFC 4055 PSS, empty salt", forgery{sig: oidPSS, params: pssParams(0), sign: signPSS(rsa.PSSSaltLengthAuto)}, Policy{}, nil},
		{"PSS, other salt length", forgery{sig: oidPSS, params: pssParams(32), sign: signPSS(16)}, Policy{}, ErrSignature},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, _, err := open(tt.f.encode(t), nil, tt.policy)
			wantError(t, err, tt.want)
		})
	}
}

func signPSS(salt int) func([]byte) []byte {
	return func(sum []byte) []byte {
		return must(rsa1024().key.Sign(rand.Reader, sum, &rsa.PSSOptions{SaltLength: salt, Hash: crypto.SHA256}))
	}
}

func pssParams(salt int64) func(*cryptobyte.Builder) {
	hash := func(b *cryptobyte.Builder) { addAlgorithm(b, sha256OID, addNull) }
	return func(b *cryptobyte.Builder) {
		b.AddASN1(casn1.SEQUENCE, func(b *cryptobyte.Builder) {
			b.AddASN1(tag0.Constructed(), hash)
			b.AddASN1(tag1.Constructed(), func(b *cryptobyte.Builder) { addAlgorithm(b, oidMGF1, hash) })
			b.AddASN1(tag2.Constructed(), func(b *cryptobyte.Builder) { b.AddASN1Int64(salt) })
		})
	}
}

// TestVerifyKeys: an embedded certificate may hold any key.
func TestVerifyKeys(t *testing.T) {
	s := must(ParseSigned(forgery{}.encode(t)))
	si := must(s.Signer())
	rsaOf := func(bits uint) *rsa.PublicKey {
		return &rsa.PublicKey{N: new(big.Int).Sub(new(big.Int).Lsh(big.NewInt(1), bits), big.NewInt(1)), E: 65537}
	}
	for _, tt := range []struct {
		name string
		key  any
		want error
	}{
		{"control", rsa1024().cert.PublicKey, nil},
		{"other key", other().cert.PublicKey, ErrSignature},
		{"other kind of key", p256().cert.PublicKey, ErrSignature},
		{"RSA over the limit", rsaOf(MaxRSA + 1), ErrUnsupported},
		{"RSA of a million bits", rsaOf(1 << 20), ErrUnsupported},
		{"RSA-512", rsaOf(512), ErrWeak},
		{"RSA-0", &rsa.PublicKey{N: new(big.Int)}, ErrWeak},
		{"Ed25519", ed().cert.PublicKey, ErrUnsupported},
		{"unknown to crypto/x509", nil, ErrUnsupported},
	} {
		t.Run(tt.name, func(t *testing.T) {
			wantError(t, s.Verify(si, &x509.Certificate{PublicKey: tt.key}, Policy{}), tt.want)
		})
	}
}

func TestVerifyNobody(t *testing.T) {
	s := must(ParseSigned(forgery{}.encode(t)))
	wantError(t, s.Verify(&s.Signers[0], nil, Policy{}), ErrSignature)
}

// TestDetached: the caller can supply the content of a message that carries none.
func TestDetached(t *testing.T) {
	s := must(ParseSigned(forgery{}.encode(t)))
	si := must(s.Signer())
	s.Content = nil
	wantError(t, s.Verify(si, rsa1024().cert, Policy{}), ErrDigest)
	s.Content = []byte("content")
	wantError(t, s.Verify(si, rsa1024().cert, Policy{}), nil)
}

// TestVerifyFlips flips every bit position of a message once: what still verifies must say the same.
func TestVerifyFlips(t *testing.T) {
	der := forgery{extra: []Attribute{TextAttribute(oidMessageType, "19")}}.encode(t)
	want, wantInfo, err := open(der, nil, Policy{})
	if err != nil {
		t.Fatal(err)
	}
	passed := 0
	for i := range der {
		b := bytes.Clone(der)
		b[i] ^= 1 << (i % 8)
		got, info, err := open(b, nil, Policy{})
		if err != nil {
			continue
		}
		passed++
		if diff := cmp.Diff(want.Content, got.Content) + cmp.Diff(wantInfo.Attributes, info.Attributes); diff != "" {
			t.Errorf("byte %d: %s", i, diff)
		}
	}
	t.Logf("%d of %d flips do not matter", passed, len(der))
	if passed > len(der)/2 {
		t.Errorf("%d of %d flips do not matter", passed, len(der))
	}
}

// TestParseSignedRefuses cuts a message short at every byte, and appends one.
func TestParseSignedRefuses(t *testing.T) {
	der := forgery{}.encode(t)
	for i := range der {
		if _, err := ParseSigned(der[:i]); err == nil {
			t.Errorf("cut at %d: read", i)
		}
	}
	_, err := ParseSigned(append(bytes.Clone(der), 0))
	wantError(t, err, ErrMalformed)
	_, err = ParseSigned(must(Encrypt(nil, rsa1024().cert, EncryptOptions{})))
	wantError(t, err, ErrMalformed)
	_, err = ParseSigned(bytes.Replace(der, encodeOID(oidSignedData), encodeOID(oidEnvelopedData), 1))
	wantError(t, err, ErrMalformed)
	_, err = ParseSigned(rsa1024().cert.Raw)
	wantError(t, err, ErrMalformed)
}

// TestLimits: each list in a message is bounded, and full lists are read.
func TestLimits(t *testing.T) {
	attr := func(n int) []Attribute {
		list := make([]Attribute, n)
		for i := range list {
			list[i] = OctetsAttribute(asn1.ObjectIdentifier{1, 2, 3, i}, nil)
		}
		return list
	}
	certs := func(n int) []*x509.Certificate {
		list := make([]*x509.Certificate, n)
		for i := range list {
			list[i] = p256().cert
		}
		return list
	}
	crls := func(n int) [][]byte {
		list := make([][]byte, n)
		for i := range list {
			list[i] = unhex("3000")
		}
		return list
	}
	for _, tt := range []struct {
		name string
		der  []byte
		want error
	}{
		{"attributes", must(Sign(nil, p256().signer(), attr(maxAttributes-2), nil)), nil},
		{"too many attributes", must(Sign(nil, p256().signer(), attr(maxAttributes-1), nil)), ErrMalformed},
		{"certificates", must(Degenerate(certs(maxCertificates))), nil},
		{"too many certificates", must(Degenerate(certs(maxCertificates + 1))), ErrMalformed},
		{"signers", forgery{more: maxSigners - 1}.encode(t), nil},
		{"too many signers", forgery{more: maxSigners}.encode(t), ErrMalformed},
		{"CRLs", must(Degenerate(nil, crls(maxCRLs)...)), nil},
		{"too many CRLs", must(Degenerate(nil, crls(maxCRLs+1)...)), ErrMalformed},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := ParseSigned(tt.der)
			wantError(t, err, tt.want)
		})
	}
}
