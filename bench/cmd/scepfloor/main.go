// Command scepfloor serves the least a SCEP server in Go can do, on loopback,
// until it is killed. It prints "ready http://ADDRESS/scep".
package main

import (
	"flag"
	"fmt"
	"log"
	"net"
	"net/http"

	"newleaf/bench/internal/floor"
)

func main() {
	log.SetFlags(0)
	file := flag.String("store", "", "SQLite file to make or to go on with")
	flag.Parse()
	if err := serve(*file); err != nil {
		log.Fatal("scepfloor: ", err)
	}
}

func serve(file string) error {
	f, err := floor.Open(file)
	if err != nil {
		return err
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	fmt.Printf("ready http://%s/scep\n", ln.Addr())
	return http.Serve(ln, f)
}
