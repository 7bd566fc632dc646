package db_test

import (
	"database/sql"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"newleaf/internal/db"
)

func benchStore(b *testing.B) *db.DB {
	d, err := db.Open(filepath.Join(b.TempDir(), "store.db"), db.Options{Migrations: migrations})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = d.Close() })
	return d
}

// BenchmarkWrite reports the time of a durable Write as a multiple of a bare
// append of one page with fsync, each done right after a Write.
func BenchmarkWrite(b *testing.B) {
	d, id := benchStore(b), 0
	raw, err := os.Create(filepath.Join(b.TempDir(), "raw"))
	if err != nil {
		b.Fatal(err)
	}
	defer raw.Close()
	page, syncs := make([]byte, 4096), time.Duration(0)
	for b.Loop() {
		id++
		if err := d.Write(b.Context(), insert(id, "a")); err != nil {
			b.Fatal(err)
		}
		b.StopTimer()
		start := time.Now()
		if _, err := raw.Write(page); err != nil {
			b.Fatal(err)
		}
		if err := raw.Sync(); err != nil {
			b.Fatal(err)
		}
		syncs += time.Since(start)
		b.StartTimer()
	}
	b.ReportMetric(float64(b.Elapsed())/float64(syncs), "fsyncs/op")
}

// BenchmarkSubmit has 32 callers per processor; compare with BenchmarkWrite.
func BenchmarkSubmit(b *testing.B) {
	d := benchStore(b)
	var last atomic.Int64
	b.SetParallelism(32)
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if err := d.Submit(b.Context(), insert(int(last.Add(1)), "a")); err != nil {
				b.Error(err)
			}
		}
	})
}

func BenchmarkOpen(b *testing.B) {
	path := filepath.Join(b.TempDir(), "store.db")
	for b.Loop() {
		d, err := db.Open(path, db.Options{Migrations: migrations})
		if err != nil {
			b.Fatal(err)
		}
		b.StopTimer()
		if err := d.Close(); err != nil {
			b.Fatal(err)
		}
		b.StartTimer()
	}
}

func BenchmarkRead(b *testing.B) {
	d := benchStore(b)
	if err := d.Write(b.Context(), insert(1, "a")); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		err := d.Read(b.Context(), func(tx *sql.Tx) error {
			var name string
			return tx.QueryRow(`SELECT name FROM leaf WHERE id = 1`).Scan(&name)
		})
		if err != nil {
			b.Fatal(err)
		}
	}
}
