// Command scepload enrolls at a SCEP server and tells enrollments per second,
// latencies and the server's processor time. Use it on servers of your own only:
// it believes whoever answers.
//
//	newleaf ca --state DIR --challenge secret
//	scepload -url http://127.0.0.1:8085/scep -challenge secret -pid $(pidof newleaf)
package main

import (
	"context"
	"flag"
	"fmt"
	"log"
	"runtime"

	"newleaf/bench/internal/load"
	"newleaf/bench/internal/measure"
)

func main() {
	log.SetFlags(0)
	url := flag.String("url", "http://127.0.0.1:8085/scep", "address of the server")
	challenge := flag.String("challenge", "", "challenge password")
	pid := flag.Int("pid", 0, "process of the server, for its processor time")
	n := flag.Int("n", 500, "enrollments of a round")
	workers := flag.Int("c", 32, "requests under way at a time")
	rounds := flag.Int("rounds", 3, "rounds")
	flag.Parse()
	if err := drive(*url, *challenge, *pid, *n, *workers, *rounds); err != nil {
		log.Fatal("scepload: ", err)
	}
}

func drive(url, challenge string, pid, n, workers, rounds int) error {
	ctx := context.Background()
	keys, err := load.Keys(16)
	if err != nil {
		return err
	}
	s, err := load.Reach(ctx, url, challenge, nil)
	if err != nil {
		return err
	}
	unit := measure.Unit(keys[0], runtime.GOMAXPROCS(0))
	for range rounds {
		r, err := s.Round(ctx, n, workers, pid, keys)
		if err != nil {
			return err
		}
		fmt.Printf("%.0f/s  p50 %.1f ms  p99 %.1f ms  server %.3f ms = %.2f RSAu\n", r.Rate, r.P50, r.P99, measure.MS(r.CPU), float64(r.CPU)/float64(unit))
	}
	return nil
}
