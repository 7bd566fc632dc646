package cms

import (
	"bytes"
	"crypto"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"strings"
	"testing"
)

// TestOpenSSLVerifies: openssl cms -verify accepts what Sign writes.
func TestOpenSSLVerifies(t *testing.T) {
	for _, tt := range []struct {
		name    string
		id      identity
		hash    crypto.Hash
		content string
	}{
		{"RSA-1024 SHA-256", rsa1024(), crypto.SHA256, "content"},
		{"RSA-2048 SHA-384", rsa2048(), crypto.SHA384, "content"},
		{"RSA-2048 SHA-512", rsa2048(), crypto.SHA512, strings.Repeat("long", 50000)},
		{"P-256 SHA-256", p256(), crypto.SHA256, "content"},
		{"P-384 SHA-384", p384(), crypto.SHA384, "content"},
		{"T4 no content", rsa2048(), crypto.SHA256, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			tt.id.save(t, dir)
			signer := tt.id.signer()
			signer.Hash = tt.hash
			attrs := []Attribute{TextAttribute(oidMessageType, "3"), OctetsAttribute(oidNonce, []byte("nonce"))}
			write(t, dir, "m.der", must(Sign([]byte(tt.content), signer, attrs, []*x509.Certificate{tt.id.cert})))
			openssl(t, dir, "cms", "-verify", "-binary", "-inform", "DER", "-in", "m.der", "-CAfile", "cert.pem",
				"-purpose", "any", "-auth_level", "0", "-out", "content")
			if got := read(t, dir, "content"); string(got) != tt.content {
				t.Errorf("openssl read %d bytes", len(got))
			}
		})
	}
}

// TestOpenSSLSigns: Verify accepts what openssl cms -sign writes, in DER and with indefinite lengths.
func TestOpenSSLSigns(t *testing.T) {
	content := bytes.Repeat([]byte("0123456789"), 2000) // several segments when streamed
	for _, tt := range []struct {
		name   string
		id     identity
		args   string
		policy Policy
		want   error
	}{
		{"DER", rsa1024(), "-md sha256", Policy{}, nil},
		{"T9 BER", rsa1024(), "-stream -md sha256", Policy{}, nil},
		{"BER SHA-512", rsa2048(), "-stream -md sha512", Policy{}, nil},
		{"RFC 4055 PSS", rsa2048(), "-md sha256 -keyopt rsa_padding_mode:pss", Policy{}, nil},
		{"PSS of maximal salt", rsa2048(), "-md sha384 -keyopt rsa_padding_mode:pss -keyopt rsa_pss_saltlen:max", Policy{}, nil},
		{"ECDSA", p256(), "-stream -md sha256", Policy{}, nil},
		{"ECDSA P-384", p384(), "-md sha384", Policy{}, nil},
		{"RFC 5652 5.3 subject key identifier", rsa1024(), "-keyid -md sha256", Policy{}, nil},
		{"more attributes", rsa1024(), "-md sha256 -cades", Policy{}, nil},
		{"Q11 SHA-1", rsa1024(), "-md sha1", Policy{SHA1: true}, nil},
		{"SHA-1 refused", rsa1024(), "-md sha1", Policy{}, ErrWeak},
		{"MD5 refused", rsa1024(), "-md md5", Policy{SHA1: true}, ErrWeak},
		{"SHA-224 unknown", rsa1024(), "-md sha224", Policy{SHA1: true}, ErrUnsupported},
		{"no attributes", rsa1024(), "-md sha256 -noattr", Policy{}, ErrUnsupported},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			tt.id.save(t, dir)
			write(t, dir, "content", content)
			args := "cms -sign -binary -nodetach -in content -signer cert.pem -inkey key.pem -outform DER -out m.der " + tt.args
			openssl(t, dir, strings.Fields(args)...)
			ber := read(t, dir, "m.der")
			if stream := strings.Contains(tt.args, "-stream"); stream != (ber[1] == 0x80) {
				t.Errorf("indefinite length: %v", !stream)
			}
			s, _, err := open(ber, nil, tt.policy)
			wantError(t, err, tt.want)
			if err == nil && !bytes.Equal(s.Content, content) {
				t.Errorf("%d bytes of content", len(s.Content))
			}
			if err == nil {
				ber[bytes.Index(ber, []byte("0123456789"))] = 'x'
				_, _, err = open(ber, nil, tt.policy)
				wantError(t, err, ErrDigest)
			}
		})
	}
}

