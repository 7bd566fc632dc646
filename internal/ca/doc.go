// Package ca is the lab certificate and registration authority: one self-signed
// issuer (path length 0) with "LAB" in its name, its RA certificates, a policy,
// a queue, a revocation list and faults on demand. It decides as an
// [newleaf/internal/enroll.Authority] and knows no protocol.
//
// Its folder holds issuer.pem, the RA's ra.pem or ra-sign.pem and
// ra-encrypt.pem, next.pem after a rollover was announced, for mischief
// foreign.pem (a stranger of the same name) and sibling.pem (an end entity of
// the issuer), each a certificate with its clear key, 0600, and ca.db. The keys
// protect nothing but a lab.
//
// Mischief is a list of NAME[:OPERATION][*COUNT], see [Faults]. Each word has its
// turns before the next one that strikes at the same place: "pending*3,refuse"
// is three times pending before it refuses. OPERATION is a name the protocol
// server asks with (GetCACert, PKIOperation, RenewalReq, ...); for a mischief
// about the certificate it is PKIOperation, enroll or renew.
//
// The lab's own pages, for peers on the same machine only. Bodies are JSON;
// errors are {"code", "text", "hint"} with the HTTP status of the code.
//
//	GET  /lab/ca.pem     the issuer's certificate
//	GET  /lab/crl        the revocation list, DER
//	GET  /lab/requests   [Entry], decisions and polls, oldest first; ?since=ID for later ones
//	GET  /lab/exchanges  [Exchange], HTTP requests of the protocol server as they arrived
//	GET  /lab/issued     [Registration], newest first, at most 1,000
//	GET  /lab/pending    [Waiting]
//	POST /lab/challenge  {"subject": "C=JP,O=ABC,CN=Device001"} -> Challenge
//	POST /lab/approve    {"transactionId": "..."}
//	POST /lab/deny       {"transactionId": "...", "reason": "..."}
//	POST /lab/revoke     {"serial": "hex"}
//	GET  /lab/mischief   {"mischief": [what is left of the script], "known": [Fault]}
//	POST /lab/mischief   {"mischief": ["pending*3", "reset:PKIOperation"]}; [] ends it
package ca
