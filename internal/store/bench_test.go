package store_test

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"newleaf"
	"newleaf/internal/store"
)

// BenchmarkReplace is the heart of a renewal's end: one transaction that adds
// the new certificate with its key and an event, and deletes the old one. Its
// cost is told in syncs of the same disk, measured in turn.
func BenchmarkReplace(b *testing.B) {
	dir := b.TempDir()
	s := open(b, dir)
	raw, err := os.Create(filepath.Join(dir, "raw"))
	if err != nil {
		b.Fatal(err)
	}
	defer raw.Close()
	page := make([]byte, 4096)
	pool := make([]newleaf.Certificate, 64)
	for i := range pool {
		pool[i] = entry(b, fmt.Sprint("Xyz", i))
	}
	add := func(tx *store.Tx, c newleaf.Certificate) error {
		if err := tx.PutKey(store.Key{ID: c.KeyID, Wrapped: page[:60], Blob: page[:1200]}); err != nil {
			return err
		}
		return tx.AddCertificate(c)
	}
	write(b, s, func(tx *store.Tx) error { return add(tx, pool[0]) })
	var ours, disk time.Duration
	for i := 0; b.Loop(); i++ {
		old, fresh := pool[i%len(pool)], pool[(i+1)%len(pool)]
		start := time.Now()
		write(b, s, func(tx *store.Tx) error {
			if err := add(tx, fresh); err != nil {
				return err
			}
			if err := tx.DeleteCertificate(old.ID); err != nil {
				return err
			}
			if err := tx.DeleteKey(old.KeyID); err != nil {
				return err
			}
			_, err := tx.Append(newleaf.Event{At: then, Kind: newleaf.EventDeleted, Certificate: old.ID, Text: "replaced"})
			return err
		})
		ours += time.Since(start)
		start = time.Now()
		if _, err := raw.WriteAt(page, 0); err != nil {
			b.Fatal(err)
		}
		if err := raw.Sync(); err != nil {
			b.Fatal(err)
		}
		disk += time.Since(start)
	}
	b.ReportMetric(float64(ours.Microseconds())/float64(b.N), "µs/replace")
	b.ReportMetric(float64(ours)/float64(disk), "syncs/replace")
}

// BenchmarkAppend is one event at the bound of 5,000, among many in a transaction.
func BenchmarkAppend(b *testing.B) {
	s := journal(b, 5000)
	write(b, s, func(tx *store.Tx) error {
		for b.Loop() {
			if _, err := tx.Append(newleaf.Event{At: then, Kind: newleaf.EventStep, Text: "the same again"}); err != nil {
				return err
			}
		}
		return nil
	})
}
