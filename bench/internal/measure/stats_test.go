package measure

import (
	"crypto/rand"
	"crypto/rsa"
	"math"
	"testing"
)

func TestQuantile(t *testing.T) {
	xs := []float64{5, 1, 4, 2, 3}
	for _, c := range []struct{ q, want float64 }{{0, 1}, {.2, 1}, {.5, 3}, {.9, 5}, {.99, 5}, {1, 5}} {
		if got := Quantile(xs, c.q); got != c.want {
			t.Errorf("quantile %v is %v, want %v", c.q, got, c.want)
		}
	}
	if !math.IsNaN(Quantile(nil, .5)) {
		t.Error("nothing has a median")
	}
	if xs[0] != 5 {
		t.Error("the values were sorted in place")
	}
}

func TestRead(t *testing.T) {
	spend(t)
	s, err := Read(0)
	if err != nil {
		t.Fatal(err)
	}
	if s.CPU <= 0 || s.AnonKiB <= 0 || s.Threads < 1 || s.Waits < 1 {
		t.Errorf("this process is read as %+v", s)
	}
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	if Machine() <= 0 || Unit(key, 1) <= 0 {
		t.Error("no time has passed")
	}
}

func spend(t *testing.T) {
	t.Helper()
	before := CPU()
	for i := 0; CPU() == before; i++ {
		if i > 1e8 {
			t.Fatal("working takes no processor time")
		}
	}
}
