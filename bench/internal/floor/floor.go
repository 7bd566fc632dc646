// Package floor is the least a SCEP server in Go can do for one durable
// enrollment: read and verify the message, open it, verify the request, issue,
// store one row, encrypt and sign the answer. It refuses nobody, knows no
// transaction and is there only to compare the lab authority with.
package floor

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/x509"
	"crypto/x509/pkix"
	"database/sql"
	"encoding/asn1"
	"errors"
	"io"
	"math/big"
	"net/http"
	"runtime"
	"time"

	"newleaf/internal/cms"
	"newleaf/internal/db"
)

// Floor is the server. It issues with a P-256 key and answers as an RSA-2048 RA,
// as the lab authority does by default.
type Floor struct {
	db        *db.DB
	issuer    *x509.Certificate
	issuerKey *ecdsa.PrivateKey
	ra        *x509.Certificate
	raKey     *rsa.PrivateKey
	certs     []byte        // answer to GetCACert
	gate      chan struct{} // first come, first served
}

const caps = "POSTPKIOperation\nSCEPStandard\nAES\nSHA-256\nSHA-512\nRenewal\n"

var oidCMCRA = asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 3, 28} // RFC 6402, 2.10

// Signed attributes (RFC 8894, 3.2.1).
var (
	oidMessageType    = asn1.ObjectIdentifier{2, 16, 840, 1, 113733, 1, 9, 2}
	oidPKIStatus      = asn1.ObjectIdentifier{2, 16, 840, 1, 113733, 1, 9, 3}
	oidSenderNonce    = asn1.ObjectIdentifier{2, 16, 840, 1, 113733, 1, 9, 5}
	oidRecipientNonce = asn1.ObjectIdentifier{2, 16, 840, 1, 113733, 1, 9, 6}
	oidTransactionID  = asn1.ObjectIdentifier{2, 16, 840, 1, 113733, 1, 9, 7}
)

const table = `CREATE TABLE issued (serial BLOB PRIMARY KEY, subject BLOB NOT NULL, not_after INTEGER NOT NULL, der BLOB NOT NULL) STRICT, WITHOUT ROWID`

// Open makes the server with fresh keys and its store in file.
func Open(file string) (f *Floor, err error) {
	f = &Floor{gate: make(chan struct{}, runtime.GOMAXPROCS(0)+1)}
	if f.issuerKey, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
		return nil, err
	}
	if f.raKey, err = rsa.GenerateKey(rand.Reader, 2048); err != nil {
		return nil, err
	}
	t := template(pkix.Name{CommonName: "floor CA"}, 20*365)
	t.IsCA, t.BasicConstraintsValid, t.KeyUsage = true, true, x509.KeyUsageCertSign
	if f.issuer, err = f.sign(t, t, f.issuerKey.Public()); err != nil {
		return nil, err
	}
	t = template(pkix.Name{CommonName: "floor RA"}, 20*365)
	t.UnknownExtKeyUsage = []asn1.ObjectIdentifier{oidCMCRA}
	if f.ra, err = f.sign(t, f.issuer, f.raKey.Public()); err != nil {
		return nil, err
	}
	if f.certs, err = cms.Degenerate([]*x509.Certificate{f.ra, f.issuer}); err != nil {
		return nil, err
	}
	f.db, err = db.Open(file, db.Options{Migrations: []string{table}})
	return f, err
}

// Close closes the store.
func (f *Floor) Close() error { return f.db.Close() }

// ServeHTTP answers GetCACert, GetCACaps and a POSTed PKIOperation.
func (f *Floor) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch r.URL.Query().Get("operation") {
	case "GetCACaps":
		_, _ = io.WriteString(w, caps) // the peer is gone
	case "GetCACert":
		w.Header().Set("Content-Type", "application/x-x509-ca-ra-cert")
		_, _ = w.Write(f.certs) // likewise
	case "PKIOperation":
		text, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 1<<20))
		if err == nil {
			text, err = f.enroll(r.Context(), text)
		}
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		w.Header().Set("Content-Type", "application/x-pki-message")
		_, _ = w.Write(text) // likewise
	default:
		http.NotFound(w, r)
	}
}

