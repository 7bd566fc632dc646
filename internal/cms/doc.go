// Package cms reads and writes the Cryptographic Message Syntax (RFC 5652, RFC 5083) and PKCS #10 requests (RFC 2986)
// as far as SCEP, EST and CMP need them: SignedData, EnvelopedData, AuthEnvelopedData, certs-only messages.
//
// Everything read may come from an attacker. [Normalize] turns BER into DER within fixed bounds of size, depth and
// work; the parsers behind it see definite lengths only and bound every list. Errors wrap one of the Err values below,
// followed by what was being read.
//
// All functions are safe for concurrent use. Parsed values share memory with the input, which the caller must not
// change afterwards; they are safe for concurrent reading.
package cms
