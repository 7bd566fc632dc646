package cms

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"fmt"
	"io"
	"math/big"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/crypto/cryptobyte"
	casn1 "golang.org/x/crypto/cryptobyte/asn1"
)

// weakAll accepts every weak cipher.
var weakAll = Policy{SHA1: true, DES: true, TripleDES: true}

// ciphers are those that every build can write.
var ciphers = []Cipher{AES128CBC, AES192CBC, AES256CBC, AES128GCM, AES192GCM, AES256GCM, TripleDESCBC}

func decrypt(ber []byte, id identity, policy Policy) ([]byte, error) {
	e, err := ParseEnveloped(ber)
	if err != nil {
		return nil, err
	}
	return e.Decrypt(id.decrypter(), id.cert, policy)
}

func TestEncryptDecrypt(t *testing.T) {
	for _, c := range ciphers {
		for _, oaep := range []bool{false, true} {
			t.Run(fmt.Sprintf("%v OAEP %v", c, oaep), func(t *testing.T) {
				for _, size := range []int{0, 1, 7, 8, 15, 16, 17, 1000, 70000} {
					content := bytes.Repeat([]byte{'x'}, size)
					der, err := Encrypt(content, rsa1024().cert, EncryptOptions{c, oaep})
					if err != nil {
						t.Fatal(err)
					}
					got, err := decrypt(der, rsa1024(), Policy{TripleDES: true})
					if err != nil || !bytes.Equal(got, content) {
						t.Fatalf("%d bytes: got %d, %v", size, len(got), err)
					}
				}
				e := must(ParseEnveloped(must(Encrypt(nil, rsa2048().cert, EncryptOptions{c, oaep}))))
				want := oidRSA
				if oaep {
					want = oidOAEP
				}
				if e.Cipher != c || len(e.Recipients) != 1 || !e.Recipients[0].Algorithm.Equal(want) || !e.Recipients[0].Names(rsa2048().cert) {
					t.Errorf("%v for %+v", e.Cipher, e.Recipients)
				}
			})
		}
	}
}

func TestEncryptRefuses(t *testing.T) {
	big := &x509.Certificate{PublicKey: &rsa.PublicKey{N: new(big.Int).Lsh(big.NewInt(1), MaxRSA), E: 3}}
	for _, tt := range []struct {
		name string
		to   *x509.Certificate
		c    Cipher
		want error
	}{
		{"control", rsa1024().cert, AES256CBC, nil},
		{"EC certificate", p256().cert, AES256CBC, ErrUnsupported},
		{"huge key", big, AES256CBC, ErrUnsupported},
		{"no such cipher", rsa1024().cert, DESCBC + 1, ErrInvalid},
		{"no recipient", nil, AES128CBC, ErrInvalid},
		{"negative cipher", rsa1024().cert, -1, ErrInvalid},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := Encrypt([]byte("content"), tt.to, EncryptOptions{Cipher: tt.c})
			wantError(t, err, tt.want)
		})
	}
}

func TestDecryptRefuses(t *testing.T) {
	message := func(c Cipher) []byte {
		return must(Encrypt([]byte("content"), rsa1024().cert, EncryptOptions{Cipher: c}))
	}
	for _, tt := range []struct {
		name   string
		der    []byte
		key    crypto.Decrypter
		cert   *x509.Certificate
		policy Policy
		want   error
	}{
		{"control", message(AES128CBC), rsa1024().decrypter(), rsa1024().cert, Policy{}, nil},
		{"other certificate", message(AES128CBC), other().decrypter(), other().cert, Policy{}, ErrNoRecipient},
		{"no certificate", message(AES128CBC), rsa1024().decrypter(), nil, Policy{}, ErrNoRecipient},
		{"other key", message(AES128CBC), other().decrypter(), rsa1024().cert, Policy{}, ErrInvalid},
		{"no key", message(AES128CBC), nil, rsa1024().cert, Policy{}, ErrInvalid},
		{"3DES", message(TripleDESCBC), rsa1024().decrypter(), rsa1024().cert, Policy{SHA1: true, DES: true}, ErrWeak},
		{"3DES allowed", message(TripleDESCBC), rsa1024().decrypter(), rsa1024().cert, Policy{TripleDES: true}, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := must(ParseEnveloped(tt.der)).Decrypt(tt.key, tt.cert, tt.policy)
			wantError(t, err, tt.want)
		})
	}
}

// tamper changes a parsed message that decrypts.
type tamper struct {
	name   string
	cipher Cipher
	oaep   bool
	change func(*Enveloped)
	want   error
}

