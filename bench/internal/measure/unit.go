package measure

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"sync"
	"time"
)

var unitKey = sync.OnceValue(func() *rsa.PrivateKey {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err) // only for an unusable size
	}
	return key
})

// Unit is the RSAu: the processor time of one RSA-2048 private operation of Go,
// while workers of them run side by side, so that a unit is taken on as busy a
// machine as what it measures. It is the median of 9 rounds of 10.
func Unit(workers int) time.Duration {
	key := unitKey()
	digest := make([]byte, 32)
	var rounds []float64
	for range 9 {
		before := CPU()
		var wg sync.WaitGroup
		for range workers {
			wg.Go(func() {
				for range 10 {
					_, _ = rsa.SignPKCS1v15(nil, key, crypto.SHA256, digest) // it fails for short keys only
				}
			})
		}
		wg.Wait()
		rounds = append(rounds, float64(CPU()-before)/float64(10*workers))
	}
	return time.Duration(Quantile(rounds, .5))
}
