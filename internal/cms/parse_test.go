package cms

import (
	"bytes"
	"crypto"
	"crypto/aes"
	"crypto/cipher"
	"fmt"
	"testing"

	"golang.org/x/crypto/cryptobyte"
	casn1 "golang.org/x/crypto/cryptobyte/asn1"
)

// TestParseEnvelopedRefuses changes one field at a time of a message that is read.
func TestParseEnvelopedRefuses(t *testing.T) {
	cbc := must(Encrypt([]byte("content"), rsa1024().cert, EncryptOptions{}))
	gcm := must(Encrypt([]byte("content"), rsa1024().cert, EncryptOptions{Cipher: AES128GCM}))
	iv, sealed := must(ParseEnveloped(cbc)).iv, must(ParseEnveloped(cbc)).sealed
	replace := func(der []byte, old, new string) []byte {
		if !bytes.Contains(der, unhex(old)) {
			t.Fatalf("%s is not in the message", old)
		}
		return bytes.Replace(der, unhex(old), unhex(new), 1)
	}
	for _, tt := range []struct {
		name string
		der  []byte
		want error
	}{
		{"control", cbc, nil},
		{"control GCM", gcm, nil},
		{"SignedData", forgery{}.encode(t), ErrMalformed},
		{"GCM in EnvelopedData", replace(cbc, "0609608648016503040102", "0609608648016503040106"), ErrMalformed},
		{"CBC in AuthEnvelopedData", replace(gcm, "0609608648016503040106", "0609608648016503040102"), ErrMalformed},
		{"unknown cipher", replace(cbc, "0609608648016503040102", "0609608648016503040103"), ErrUnsupported},
		{"IV is no OCTET STRING", replace(cbc, fmt.Sprintf("0410%x", iv), fmt.Sprintf("0c10%x", iv)), ErrMalformed},
		{"no content", replace(cbc, fmt.Sprintf("8010%x", sealed), fmt.Sprintf("8210%x", sealed)), ErrMalformed},
		{"GCM in EnvelopedData, complete", envelope(&Enveloped{Cipher: AES128GCM, iv: make([]byte, 12), Recipients: make([]Recipient, 1)}, encode(0x80, nil)), ErrMalformed},
		{"CBC in AuthEnvelopedData, complete", must(encodeContentInfo(oidAuthEnveloped, func(b *cryptobyte.Builder) {
			addEnvelope(b, EncryptOptions{}, rsa1024().cert, nil, iv, sealed)
			b.AddASN1OctetString(nil)
		})), ErrMalformed},
		{"tag size over 16", replace(gcm, "020110", "020111"), ErrMalformed},
		{"tag size under 12", replace(gcm, "020110", "02010b"), ErrMalformed},
		{"tag of another size", replace(gcm, "020110", "02010c"), ErrMalformed},
		{"cut off", cbc[:len(cbc)-1], ErrMalformed},
		{"continued", append(bytes.Clone(cbc), 0), ErrMalformed},
		{"no message", []byte("Internal Server Error"), ErrMalformed},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := ParseEnveloped(tt.der)
			wantError(t, err, tt.want)
		})
	}
}

// TestReadCipher: parameters other than those of the cipher are refused before anything is decrypted.
func TestReadCipher(t *testing.T) {
	iv := func(n int) []byte { return encode(tagOctets, make([]byte, n)) }
	gcm := func(parts ...[]byte) []byte { return encode(0x30, bytes.Join(parts, nil)) }
	for _, tt := range []struct {
		name   string
		cipher Cipher
		params []byte
		want   error
	}{
		{"CBC", AES256CBC, iv(16), nil},
		{"CBC with a short IV", AES256CBC, iv(15), ErrMalformed},
		{"CBC with a long IV", AES256CBC, iv(17), ErrMalformed},
		{"CBC without an IV", AES256CBC, nil, ErrMalformed},
		{"3DES", TripleDESCBC, iv(8), nil},
		{"3DES with an IV for AES", TripleDESCBC, iv(16), ErrMalformed},
		{"RFC 5084 GCM, tag of 12 by default", AES256GCM, gcm(iv(12)), nil},
		{"RFC 5084 GCM, tag of 12", AES256GCM, gcm(iv(12), unhex("02010c")), nil},
		{"GCM with a short tag", AES256GCM, gcm(iv(12), unhex("02010b")), ErrMalformed},
		{"GCM with a long tag", AES256GCM, gcm(iv(12), unhex("020111")), ErrMalformed},
		{"GCM with a short nonce", AES256GCM, gcm(iv(8)), ErrMalformed},
		{"GCM with the parameters of CBC", AES256GCM, iv(12), ErrMalformed},
		{"GCM with more parameters", AES256GCM, gcm(iv(12), unhex("020110"), unhex("0500")), ErrMalformed},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c, _, tag, err := readCipher(algorithm{suites[tt.cipher].oid, tt.params})
			wantError(t, err, tt.want)
			if err == nil && (c != tt.cipher || suites[c].gcm && tag != 12) {
				t.Errorf("%v, tag of %d", c, tag)
			}
		})
	}
}

