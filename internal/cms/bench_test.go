package cms

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"crypto/x509"
	"testing"
)

// BenchmarkRSA is the unit of the others: one private operation of RSA-2048.
func BenchmarkRSA(b *testing.B) {
	digest := make([]byte, 32)
	key := rsa2048().key
	b.ReportAllocs()
	for b.Loop() {
		must(key.Sign(rand.Reader, digest, crypto.SHA256))
	}
}

func BenchmarkSign(b *testing.B) {
	signer, certs, content := rsa2048().signer(), []*x509.Certificate{rsa2048().cert}, make([]byte, 2000)
	attrs := []Attribute{TextAttribute(oidMessageType, "3"), OctetsAttribute(oidNonce, make([]byte, 16))}
	b.ReportAllocs()
	for b.Loop() {
		must(Sign(content, signer, attrs, certs))
	}
}

func BenchmarkVerify(b *testing.B) {
	der := must(Sign(make([]byte, 2000), rsa2048().signer(), nil, []*x509.Certificate{rsa2048().cert}))
	b.ReportAllocs()
	for b.Loop() {
		if _, _, err := open(der, nil, Policy{}); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkEncrypt(b *testing.B) {
	content := make([]byte, 2000)
	b.ReportAllocs()
	for b.Loop() {
		must(Encrypt(content, rsa2048().cert, EncryptOptions{}))
	}
}

func BenchmarkDecrypt(b *testing.B) {
	der := must(Encrypt(make([]byte, 2000), rsa2048().cert, EncryptOptions{}))
	b.ReportAllocs()
	for b.Loop() {
		must(decrypt(der, rsa2048(), Policy{}))
	}
}

func BenchmarkCreateRequest(b *testing.B) {
	r := &CertificateRequest{RawSubject: rsa2048().cert.RawSubject, Challenge: "s3cret"}
	b.ReportAllocs()
	for b.Loop() {
		must(CreateRequest(r, rsa2048().key))
	}
}

func BenchmarkNormalize(b *testing.B) {
	der := must(Sign(make([]byte, 2000), rsa2048().signer(), nil, []*x509.Certificate{rsa2048().cert}))
	for name, in := range map[string][]byte{
		"DER":  der,
		"BER":  loosen(der),
		"Bomb": append(append(unhex("2480"), bytes.Repeat(unhex("0401aa"), MaxSize/3-2)...), 0, 0),
	} {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(in)))
			b.ReportAllocs()
			for b.Loop() {
				must(Normalize(in))
			}
		})
	}
}