func (f *Floor) enroll(ctx context.Context, message []byte) ([]byte, error) {
	f.gate <- struct{}{}
	q, err := f.open(message)
	<-f.gate
	if err != nil {
		return nil, err
	}
	certificate, err := f.issue(q.csr)
	if err != nil {
		return nil, err
	}
	err = f.db.Submit(ctx, func(tx *sql.Tx) error {
		_, err := tx.Exec(`INSERT INTO issued (serial, subject, not_after, der) VALUES (?, ?, ?, ?)`,
			certificate.SerialNumber.Bytes(), certificate.RawSubject, certificate.NotAfter.Unix(), certificate.Raw)
		return err
	})
	if err != nil {
		return nil, err
	}
	f.gate <- struct{}{}
	defer func() { <-f.gate }()
	return f.answer(q, certificate)
}

// request is what is needed of a message.
type request struct {
	transaction string
	nonce       []byte
	signer      *x509.Certificate
	cipher      cms.Cipher
	hash        crypto.Hash
	csr         *x509.CertificateRequest
}

func (f *Floor) open(message []byte) (q request, err error) {
	signed, err := cms.ParseSigned(message)
	if err != nil {
		return q, err
	}
	si, err := signed.Signer()
	if err != nil {
		return q, err
	}
	q.signer = signed.Find(si, nil)
	if err := signed.Verify(si, q.signer, cms.Policy{}); err != nil {
		return q, err
	}
	q.hash = crypto.SHA512 // what the client takes of those in caps
	var failed [2]error
	q.transaction, failed[0] = si.Text(oidTransactionID)
	q.nonce, failed[1] = si.Octets(oidSenderNonce)
	if err := errors.Join(failed[:]...); err != nil {
		return q, err
	}
	envelope, err := cms.ParseEnveloped(signed.Content)
	if err != nil {
		return q, err
	}
	q.cipher = envelope.Cipher
	der, err := envelope.Decrypt(f.raKey, f.ra, cms.Policy{})
	if err != nil {
		return q, err
	}
	if q.csr, err = x509.ParseCertificateRequest(der); err != nil {
		return q, err
	}
	return q, q.csr.CheckSignature()
}

func (f *Floor) issue(csr *x509.CertificateRequest) (*x509.Certificate, error) {
	t := template(pkix.Name{}, 90)
	t.RawSubject, t.DNSNames = csr.RawSubject, csr.DNSNames
	id := sha1.Sum(csr.RawSubjectPublicKeyInfo)
	t.SubjectKeyId = id[:]
	t.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}
	return f.sign(t, f.issuer, csr.PublicKey)
}

func (f *Floor) answer(q request, certificate *x509.Certificate) ([]byte, error) {
	certs, err := cms.Degenerate([]*x509.Certificate{certificate})
	if err != nil {
		return nil, err
	}
	content, err := cms.Encrypt(certs, q.signer, cms.EncryptOptions{Cipher: q.cipher})
	if err != nil {
		return nil, err
	}
	nonce := make([]byte, 16)
	_, _ = rand.Read(nonce) // never fails
	attributes := []cms.Attribute{cms.TextAttribute(oidTransactionID, q.transaction), cms.TextAttribute(oidMessageType, "3"),
		cms.TextAttribute(oidPKIStatus, "0"), cms.OctetsAttribute(oidSenderNonce, nonce), cms.OctetsAttribute(oidRecipientNonce, q.nonce)}
	return cms.Sign(content, cms.Signer{Certificate: f.ra, Key: f.raKey, Hash: q.hash}, attributes, []*x509.Certificate{f.ra})
}

func template(name pkix.Name, days int) *x509.Certificate {
	serial := make([]byte, 16)
	_, _ = rand.Read(serial) // never fails
	serial[0] = serial[0]&0x7f | 0x40
	now := time.Now()
	return &x509.Certificate{SerialNumber: new(big.Int).SetBytes(serial), Subject: name, NotBefore: now.Add(-time.Minute), NotAfter: now.AddDate(0, 0, days),
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageKeyEncipherment}
}

func (f *Floor) sign(t, parent *x509.Certificate, public crypto.PublicKey) (*x509.Certificate, error) {
	der, err := x509.CreateCertificate(rand.Reader, t, parent, public, f.issuerKey)
	if err != nil {
		return nil, err
	}
	return x509.ParseCertificate(der)
}