// TestRecipients: several recipients of several kinds, of which ours is found.
func TestRecipients(t *testing.T) {
	one := must(ParseEnveloped(must(Encrypt([]byte("content"), rsa1024().cert, EncryptOptions{}))))
	build := func(count int) []byte {
		return must(encodeContentInfo(oidEnvelopedData, func(b *cryptobyte.Builder) {
			b.AddASN1Int64(2)
			b.AddASN1(casn1.SET, func(b *cryptobyte.Builder) {
				b.AddASN1(tag1.Constructed(), addNothing) // key agreement
				for range count {
					b.AddASN1(casn1.SEQUENCE, func(b *cryptobyte.Builder) {
						b.AddASN1Int64(0)
						addIssuerAndSerial(b, other().cert)
						addAlgorithm(b, oidRSA, addNull)
						b.AddASN1OctetString(one.Recipients[0].wrapped)
					})
				}
				b.AddASN1(casn1.SEQUENCE, func(b *cryptobyte.Builder) {
					b.AddASN1Int64(2)
					b.AddASN1(tag0, addRaw(rsa1024().cert.SubjectKeyId))
					addAlgorithm(b, oidRSA, addNull)
					b.AddASN1OctetString(one.Recipients[0].wrapped)
				})
			})
			b.AddASN1(casn1.SEQUENCE, func(b *cryptobyte.Builder) {
				b.AddASN1ObjectIdentifier(oidData)
				addCipher(b, AES128CBC, one.iv)
				b.AddASN1(tag0, addRaw(one.sealed))
			})
		}))
	}
	if got, err := decrypt(build(3), rsa1024(), Policy{}); string(got) != "content" {
		t.Errorf("%q, %v", got, err)
	}
	_, err := decrypt(build(3), rsa2048(), Policy{})
	wantError(t, err, ErrNoRecipient)
	if _, err := ParseEnveloped(build(maxRecipients - 2)); err != nil {
		t.Error(err)
	}
	_, err = ParseEnveloped(build(maxRecipients - 1))
	wantError(t, err, ErrMalformed)
}

// TestAuthAttributes: authenticated attributes of RFC 5083 section 2.1 are part of what the tag covers, as a SET.
func TestAuthAttributes(t *testing.T) {
	attrs := must(signedAttributes(nil, crypto.SHA256, nil))
	e := must(ParseEnveloped(must(Encrypt(nil, rsa1024().cert, EncryptOptions{Cipher: AES128GCM}))))
	key := must(e.Recipients[0].unwrap(rsa1024().decrypter(), 16))
	aead := must(cipher.NewGCM(must(aes.NewCipher(key))))
	sealed := aead.Seal(nil, e.iv, []byte("content"), encode(0x31, attrs))
	build := func(attrs []byte) []byte {
		return must(encodeContentInfo(oidAuthEnveloped, func(b *cryptobyte.Builder) {
			addEnvelope(b, EncryptOptions{Cipher: AES128GCM}, rsa1024().cert, e.Recipients[0].wrapped, e.iv, sealed[:7])
			b.AddASN1(tag1.Constructed(), addRaw(attrs))
			b.AddASN1OctetString(sealed[7:])
			b.AddASN1(tag2.Constructed(), addNothing)
		}))
	}
	if got, err := decrypt(build(attrs), rsa1024(), Policy{}); string(got) != "content" {
		t.Errorf("%q, %v", got, err)
	}
	attrs[len(attrs)-1] ^= 1
	_, err := decrypt(build(attrs), rsa1024(), Policy{})
	wantError(t, err, ErrDecrypt)
}

// TestShortTag: a GCM tag of 12 bytes, which absent parameters mean (RFC 5084 section 3.2), is the start of the long one.
func TestShortTag(t *testing.T) {
	e := must(ParseEnveloped(must(Encrypt([]byte("content"), rsa1024().cert, EncryptOptions{Cipher: AES128GCM}))))
	e.tag, e.sealed = 12, e.sealed[:len(e.sealed)-4]
	if got, err := e.Decrypt(rsa1024().decrypter(), rsa1024().cert, Policy{}); string(got) != "content" {
		t.Errorf("%q, %v", got, err)
	}
	e.sealed[len(e.sealed)-1] ^= 1
	_, err := e.Decrypt(rsa1024().decrypter(), rsa1024().cert, Policy{})
	wantError(t, err, ErrDecrypt)
}

// TestSegments: the segments of [0] IMPLICIT content are joined, and nothing else is taken for one. Trap T9.
func TestSegments(t *testing.T) {
	e := must(ParseEnveloped(must(Encrypt([]byte("content"), rsa1024().cert, EncryptOptions{}))))
	for _, tt := range []struct {
		name    string
		content []byte
		want    error
	}{
		{"one piece", encode(0x80, e.sealed), nil},
		{"two segments", encode(0xa0, append(encode(4, e.sealed[:5]), encode(4, e.sealed[5:])...)), nil},
		{"no segments", encode(0xa0, nil), ErrMalformed},
		{"no whole blocks", encode(0xa0, encode(4, e.sealed[:5])), ErrMalformed},
		{"no blocks", encode(0x80, nil), ErrMalformed},
		{"foreign segment", encode(0xa0, append(encode(4, e.sealed), encode(2, nil)...)), ErrMalformed},
		{"absent", nil, ErrMalformed},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := decrypt(envelope(e, tt.content), rsa1024(), Policy{})
			wantError(t, err, tt.want)
			if err == nil && string(got) != "content" {
				t.Errorf("%q", got)
			}
		})
	}
}

// envelope writes e again with other content.
func envelope(e *Enveloped, content []byte) []byte {
	return must(encodeContentInfo(oidEnvelopedData, func(b *cryptobyte.Builder) {
		b.AddASN1Int64(0)
		b.AddASN1(casn1.SET, func(b *cryptobyte.Builder) {
			b.AddASN1(casn1.SEQUENCE, func(b *cryptobyte.Builder) {
				b.AddASN1Int64(0)
				addIssuerAndSerial(b, rsa1024().cert)
				addAlgorithm(b, oidRSA, addNull)
				b.AddASN1OctetString(e.Recipients[0].wrapped)
			})
		})
		b.AddASN1(casn1.SEQUENCE, func(b *cryptobyte.Builder) {
			b.AddASN1ObjectIdentifier(oidData)
			addCipher(b, e.Cipher, e.iv)
			b.AddBytes(content)
		})
	}))
}
