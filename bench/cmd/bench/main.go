// Command bench measures the programs in a folder side by side and writes what
// came out to a page. scripts/bench builds the programs and runs it.
package main

import (
	"context"
	"crypto/rsa"
	"crypto/x509"
	"flag"
	"fmt"
	"log"
	"os"
	"os/signal"
	"time"

	"newleaf/bench/internal/load"
)

func main() {
	log.SetFlags(0)
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	var b bench
	flag.StringVar(&b.bin, "bin", "", "folder with newleaf, newleaf-device, scepfloor and walk")
	flag.StringVar(&b.plan, "plan", "", "output of go test -bench Plan")
	flag.BoolVar(&b.short, "short", false, "a tenth of everything, to see whether it works")
	flag.StringVar(&b.only, "only", "", "one part: sizes, plan, start, transaction, walk, authority or rest")
	out := flag.String("out", "", "page to write; standard output without")
	flag.Parse()
	if err := b.run(ctx, *out); err != nil {
		log.Fatal("bench: ", err)
	}
}

// bench is one run.
type bench struct {
	bin, plan, only string
	short           bool

	dir     string // for everything that is made, removed at the end
	keys    []*rsa.PrivateKey
	former  *x509.Certificate // of an authority that is no more
	idle    idle
	figures []figure
	took    time.Duration
	others  float64 // share of the processors that went elsewhere
}

// times is n, or a tenth of it in a short run.
func (b *bench) times(n int) int {
	if b.short {
		return max(n/10, 2)
	}
	return n
}

func (b *bench) run(ctx context.Context, out string) (err error) {
	if b.dir, err = os.MkdirTemp("", "newleaf-bench-"); err != nil {
		return err
	}
	defer os.RemoveAll(b.dir)
	watch := begin()
	if b.keys, err = load.Keys(16); err != nil {
		return err
	}
	for _, part := range []struct {
		name string
		do   func(context.Context) error
	}{
		{"rest", b.restFrom}, {"sizes", b.sizes}, {"plan", b.plans}, {"start", b.start}, {"transaction", b.transaction},
		{"walk", b.walk}, {"authority", b.authority}, {"rest", b.restTo}, // it was left alone meanwhile
	} {
		if b.only != "" && b.only != part.name {
			continue
		}
		log.Printf("%6.1f s  %s", watch.seconds(), part.name)
		if err := part.do(ctx); err != nil {
			return fmt.Errorf("%s: %w", part.name, err)
		}
	}
	b.took, b.others = watch.end()
	page := b.page()
	if out == "" {
		fmt.Print(page)
		return nil
	}
	return os.WriteFile(out, []byte(page), 0o644)
}
