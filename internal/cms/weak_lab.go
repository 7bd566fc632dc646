//go:build !device

package cms

import "crypto/cipher"

// writesSHA1 lets the lab authority and tests play a peer that signs with SHA-1.
const writesSHA1 = true

// desSealer returns the DES encoder, which the lab authority and tests need to play a peer that knows no better.
func desSealer() sealer { return encodeDES }

func encodeDES(key, iv, blocks []byte) error {
	block, err := suites[DESCBC].cipher(key)
	if err != nil {
		return err
	}
	cipher.NewCBCEncrypter(block, iv).CryptBlocks(blocks, blocks)
	return nil
}