// TestDecryptTampered: whatever was changed, the error is the same value with the same text (RFC 3218 section 2.3.2).
func TestDecryptTampered(t *testing.T) {
	last := func(b []byte) { b[len(b)-1] ^= 0x55 }
	wrap := func(key []byte) func(*Enveloped) {
		return func(e *Enveloped) { e.Recipients[0].wrapped = must(wrapKey(key, rsa1024().cert, false)) }
	}
	content := bytes.Repeat([]byte{'x'}, 24) // 8 bytes of padding
	for _, tt := range []tamper{
		{"control", AES128CBC, false, func(*Enveloped) {}, nil},
		{"control GCM", AES128GCM, false, func(*Enveloped) {}, nil},
		{"control OAEP", AES128GCM, true, func(*Enveloped) {}, nil},
		{"PKCS #1 padding", AES128GCM, false, func(e *Enveloped) { last(e.Recipients[0].wrapped) }, ErrDecrypt},
		{"OAEP padding", AES128GCM, true, func(e *Enveloped) { last(e.Recipients[0].wrapped) }, ErrDecrypt},
		{"wrapped key too long", AES128GCM, false, func(e *Enveloped) { e.Recipients[0].wrapped = make([]byte, 500) }, ErrDecrypt},
		{"no wrapped key", AES128GCM, false, func(e *Enveloped) { e.Recipients[0].wrapped = nil }, ErrDecrypt},
		{"wrapped key above the modulus", AES128GCM, false, func(e *Enveloped) { e.Recipients[0].wrapped = bytes.Repeat([]byte{0xff}, 128) }, ErrDecrypt},
		{"content key too short", AES128GCM, false, wrap(make([]byte, 15)), ErrDecrypt},
		{"content key too long", AES128GCM, false, wrap(make([]byte, 32)), ErrDecrypt},
		{"empty content key", AES128GCM, false, wrap(nil), ErrDecrypt},
		{"other content key", AES128GCM, false, wrap(make([]byte, 16)), ErrDecrypt},
		{"content key of another cipher", AES256GCM, false, func(e *Enveloped) { e.Cipher = AES128GCM }, ErrDecrypt},
		{"content key of another cipher by OAEP", AES256GCM, true, func(e *Enveloped) { e.Cipher = AES128GCM }, ErrDecrypt},
		{"CBC padding", AES128CBC, false, func(e *Enveloped) { last(e.sealed[:16]) }, ErrDecrypt},
		{"GCM content", AES128GCM, false, func(e *Enveloped) { last(e.sealed[:1]) }, ErrDecrypt},
		{"GCM tag", AES128GCM, false, func(e *Enveloped) { last(e.sealed) }, ErrDecrypt},
		{"GCM nonce", AES128GCM, false, func(e *Enveloped) { last(e.iv) }, ErrDecrypt},
		{"GCM attributes", AES128GCM, false, func(e *Enveloped) { e.aad = unhex("3100") }, ErrDecrypt},
		{"unknown key transport", AES128CBC, false, func(e *Enveloped) { e.Recipients[0].Algorithm = oidData }, ErrUnsupported},
		{"OAEP without parameters", AES128CBC, true, func(e *Enveloped) { e.Recipients[0].params = nil }, ErrMalformed},
		{"OAEP with MD5", AES128CBC, true, func(e *Enveloped) {
			e.Recipients[0].params = oaepParams(func(b *cryptobyte.Builder) { addAlgorithm(b, md5OID, nil) }, nil)
		}, ErrWeak},
		{"OAEP with a label", AES128CBC, true, func(e *Enveloped) { e.Recipients[0].params = oaepParams(nil, []byte("label")) }, ErrUnsupported},
		{"OAEP with an empty label and SHA-1", AES128GCM, true, func(e *Enveloped) { e.Recipients[0].params = oaepParams(nil, []byte{}) }, ErrDecrypt},
	} {
		t.Run(tt.name, func(t *testing.T) {
			e := must(ParseEnveloped(must(Encrypt(content, rsa1024().cert, EncryptOptions{tt.cipher, tt.oaep}))))
			tt.change(e)
			_, err := e.Decrypt(rsa1024().decrypter(), rsa1024().cert, Policy{})
			if wantError(t, err, tt.want); tt.want == ErrDecrypt && err != ErrDecrypt {
				t.Errorf("error %#v tells more than ErrDecrypt", err)
			}
		})
	}
}

func oaepParams(hash func(*cryptobyte.Builder), label []byte) cryptobyte.String {
	var b cryptobyte.Builder
	b.AddASN1(casn1.SEQUENCE, func(b *cryptobyte.Builder) {
		if hash != nil {
			b.AddASN1(tag0.Constructed(), hash)
		}
		if label != nil {
			b.AddASN1(tag2.Constructed(), func(b *cryptobyte.Builder) {
				addAlgorithm(b, oidLabel, func(b *cryptobyte.Builder) { b.AddASN1OctetString(label) })
			})
		}
	})
	return b.BytesOrPanic()
}