// TestOpenSSLDecrypts: openssl cms -decrypt reads what Encrypt writes.
func TestOpenSSLDecrypts(t *testing.T) {
	for _, c := range ciphers {
		for _, oaep := range []bool{false, true} {
			t.Run(fmt.Sprintf("%v OAEP %v", c, oaep), func(t *testing.T) {
				t.Parallel()
				dir := t.TempDir()
				rsa2048().save(t, dir)
				write(t, dir, "m.der", must(Encrypt([]byte("content"), rsa2048().cert, EncryptOptions{c, oaep})))
				openssl(t, dir, "cms", "-decrypt", "-inform", "DER", "-in", "m.der", "-recip", "cert.pem", "-inkey", "key.pem", "-out", "content")
				if got := read(t, dir, "content"); string(got) != "content" {
					t.Errorf("openssl read %q", got)
				}
			})
		}
	}
}

// TestOpenSSLEncrypts: Decrypt reads what openssl cms -encrypt writes, in DER and with indefinite lengths.
func TestOpenSSLEncrypts(t *testing.T) {
	content := bytes.Repeat([]byte("0123456789"), 2000)
	for _, tt := range []struct {
		name   string
		args   string
		want   Cipher
		policy Policy
		err    error
	}{
		{"DER", "-aes-128-cbc", AES128CBC, Policy{}, nil},
		{"T9 BER", "-aes-128-cbc -stream", AES128CBC, Policy{}, nil},
		{"AES-192", "-aes-192-cbc -stream", AES192CBC, Policy{}, nil},
		{"T5 AES-256", "-aes-256-cbc", AES256CBC, Policy{}, nil},
		{"RFC 5083 AES-256-GCM", "-aes-256-gcm", AES256GCM, Policy{}, nil},
		{"RFC 5083 AES-128-GCM", "-aes-128-gcm", AES128GCM, Policy{}, nil},
		{"3DES", "-des3 -stream", TripleDESCBC, Policy{TripleDES: true}, nil},
		{"3DES refused", "-des3", TripleDESCBC, Policy{DES: true}, ErrWeak},
		{"T6 DES", "-des-cbc -provider legacy -provider default", DESCBC, Policy{DES: true}, nil},
		{"T6 DES refused", "-des-cbc -provider legacy -provider default", DESCBC, Policy{TripleDES: true}, ErrWeak},
		{"RFC 5652 6.2.1 subject key identifier", "-aes-128-cbc -keyid", AES128CBC, Policy{}, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			rsa2048().save(t, dir)
			write(t, dir, "content", content)
			openssl(t, dir, strings.Fields("cms -encrypt -binary -in content -outform DER -out m.der "+tt.args+" -recip cert.pem")...)
			e, err := ParseEnveloped(read(t, dir, "m.der"))
			if err != nil {
				t.Fatal(err)
			}
			if e.Cipher != tt.want {
				t.Errorf("cipher %v", e.Cipher)
			}
			got, err := e.Decrypt(rsa2048().decrypter(), rsa2048().cert, tt.policy)
			wantError(t, err, tt.err)
			if err == nil && !bytes.Equal(got, content) {
				t.Errorf("%d bytes of content", len(got))
			}
		})
	}
}

// TestOpenSSLKeyTransport: Decrypt reads each form of RSAES-OAEP (quirk Q20), and names what it does not know.
func TestOpenSSLKeyTransport(t *testing.T) {
	for _, tt := range []struct {
		name, args string
		err        error
	}{
		{"SHA-1 by default", "-keyopt rsa_padding_mode:oaep", nil},
		{"SHA-256", "-keyopt rsa_padding_mode:oaep -keyopt rsa_oaep_md:sha256", nil},
		{"SHA-256, MGF1 with SHA-1", "-keyopt rsa_padding_mode:oaep -keyopt rsa_oaep_md:sha256 -keyopt rsa_mgf1_md:sha1", nil},
		{"SHA-512", "-keyopt rsa_padding_mode:oaep -keyopt rsa_oaep_md:sha512", nil},
		{"label", "-keyopt rsa_padding_mode:oaep -keyopt rsa_oaep_label:6162", ErrUnsupported},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			rsa2048().save(t, dir)
			write(t, dir, "content", []byte("content"))
			openssl(t, dir, strings.Fields("cms -encrypt -binary -in content -outform DER -out m.der -aes-128-cbc -recip cert.pem "+tt.args)...)
			got, err := decrypt(read(t, dir, "m.der"), rsa2048(), Policy{})
			wantError(t, err, tt.err)
			if err == nil && string(got) != "content" {
				t.Errorf("%q", got)
			}
		})
	}
	t.Run("RC2 unknown", func(t *testing.T) {
		dir := t.TempDir()
		rsa2048().save(t, dir)
		write(t, dir, "content", []byte("content"))
		openssl(t, dir, strings.Fields("cms -encrypt -in content -outform DER -out m.der -rc2-40-cbc -provider legacy -provider default cert.pem")...)
		_, err := ParseEnveloped(read(t, dir, "m.der"))
		wantError(t, err, ErrUnsupported)
	})
	t.Run("key agreement", func(t *testing.T) {
		dir := t.TempDir()
		p256().save(t, dir)
		write(t, dir, "content", []byte("content"))
		openssl(t, dir, strings.Fields("cms -encrypt -in content -outform DER -out m.der -aes-128-cbc cert.pem")...)
		e := must(ParseEnveloped(read(t, dir, "m.der")))
		_, err := e.Decrypt(rsa2048().decrypter(), p256().cert, Policy{})
		wantError(t, err, ErrNoRecipient)
	})
}

