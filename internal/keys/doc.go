// Package keys makes, seals, destroys and exchanges private keys.
//
// A private key at rest is Sealed: encrypted (AES-256-GCM) with a data key of
// its own, which is wrapped by the key-encryption key (KEK) of a generation.
// The caller stores the Sealed rows; the Vault keeps the KEK in a file of two
// slots. Storage gives nothing back that it has once written, so a key is
// destroyed by a rotation: a new generation in the other slot, the surviving
// data keys wrapped again, the old generation overwritten in place. Whatever
// copies of the deleted rows remain on the disk, nothing opens them
// (contract, "Key destruction"). This holds where overwriting a block in place
// replaces it (ext4 in ordered mode, xfs), not on copy-on-write file systems.
//
// It is the only importer of go-pkcs12.
package keys
