package ca

import (
	"bytes"
	"crypto/x509"
	"testing"
	"time"

	"newleaf"
)

func TestCRL(t *testing.T) {
	c, watch := open(t, Options{Challenge: "s"})
	a := issue(t, c, first(t, "t1", "s", newKey(t), "CN=a"))
	b := issue(t, c, first(t, "t2", "s", newKey(t), "CN=b"))
	list := func() (*x509.RevocationList, []byte) {
		t.Helper()
		der, err := c.CRL(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		l, err := x509.ParseRevocationList(der)
		if err != nil {
			t.Fatal(err)
		}
		if err := l.CheckSignatureFrom(c.identity.Issuer); err != nil {
			t.Error(err)
		}
		return l, der
	}
	empty, der := list()
	if len(empty.RevokedCertificateEntries) != 0 || empty.Number.Int64() != 1 {
		t.Errorf("first list: number %d, %d entries", empty.Number, len(empty.RevokedCertificateEntries))
	}
	watch.pass(crlLife/2 - time.Second)
	if _, again := list(); !bytes.Equal(der, again) {
		t.Error("the list was made again within half of its life")
	}
	watch.pass(time.Second)
	renewed, _ := list()
	if renewed.Number.Int64() != 2 || !renewed.ThisUpdate.Equal(watch.now()) || !renewed.NextUpdate.Equal(watch.now().Add(crlLife)) {
		t.Errorf("after half of its life: number %d, from %s to %s", renewed.Number, renewed.ThisUpdate, renewed.NextUpdate)
	}
	at := watch.now()
	for range 2 { // the second time changes nothing
		if err := c.Revoke(t.Context(), a.SerialNumber); err != nil {
			t.Fatal(err)
		}
		watch.pass(time.Minute)
	}
	if err := c.Revoke(t.Context(), newSerial()); newleaf.CodeOf(err) != newleaf.CodeNotFound {
		t.Errorf("revoking nothing: %v", err)
	}
	revoked, _ := list()
	entries := revoked.RevokedCertificateEntries
	if revoked.Number.Int64() != 3 || len(entries) != 1 || entries[0].SerialNumber.Cmp(a.SerialNumber) != 0 || !entries[0].RevocationTime.Equal(at) {
		t.Errorf("number %d, entries %+v, want %x revoked at %s and not %x", revoked.Number, entries, a.SerialNumber, at, b.SerialNumber)
	}
}