// TestOpenSSLReadsDegenerate: openssl prints the certificates of Degenerate, in our order.
func TestOpenSSLReadsDegenerate(t *testing.T) {
	dir := t.TempDir()
	certs := []*x509.Certificate{rsa2048().cert, p256().cert, rsa1024().cert}
	write(t, dir, "p7.der", must(Degenerate(certs)))
	out := string(openssl(t, dir, "pkcs7", "-inform", "DER", "-in", "p7.der", "-print_certs", "-noout"))
	last := -1
	for _, c := range certs {
		i := strings.Index(out, c.Subject.CommonName)
		if i <= last {
			t.Errorf("%q is missing or out of order in\n%s", c.Subject.CommonName, out)
		}
		last = i
	}
}

// TestOpenSSLWritesDegenerate reads the messages of openssl crl2pkcs7.
func TestOpenSSLWritesDegenerate(t *testing.T) {
	dir := t.TempDir()
	p256().save(t, dir)
	openssl(t, dir, "crl2pkcs7", "-nocrl", "-certfile", "cert.pem", "-outform", "DER", "-out", "p7.der")
	s, err := ParseSigned(read(t, dir, "p7.der"))
	if err != nil || len(s.Certificates) != 1 || !s.Certificates[0].Equal(p256().cert) || len(s.Signers) != 0 {
		t.Errorf("%+v, %v", s, err)
	}
}

// TestOpenSSLReadsRequest: openssl req accepts the signature and shows every field.
func TestOpenSSLReadsRequest(t *testing.T) {
	for _, tt := range []struct {
		name      string
		id        identity
		challenge string
		shows     []string
	}{
		{"RSA-1024", rsa1024(), "s3cret", []string{"challengePassword", ":s3cret", "DNS:printer", "critical", "Device001"}},
		{"RSA-2048", rsa2048(), "under_score", []string{":under_score", "sha256WithRSAEncryption"}},
		{"P-256", p256(), "", []string{"DNS:printer", "ecdsa-with-SHA256"}},
		{"P-384", p384(), "x", []string{":x", "ecdsa-with-SHA384"}},
		{"Ed25519", ed(), "x", []string{":x", "ED25519"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			r := &CertificateRequest{Subject: pkix.Name{CommonName: "Device001"}, Extensions: []pkix.Extension{san}, Challenge: tt.challenge}
			write(t, dir, "csr.der", must(CreateRequest(r, tt.id.key)))
			out := string(openssl(t, dir, "req", "-inform", "DER", "-in", "csr.der", "-verify", "-text", "-noout"))
			for _, want := range append(tt.shows, "verify OK") {
				if !strings.Contains(out, want) {
					t.Errorf("no %q in\n%s", want, out)
				}
			}
			if has := strings.Contains(out, "challengePassword"); has != (tt.challenge != "") {
				t.Errorf("challengePassword shown: %v", has)
			}
		})
	}
}

// TestOpenSSLWritesChallenge reads the challenge of a request by openssl, in each string type of quirk Q27.
func TestOpenSSLWritesChallenge(t *testing.T) {
	for _, mask := range []string{"default", "nombstr", "utf8only"} {
		dir := t.TempDir()
		p256().save(t, dir)
		write(t, dir, "req.cnf", []byte("[req]\nprompt=no\nstring_mask="+mask+"\ndistinguished_name=dn\nattributes=at\n[dn]\nCN=x\n[at]\nchallengePassword=pass_word\n"))
		openssl(t, dir, "req", "-new", "-key", "key.pem", "-config", "req.cnf", "-outform", "DER", "-out", "csr.der")
		csr := must(x509.ParseCertificateRequest(read(t, dir, "csr.der")))
		if got, found, err := ParseChallenge(csr); got != "pass_word" || !found || err != nil {
			t.Errorf("%s: %q, %v, %v", mask, got, found, err)
		}
	}
}
