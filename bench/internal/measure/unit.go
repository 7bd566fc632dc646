package measure

import (
	"crypto"
	"crypto/rsa"
	"sync"
	"time"
)

// Unit is the RSAu: the processor time of one RSA-2048 private operation of Go
// with key, while workers of them run side by side, so that a unit is taken on
// as busy a machine as what it measures. It is the median of 7 rounds of 5.
func Unit(key *rsa.PrivateKey, workers int) time.Duration {
	digest := make([]byte, 32)
	var rounds []float64
	for range 7 {
		before := CPU()
		var wg sync.WaitGroup
		for range workers {
			wg.Go(func() {
				for range 5 {
					_, _ = rsa.SignPKCS1v15(nil, key, crypto.SHA256, digest) // it fails for short keys only
				}
			})
		}
		wg.Wait()
		rounds = append(rounds, float64(CPU()-before)/float64(5*workers))
	}
	return time.Duration(Quantile(rounds, .5))
}
