package cms

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/des"
	"encoding/asn1"
	"fmt"

	"golang.org/x/crypto/cryptobyte"
	casn1 "golang.org/x/crypto/cryptobyte/asn1"
)

// Cipher is a content-encryption algorithm.
type Cipher int

// The zero Cipher is AES-128-CBC, which every SCEP peer reads (RFC 8894 section 2.9). The GCM ciphers make
// AuthEnvelopedData (RFC 5083, RFC 5084). DESCBC can be written only in builds without the tag "device".
const (
	AES128CBC Cipher = iota
	AES192CBC
	AES256CBC
	AES128GCM
	AES192GCM
	AES256GCM
	TripleDESCBC
	DESCBC
)

// suite is what there is to know about a Cipher.
type suite struct {
	name   string
	oid    asn1.ObjectIdentifier
	key    int // bytes
	block  int // bytes of a block, and so of the IV
	gcm    bool
	cipher func(key []byte) (cipher.Block, error)
}

var suites = [...]suite{
	AES128CBC:    {"AES-128-CBC", asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 1, 2}, 16, 16, false, aes.NewCipher},
	AES192CBC:    {"AES-192-CBC", asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 1, 22}, 24, 16, false, aes.NewCipher},
	AES256CBC:    {"AES-256-CBC", asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 1, 42}, 32, 16, false, aes.NewCipher},
	AES128GCM:    {"AES-128-GCM", asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 1, 6}, 16, 16, true, aes.NewCipher},
	AES192GCM:    {"AES-192-GCM", asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 1, 26}, 24, 16, true, aes.NewCipher},
	AES256GCM:    {"AES-256-GCM", asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 1, 46}, 32, 16, true, aes.NewCipher},
	TripleDESCBC: {"3DES-CBC", asn1.ObjectIdentifier{1, 2, 840, 113549, 3, 7}, 24, 8, false, des.NewTripleDESCipher},
	DESCBC:       {"DES-CBC", asn1.ObjectIdentifier{1, 3, 14, 3, 2, 7}, 8, 8, false, des.NewCipher},
}

// String returns a name such as "AES-128-CBC".
func (c Cipher) String() string {
	if !c.valid() {
		return fmt.Sprintf("Cipher(%d)", int(c))
	}
	return suites[c].name
}

func (c Cipher) valid() bool { return c >= 0 && int(c) < len(suites) }

// allowed returns [ErrWeak] if policy does not let the cipher be read.
func (c Cipher) allowed(policy Policy) error {
	if c == DESCBC && !policy.DES || c == TripleDESCBC && !policy.TripleDES {
		return fmt.Errorf("%w: %v", ErrWeak, c)
	}
	return nil
}

// The sizes of GCM, in bytes. We write tags of 16 bytes and read down to 12, the default of RFC 5084 section 3.2.
const (
	gcmNonce  = 12
	gcmTag    = 16
	gcmMinTag = 12
)

// readCipher tells the cipher that a names, its IV or nonce, and for GCM the size of the tag.
func readCipher(a algorithm) (c Cipher, iv []byte, tag int, err error) {
	i := 0
	for i < len(suites) && !suites[i].oid.Equal(a.oid) {
		i++
	}
	if i == len(suites) {
		return 0, nil, 0, fmt.Errorf("%w: cipher %v", ErrUnsupported, a.oid)
	}
	c, s := Cipher(i), suites[i]
	params, size := a.params, s.block
	if s.gcm {
		tag, size = gcmMinTag, gcmNonce
		var seq cryptobyte.String
		if !params.ReadASN1(&seq, casn1.SEQUENCE) || !params.Empty() {
			return 0, nil, 0, malformed("parameters of %v", c)
		}
		params = seq
	}
	if !params.ReadASN1Bytes(&iv, casn1.OCTET_STRING) || s.gcm && !params.Empty() && !params.ReadASN1Integer(&tag) ||
		!params.Empty() {
		return 0, nil, 0, malformed("parameters of %v", c)
	}
	if len(iv) != size {
		return 0, nil, 0, malformed("%v with an IV of %d bytes", c, len(iv))
	}
	if s.gcm && (tag < gcmMinTag || tag > gcmTag) {
		return 0, nil, 0, malformed("%v with a tag of %d bytes", c, tag)
	}
	return c, iv, tag, nil
}

// addCipher writes the AlgorithmIdentifier of c.
func addCipher(b *cryptobyte.Builder, c Cipher, iv []byte) {
	addAlgorithm(b, suites[c].oid, func(b *cryptobyte.Builder) {
		if !suites[c].gcm {
			b.AddASN1OctetString(iv)
			return
		}
		b.AddASN1(casn1.SEQUENCE, func(b *cryptobyte.Builder) {
			b.AddASN1OctetString(iv)
			b.AddASN1Int64(gcmTag)
		})
	})
}
