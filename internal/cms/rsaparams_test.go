package cms

import (
	"crypto"
	"crypto/rsa"
	"testing"

	"golang.org/x/crypto/cryptobyte"
)

// The parts of RSASSA-PSS-params and RSAES-OAEP-params, in hex.
const (
	sha256Hex  = "300b 0609 608648016503040201"
	hashHex    = "a00d" + sha256Hex
	mgfHex     = "a11a 3018 0609 2a864886f70d010108" + sha256Hex
	saltHex    = "a203 020120"
	trailerHex = "a303 020101"
	labelHex   = "a20f 300d 0609 2a864886f70d010109 0400"
)

// params wraps the parts in a SEQUENCE.
func params(parts string) cryptobyte.String { return encode(0x30, unhex(parts)) }

func TestReadPSS(t *testing.T) {
	key := rsa1024().cert.PublicKey.(*rsa.PublicKey)
	for _, tt := range []struct {
		name   string
		params cryptobyte.String
		want   error
	}{
		{"RFC 4055 3.1", params(hashHex + mgfHex + saltHex), nil},
		{"trailer written out", params(hashHex + mgfHex + saltHex + trailerHex), nil},
		{"salt of 20 by default", params(hashHex + mgfHex), nil},
		{"absent", nil, ErrMalformed},
		{"NULL", unhex("0500"), ErrMalformed},
		{"bytes behind", append(params(hashHex+mgfHex+saltHex), 0), ErrMalformed},
		{"fields behind", params(hashHex + mgfHex + saltHex + trailerHex + "0500"), ErrMalformed},
		{"fields out of order", params(mgfHex + hashHex), ErrMalformed},
		{"hash is no algorithm", params("a002 0500"), ErrMalformed},
		{"two hashes", params("a01a" + sha256Hex + sha256Hex), ErrMalformed},
		{"MGF1 without a hash", params(hashHex + "a10d 300b 0609 2a864886f70d010108"), ErrMalformed},
		{"MGF is no algorithm", params(hashHex + "a102 0500"), ErrMalformed},
		{"salt is no INTEGER", params(hashHex + mgfHex + "a202 0500"), ErrMalformed},
		{"other trailer", params(hashHex + mgfHex + saltHex + "a303 020102"), ErrUnsupported},
		{"negative salt", params(hashHex + mgfHex + "a203 0201ff"), ErrUnsupported},
		{"SHA-1 by default", params(mgfHex + saltHex), ErrUnsupported},
		{"MGF1 with SHA-1 by default", params(hashHex + saltHex), ErrUnsupported},
		{"unknown hash", params("a00d 300b 0609 60864801650304027f"), ErrUnsupported},
		{"unknown MGF", params(hashHex + "a11a 3018 0609 2a864886f70d01017f" + sha256Hex), ErrUnsupported},
		{"MGF1 with an unknown hash", params(hashHex + "a11a 3018 0609 2a864886f70d010108 300b 0609 60864801650304027f"), ErrUnsupported},
		{"MD5", params("a00c 300a 0608 2a864886f70d0205"), ErrWeak},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := readPSS(tt.params, crypto.SHA256, key)
			wantError(t, err, tt.want)
		})
	}
}

func TestReadOAEP(t *testing.T) {
	for _, tt := range []struct {
		name      string
		params    cryptobyte.String
		hash, mgf crypto.Hash
		want      error
	}{
		{"RFC 4055 4.1 defaults", params(""), crypto.SHA1, crypto.SHA1, nil},
		{"SHA-256", params(hashHex + mgfHex), crypto.SHA256, crypto.SHA256, nil},
		{"SHA-256, MGF1 with SHA-1", params(hashHex), crypto.SHA256, crypto.SHA1, nil},
		{"empty label", params(hashHex + mgfHex + labelHex), crypto.SHA256, crypto.SHA256, nil},
		{"absent", nil, 0, 0, ErrMalformed},
		{"fields behind", params(hashHex + mgfHex + labelHex + "0500"), 0, 0, ErrMalformed},
		{"label is no algorithm", params(hashHex + mgfHex + "a202 0500"), 0, 0, ErrMalformed},
		{"label of another kind", params(hashHex + mgfHex + "a20f 300d 0609 2a864886f70d010108 0400"), 0, 0, ErrMalformed},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := readOAEP(tt.params)
			wantError(t, err, tt.want)
			if err == nil && (got.Hash != tt.hash || got.MGFHash != tt.mgf || got.Label != nil) {
				t.Errorf("%+v", got)
			}
		})
	}
}
