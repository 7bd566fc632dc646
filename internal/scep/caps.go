package scep

import (
	"bytes"
	"crypto"
	"slices"
	"strings"

	"newleaf"
	"newleaf/internal/cms"
	"newleaf/internal/enroll"
)

// Names of ciphers in [enroll.Capabilities].
const (
	aes256    = "aes256-cbc"
	aes128    = "aes128-cbc"
	tripleDES = "3des"
)

// maxWords bounds what is kept of a GetCACaps answer.
const maxWords = 64

// readCaps reads a GetCACaps answer (RFC 8894, 3.5.2): words apart by any white
// space, in any case, unknown ones ignored (Q21, Q22). An answer without one
// known word, such as a web page, is Unknown (Q4).
func readCaps(body []byte) enroll.Capabilities {
	if trimmed := bytes.TrimSpace(body); bytes.HasPrefix(trimmed, []byte("<")) || bytes.IndexByte(trimmed, 0) >= 0 {
		return enroll.Capabilities{Unknown: true}
	}
	var c enroll.Capabilities
	has := map[string]bool{}
	for _, word := range strings.Fields(string(body)) {
		if len(c.AsReceived) == maxWords {
			break
		}
		if shown := quote([]byte(word)); shown != "" {
			c.AsReceived = append(c.AsReceived, shown)
		}
		has[strings.ToLower(word)] = true
	}
	known := 0
	is := func(words ...string) bool {
		found := slices.ContainsFunc(words, func(w string) bool { return has[w] })
		if found {
			known++
		}
		return found
	}
	standard := is("scepstandard") // AES, SHA-256 and POST (RFC 8894, 3.5.2)
	c.POST = is("postpkioperation") || standard
	c.Renewal = is("renewal")
	c.NextCA = is("getnextcacert")
	for _, cipher := range []struct {
		name   string
		listed bool
	}{
		{aes256, is("aes-256", "aes256", "aes-256-cbc", "aes256-cbc")},
		{aes128, is("aes", "aes-128", "aes128", "aes-128-cbc", "aes128-cbc") || standard},
		{tripleDES, is("des3")},
	} {
		if cipher.listed {
			c.Ciphers = append(c.Ciphers, cipher.name)
		}
	}
	for _, d := range digests {
		word := "sha-" + strings.TrimPrefix(d.name, "sha")
		if is(word, d.name) || d.hash == crypto.SHA256 && standard {
			c.Hashes = append(c.Hashes, d.name)
		}
	}
	if known == 0 {
		return enroll.Capabilities{Unknown: true, AsReceived: c.AsReceived}
	}
	return c
}

// writeCaps is the GetCACaps answer of a server. SHA-384 has to be in it:
// strongSwan before 5.9.11 takes AES and SHA-256 for absent otherwise (T1).
func writeCaps(id enroll.Identity) string {
	words := []string{"POSTPKIOperation", "SCEPStandard", "AES", "SHA-256", "SHA-384", "SHA-512", "Renewal"}
	if len(id.Next) > 0 {
		words = append(words, "GetNextCACert")
	}
	if slices.Contains(id.Weak, string(newleaf.Weak3DES)) {
		words = append(words, "DES3")
	}
	if slices.Contains(id.Weak, string(newleaf.WeakSHA1)) {
		words = append(words, "SHA-1")
	}
	return strings.Join(words, "\n") + "\n"
}

// choose picks the best cipher and hash that the authority has and c allows
// (contract, Weak algorithms). An authority that says nothing gets AES, unless
// the connection allows what such authorities mostly are limited to (Q4).
func choose(caps enroll.Capabilities, c newleaf.Connection) (cms.Cipher, crypto.Hash, error) {
	hash := crypto.SHA256
	for _, d := range digests {
		if d.hash != crypto.SHA1 && slices.Contains(caps.Hashes, d.name) {
			hash = d.hash
			break
		}
	}
	switch has := func(name string) bool { return slices.Contains(caps.Ciphers, name) }; {
	case has(aes256):
		return cms.AES256CBC, hash, nil
	case has(aes128):
		return cms.AES128CBC, hash, nil
	case (has(tripleDES) || caps.Unknown) && c.Allows(newleaf.Weak3DES):
		return cms.TripleDESCBC, hash, nil
	case has(tripleDES):
		return 0, 0, newleaf.Errorf(newleaf.CodeWeak, "the authority offers triple DES as its only cipher, which the connection %q does not allow", c.Name).
			WithHint("Configure the authority for AES, or allow triple DES with --weak 3des.")
	}
	return cms.AES128CBC, hash, nil
}

// policy is what c tolerates in an answer.
func policy(c newleaf.Connection) cms.Policy {
	return cms.Policy{
		SHA1:      c.Allows(newleaf.WeakSHA1),
		DES:       c.Allows(newleaf.WeakDES),
		TripleDES: c.Allows(newleaf.Weak3DES),
	}
}
