package keys

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/pbkdf2"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/x509/pkix"
	"encoding/asn1"
	"fmt"
	"hash"
)

// encryptedKey is EncryptedPrivateKeyInfo (RFC 5958, section 3).
type encryptedKey struct {
	Algorithm pkix.AlgorithmIdentifier
	Data      []byte
}

// pbes2 is PBES2-params (RFC 8018, A.4).
type pbes2 struct {
	KDF, Cipher pkix.AlgorithmIdentifier
}

// kdfParams is PBKDF2-params (RFC 8018, A.2) with the salt written out.
type kdfParams struct {
	Salt       []byte
	Iterations int
	KeyLength  int                      `asn1:"optional"`
	PRF        pkix.AlgorithmIdentifier `asn1:"optional"`
}

const (
	oidPBES2  = "1.2.840.113549.1.5.13"
	oidPBKDF2 = "1.2.840.113549.1.5.12"
)

// prf is the hash of the HMAC with this OID; the default is SHA-1.
func prf(oid string) func() hash.Hash {
	switch oid {
	case "", "1.2.840.113549.2.7":
		return sha1.New
	case "1.2.840.113549.2.9":
		return sha256.New
	case "1.2.840.113549.2.10":
		return sha512.New384
	case "1.2.840.113549.2.11":
		return sha512.New
	}
	return nil
}

// aesKeySize is the key size in bytes of AES-CBC with this OID, 0 for another cipher.
func aesKeySize(oid string) int {
	switch oid {
	case "2.16.840.1.101.3.4.1.2":
		return 16
	case "2.16.840.1.101.3.4.1.22":
		return 24
	case "2.16.840.1.101.3.4.1.42":
		return 32
	}
	return 0
}

// decryptPKCS8 decrypts a PKCS #8 key under PBES2 with PBKDF2 and AES-CBC, what
// OpenSSL writes by default. ErrEncrypted for other schemes, ErrPassphrase.
func decryptPKCS8(der, pass []byte) ([]byte, error) {
	var outer encryptedKey
	var scheme pbes2
	if err := parse(der, &outer); err != nil {
		return nil, err
	}
	if oid := outer.Algorithm.Algorithm.String(); oid != oidPBES2 {
		return nil, fmt.Errorf("%w: scheme %s", ErrEncrypted, oid)
	}
	if err := parse(outer.Algorithm.Parameters.FullBytes, &scheme); err != nil {
		return nil, err
	}
	key, err := scheme.deriveKey(pass)
	if err != nil {
		return nil, err
	}
	defer clear(key)
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrEncrypted, err)
	}
	iv := scheme.Cipher.Parameters.Bytes
	if len(iv) != aes.BlockSize || len(outer.Data) == 0 || len(outer.Data)%aes.BlockSize != 0 {
		return nil, fmt.Errorf("%w: encrypted private key", ErrFormat)
	}
	plain := make([]byte, len(outer.Data))
	cipher.NewCBCDecrypter(block, iv).CryptBlocks(plain, outer.Data)
	// A wrong passphrase gives noise: the padding, and what it ends, must both be right.
	var info asn1.RawValue
	rest, err := asn1.Unmarshal(plain, &info)
	if n := len(rest); err != nil || info.Tag != asn1.TagSequence || n == 0 || n > aes.BlockSize || int(rest[n-1]) != n {
		clear(plain)
		return nil, ErrPassphrase
	}
	return plain[:len(plain)-len(rest)], nil
}

func (p pbes2) deriveKey(pass []byte) ([]byte, error) {
	if oid := p.KDF.Algorithm.String(); oid != oidPBKDF2 {
		return nil, fmt.Errorf("%w: key derivation %s", ErrEncrypted, oid)
	}
	size := aesKeySize(p.Cipher.Algorithm.String())
	if size == 0 {
		return nil, fmt.Errorf("%w: cipher %s", ErrEncrypted, p.Cipher.Algorithm)
	}
	var kdf kdfParams
	if err := parse(p.KDF.Parameters.FullBytes, &kdf); err != nil {
		return nil, err
	}
	newHash := prf(kdf.PRF.Algorithm.String())
	switch {
	case newHash == nil:
		return nil, fmt.Errorf("%w: pseudorandom function %s", ErrEncrypted, kdf.PRF.Algorithm)
	case kdf.Iterations < 1 || kdf.Iterations > maxIterations:
		return nil, fmt.Errorf("%w: %d iterations of the key derivation", ErrFormat, kdf.Iterations)
	case len(pass) == 0:
		return nil, ErrPassphrase
	}
	return pbkdf2.Key(newHash, string(pass), kdf.Salt, kdf.Iterations, size)
}

func parse(der []byte, into any) error {
	rest, err := asn1.Unmarshal(der, into)
	if err != nil {
		return fmt.Errorf("%w: encrypted private key: %w", ErrFormat, err)
	}
	if len(rest) > 0 {
		return fmt.Errorf("%w: encrypted private key: bytes after its end", ErrFormat)
	}
	return nil
}
