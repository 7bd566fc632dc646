// Command newleaf is the agent that keeps a device's certificates, the command
// line that talks to it, and a lab authority to try both with.
package main

import (
	"context"
	"os"
)

func main() {
	os.Exit(run(context.Background(), os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}
