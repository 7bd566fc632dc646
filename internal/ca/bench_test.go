package ca

import (
	"crypto/rand"
	"crypto/x509"
	"database/sql"
	"fmt"
	"syscall"
	"testing"
	"time"

	"newleaf"
	"newleaf/internal/enroll"
)

// BenchmarkDecide compares an empty authority with one that has issued 100,000
// certificates: the second should be no slower. It issues to distinct subjects
// from 32 clients at once.
func BenchmarkDecide(b *testing.B) {
	for _, held := range []int{0, 100_000} {
		b.Run(fmt.Sprint("held=", held), func(b *testing.B) {
			c, _ := open(b, Options{Challenge: "s"})
			fill(b, c, held)
			pattern := csr(b, newKey(b), "CN=pattern")
			b.SetParallelism(16)
			before := used(b)
			b.ResetTimer()
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					s := enroll.Submission{TransactionID: fmt.Sprintf("%x", rawRandom()), CSR: another(b, pattern), Challenge: "s"}
					if d, err := c.Decide(b.Context(), s); err != nil || d.Status != enroll.Issued {
						b.Errorf("%+v, %v", d, err)
					}
				}
			})
			b.ReportMetric(float64((used(b)-before).Microseconds())/float64(b.N), "cpu-µs/op")
		})
	}
}

// used is the processor time of this process; it says more than the clock where
// the machine has other work.
func used(b *testing.B) time.Duration {
	b.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// another is a request with a name and a key of its own, without what it costs
// to make a key: the last bytes of the point are random.
func another(b *testing.B, pattern *x509.CertificateRequest) *x509.CertificateRequest {
	b.Helper()
	r := *pattern
	spki := pattern.RawSubjectPublicKeyInfo
	r.RawSubjectPublicKeyInfo = append(append([]byte{}, spki[:len(spki)-32]...), rawRandom()...)
	subject, err := newleaf.MarshalSubject(fmt.Sprintf("CN=%x", rawRandom()[:16]))
	if err != nil {
		b.Fatal(err)
	}
	r.RawSubject = subject
	return &r
}

func rawRandom() []byte {
	b := make([]byte, 32)
	rand.Read(b)
	return b
}

// fill stores n certificates of n subjects.
func fill(b *testing.B, c *CA, n int) {
	b.Helper()
	pattern := issue(b, c, first(b, "pattern", "s", newKey(b), "CN=pattern"))
	err := c.db.Write(b.Context(), func(tx *sql.Tx) error {
		insert, err := tx.Prepare(`INSERT INTO issued (serial, subject, key, transaction_id, signer, issued_at, not_after, der) VALUES (?, ?, ?, ?, ?, ?, ?, ?)`)
		if err != nil {
			return err
		}
		for range n {
			random := rawRandom()
			if _, err := insert.Exec(random[:16], fmt.Sprintf("CN=%x", random[:16]), random, fmt.Sprintf("%x", random), random,
				start.UnixMilli(), pattern.NotAfter.UnixMilli(), pattern.Raw); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		b.Fatal(err)
	}
}
