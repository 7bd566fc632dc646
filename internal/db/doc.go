// Package db keeps one SQLite file: open, migrate, read, write durably, and
// commit in groups. It is the only importer of the SQLite driver and knows
// nothing of what the tables mean.
//
// The file is in WAL mode with synchronous=FULL: what a Write or a Submit has
// acknowledged survives a power cut. It is locked for one process, and that
// process has one connection, so reads and writes take turns; every call is
// safe for concurrent use. A callback must therefore not call Read, Write or
// Submit of the same DB: it would wait for the connection it holds.
package db
