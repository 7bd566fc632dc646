// Package bench holds the gates that keep the device and the lab authority fast:
// tests that count - private operations, durable transactions, allocations,
// bytes - and so mean the same on any machine, however busy. Times are measured
// by scripts/bench, which writes docs/benchmarks.md.
package bench
