package keys

import "errors"

// Errors of this package, to be asked for with errors.Is.
var (
	// ErrKeyFile: the key file does not fit the store, so its keys cannot be opened.
	ErrKeyFile = errors.New("the key file does not fit the store")
	// ErrRotating: the last rotation has been neither committed nor aborted.
	ErrRotating = errors.New("a destruction of keys is under way")
	// ErrDestroyed: sealed under a generation that no longer exists.
	ErrDestroyed = errors.New("the key was destroyed")
	// ErrDamaged: the sealed bytes are not those that were sealed under this name.
	ErrDamaged = errors.New("the sealed key is damaged")
	// ErrNotExportable: the key was made with the promise that it stays here.
	ErrNotExportable = errors.New("the private key is not exportable")

	// ErrPassphrase: the passphrase is missing or wrong.
	ErrPassphrase = errors.New("the passphrase is missing or wrong")
	// ErrEncrypted: the private key is encrypted in a way that is not supported.
	ErrEncrypted = errors.New("the encryption of the private key is not supported")
	// ErrMismatch: no certificate in the file belongs to the private key.
	ErrMismatch = errors.New("the private key does not belong to the certificate")
	// ErrNoKey: there is no private key in what was given.
	ErrNoKey = errors.New("there is no private key in the file")
	// ErrNoCertificate: there is no certificate in what was given.
	ErrNoCertificate = errors.New("there is no certificate in the file")
	// ErrKeyType: an algorithm or size of key that is not supported.
	ErrKeyType = errors.New("this kind of key is not supported")
	// ErrFormat: not the format it should be, or larger than is reasonable.
	ErrFormat = errors.New("the file cannot be read")
)
