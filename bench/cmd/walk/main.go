// Command walk measures the device: it runs an agent in this process beside a
// lab authority in another, lets it enroll and update, and prints what that took
// as JSON. Making the keys is not counted.
package main

import (
	"context"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"flag"
	"io"
	"log"
	"net/http"
	"os"
	"runtime/pprof"
	"strings"

	"newleaf/bench/internal/device"
)

func main() {
	log.SetFlags(0)
	var o options
	url := flag.String("url", "http://127.0.0.1:8085/scep", "address of the lab authority")
	flag.StringVar(&o.dir, "state", "", "folder for the device's state, to be made")
	flag.StringVar(&o.challenge, "challenge", "secret", "challenge password of the authority")
	flag.IntVar(&o.issues, "issues", 20, "enrollments with a password")
	flag.IntVar(&o.updates, "updates", 20, "updates, signed by the certificate before")
	flag.IntVar(&o.swaps, "swaps", 20, "updates while clients make TLS handshakes")
	profile := flag.String("profile", "", "file for a CPU profile")
	flag.Parse()
	if err := run(context.Background(), o, *url, *profile); err != nil {
		log.Fatal("walk: ", err)
	}
}

func run(ctx context.Context, o options, url, profile string) error {
	o.authority.URL = url
	o.lab = strings.TrimSuffix(url, "/scep") + "/lab"
	var err error
	if o.authority.Issuer, err = issuer(o.lab + "/ca.pem"); err != nil {
		return err
	}
	if profile != "" {
		f, err := os.Create(profile)
		if err != nil {
			return err
		}
		defer f.Close()
		if err := pprof.StartCPUProfile(f); err != nil {
			return err
		}
		defer pprof.StopCPUProfile()
	}
	r, err := o.measure(ctx)
	if err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(r)
}

func issuer(url string) (*x509.Certificate, error) {
	response, err := http.Get(url)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		return nil, err
	}
	block, _ := pem.Decode(text)
	if block == nil {
		return nil, errors.New("the authority does not show its certificate")
	}
	return x509.ParseCertificate(block.Bytes)
}

type options struct {
	dir, challenge         string
	issues, updates, swaps int
	authority              device.Authority
	lab                    string // URL of the authority's own pages

	meter  *device.Meter
	device *device.Device
}