// TestOAEPDefaults: RSAES-OAEP with SHA-1, which absent parameters mean, is read without a policy.
func TestOAEPDefaults(t *testing.T) {
	key := rsa1024().key.(*rsa.PrivateKey)
	e := must(ParseEnveloped(must(Encrypt([]byte("content"), rsa1024().cert, EncryptOptions{OAEP: true}))))
	content := must(rsa.DecryptOAEP(crypto.SHA256.New(), nil, key, e.Recipients[0].wrapped, nil))
	e.Recipients[0].wrapped = must(rsa.EncryptOAEP(crypto.SHA1.New(), rand.Reader, &key.PublicKey, content, nil))
	e.Recipients[0].params = unhex("3000")
	if got, err := e.Decrypt(key, rsa1024().cert, Policy{}); string(got) != "content" {
		t.Errorf("%q, %v", got, err)
	}
}

// TestDecryptRandomKey: a wrong PKCS #1 padding goes on with another key each time. In 1 of 256 runs the padding of the
// random content happens to be right, so that errors alone would not show a fixed key.
func TestDecryptRandomKey(t *testing.T) {
	seen := map[string]bool{}
	for _, oaep := range []bool{false, true} {
		e := must(ParseEnveloped(must(Encrypt([]byte("content"), rsa1024().cert, EncryptOptions{OAEP: oaep}))))
		e.Recipients[0].wrapped[5] ^= 1
		for range 8 {
			key, err := e.Recipients[0].unwrap(rsa1024().decrypter(), 16)
			if err != nil || len(key) != 16 {
				t.Fatalf("%x, %v", key, err)
			}
			seen[string(key)] = true
		}
	}
	if len(seen) != 16 {
		t.Errorf("%d different keys in 16 runs", len(seen))
	}
}

// TestEncryptFresh: key and IV are new for each message.
func TestEncryptFresh(t *testing.T) {
	seen := map[string]bool{}
	for _, c := range ciphers {
		for range 2 {
			e := must(ParseEnveloped(must(Encrypt(nil, rsa1024().cert, EncryptOptions{Cipher: c}))))
			key := must(e.Recipients[0].unwrap(rsa1024().decrypter(), suites[c].key))
			seen[string(key)], seen[string(e.iv)] = true, true
		}
	}
	if want := 4 * len(ciphers); len(seen) != want {
		t.Errorf("%d different keys and IVs instead of %d", len(seen), want)
	}
}

// TestDecryptOnce: the private key is used once, and not at all when the cipher is refused.
func TestDecryptOnce(t *testing.T) {
	for c, want := range map[Cipher]int{AES128CBC: 1, AES256GCM: 1, TripleDESCBC: 0} {
		e := must(ParseEnveloped(must(Encrypt([]byte("content"), rsa1024().cert, EncryptOptions{Cipher: c}))))
		key := &countingDecrypter{Decrypter: rsa1024().decrypter()}
		e.Decrypt(key, rsa1024().cert, Policy{})
		if key.calls != want {
			t.Errorf("%v: %d calls, want %d", c, key.calls, want)
		}
		//lint:ignore SA1019 see unwrap
		o, _ := key.options.(*rsa.PKCS1v15DecryptOptions)
		if want > 0 && (o == nil || o.SessionKeyLen != suites[c].key) {
			t.Errorf("%v: the key itself is not told to hide a wrong padding", c)
		}
	}
}

type countingDecrypter struct {
	crypto.Decrypter
	calls   int
	options crypto.DecrypterOpts
}

func (c *countingDecrypter) Decrypt(r io.Reader, msg []byte, o crypto.DecrypterOpts) ([]byte, error) {
	c.calls++
	c.options = o
	return c.Decrypter.Decrypt(r, msg, o)
}

// TestUnpad compares the branch-free check with the plain rule of RFC 5652 section 6.3 for all last bytes.
func TestUnpad(t *testing.T) {
	for _, block := range []int{8, 16} {
		for n := range 256 {
			for wrong := range block + 1 { // position from the end that is spoilt; 0 for none
				b := bytes.Repeat([]byte{byte(n)}, 2*block)
				if wrong > 0 {
					b[len(b)-wrong] ^= 0x80
				}
				last := int(b[len(b)-1])
				want := last >= 1 && last <= block
				for i := 1; want && i <= last; i++ {
					want = b[len(b)-i] == byte(last)
				}
				got, ok := unpad(b, block)
				if ok != want || ok && len(got) != len(b)-last {
					t.Fatalf("block %d, last %#x, wrong %d: %v, %d bytes; want %v", block, last, wrong, ok, len(got), want)
				}
			}
		}
	}
}

// TestDecryptFlips flips every bit position of an authenticated message once: what still decrypts must be the same.
func TestDecryptFlips(t *testing.T) {
	content := []byte("content")
	der := must(Encrypt(content, rsa1024().cert, EncryptOptions{Cipher: AES256GCM}))
	for i := range der {
		b := bytes.Clone(der)
		b[i] ^= 1 << (i % 8)
		if got, err := decrypt(b, rsa1024(), weakAll); err == nil && !bytes.Equal(got, content) {
			t.Errorf("byte %d: %s", i, cmp.Diff(content, got))
		}
	}
}
