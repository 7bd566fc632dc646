package ca

import (
	"bytes"
	"crypto"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"newleaf/internal/enroll"
)

// credential reads a certificate with its key from a PEM file, or makes it and
// writes the file (0600). Both stand in one file, so that a crash leaves none
// or both.
func credential(path string, create func() (enroll.Credential, error)) (enroll.Credential, error) {
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		fresh, err := create()
		if err != nil {
			return enroll.Credential{}, fmt.Errorf("making %s: %w", path, err)
		}
		return fresh, save(path, fresh)
	}
	if err != nil {
		return enroll.Credential{}, err
	}
	c, err := parseCredential(text)
	if err != nil {
		return enroll.Credential{}, fmt.Errorf("reading %s: %w", path, err)
	}
	return c, nil
}

func parseCredential(text []byte) (enroll.Credential, error) {
	var c enroll.Credential
	for {
		var block *pem.Block
		if block, text = pem.Decode(text); block == nil {
			break
		}
		switch block.Type {
		case "CERTIFICATE":
			certificate, err := x509.ParseCertificate(block.Bytes)
			if err != nil {
				return enroll.Credential{}, err
			}
			c.Certificate = certificate
		case "PRIVATE KEY":
			key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
			if err != nil {
				return enroll.Credential{}, err
			}
			c.Key, _ = key.(crypto.Signer)
		}
	}
	if c.Certificate == nil || c.Key == nil {
		return enroll.Credential{}, errors.New("it does not hold a certificate and a private key")
	}
	public, ok := c.Key.Public().(interface{ Equal(crypto.PublicKey) bool })
	if !ok || !public.Equal(c.Certificate.PublicKey) {
		return enroll.Credential{}, errors.New("its private key does not belong to its certificate")
	}
	return c, nil
}

// save writes a credential whole or not at all.
func save(path string, c enroll.Credential) error {
	key, err := x509.MarshalPKCS8PrivateKey(c.Key)
	if err != nil {
		return fmt.Errorf("encoding the key of %s: %w", path, err)
	}
	var text bytes.Buffer
	for _, b := range []pem.Block{{Type: "CERTIFICATE", Bytes: c.Certificate.Raw}, {Type: "PRIVATE KEY", Bytes: key}} {
		if err := pem.Encode(&text, &b); err != nil {
			return fmt.Errorf("encoding %s: %w", path, err)
		}
	}
	if err := writeFile(path, text.Bytes()); err != nil {
		return fmt.Errorf("writing %s: %w", path, err)
	}
	return nil
}

func writeFile(path string, content []byte) error {
	f, err := os.CreateTemp(filepath.Dir(path), ".new-*") // 0600
	if err != nil {
		return err
	}
	defer os.Remove(f.Name()) // does nothing once it has its name
	_, err = f.Write(content)
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	if err := os.Rename(f.Name(), path); err != nil {
		return err
	}
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}
