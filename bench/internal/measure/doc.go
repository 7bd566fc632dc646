// Package measure is what the benchmarks read and compute with: the processor
// time, memory and writes of a process, order statistics, and the unit RSAu.
package measure
