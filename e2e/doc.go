// Package e2e drives the built binary as a black box: processes, sockets, the
// command line with -o json, HTTPS, and foreign SCEP programs. It holds tests
// only.
//
// Foreign programs are optional: a test skips with the reason when one is
// missing, and fails instead under NEWLEAF_PEERS=require.
package e2e
