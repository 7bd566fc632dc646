//go:build !device

package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"newleaf"
	"newleaf/internal/ca"
	"newleaf/internal/scep"
)

func caCommand(a *app) *cobra.Command {
	var listen, weak, mischief string
	o := ca.Options{Now: a.now, Issuer: ca.P256}
	cmd := &cobra.Command{Use: "ca", Short: "Run a lab authority",
		Long: `Run a certificate and registration authority for the lab: one self-signed issuer
with "LAB" in its name, SCEP at /scep and /cgi-bin/pkiclient.exe, its own pages for
this machine under /lab/. Its keys lie in the state folder in the clear.

A request is granted for a one-time challenge password bound to its subject, for
the static one of --challenge, or for the signature of a certificate issued here
that it renews. --mischief makes it misbehave: NAME[:OPERATION][*COUNT], in turns.`,
		Example: `  newleaf ca --state /tmp/lab --challenge secret
  newleaf ca --state /tmp/lab --validity 10m --ra two
  newleaf ca --state /tmp/lab --mischief 'pending*3,refuse'
  curl -d '{"subject": "CN=Device001"}' http://127.0.0.1:8085/lab/challenge`,
		Args: arguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := needs(cmd, "state"); err != nil {
				return err
			}
			o.Dir, o.Weak, o.Mischief = a.state, splitList(weak), strings.Split(mischief, ",")
			return a.runCA(cmd.Context(), o, listen)
		}}
	flags := cmd.Flags()
	flags.StringVar(&listen, "listen", "127.0.0.1:8085", "listen on `ADDR`; port 0 takes a free one")
	flags.StringVar(&o.Name, "as", "", "`NAME` of the authority; LAB is added where it lacks it")
	flags.Var(&choice{&o.Issuer, []string{ca.P256, ca.RSA}}, "issuer", "kind of the issuing key")
	flags.Var(&choice{&o.RA, []string{ca.RAOne, ca.RATwo, ca.RANone}}, "ra", "RA certificates (default one, with an rsa issuer none)")
	flags.StringVar(&o.Challenge, "challenge", "", "static challenge `PASSWORD`")
	flags.BoolVar(&o.OTP, "otp", false, "take one-time challenge passwords beside the static one")
	durationVar(flags, &o.Validity, "validity", 90*24*time.Hour, "validity of issued certificates, as in 90d, 2h or 45s")
	flags.BoolVar(&o.Approve, "approve", false, "a person decides: requests are pending until approved at /lab/approve")
	flags.BoolVar(&o.Next, "next", false, "announce the CA certificate that will follow this one")
	flags.StringVar(&weak, "weak", "", "`LIST` of weak algorithms that are taken: 3des, des, sha1")
	flags.StringVar(&mischief, "mischief", "", "`LIST` of what to do wrong; /lab/mischief shows what there is")
	complete(cmd, "listen")
	complete(cmd, "issuer", ca.P256, ca.RSA)
	complete(cmd, "ra", ca.RAOne, ca.RATwo, ca.RANone)
	complete(cmd, "weak", string(newleaf.Weak3DES), string(newleaf.WeakDES), string(newleaf.WeakSHA1))
	complete(cmd, "mischief", faultNames()...)
	return cmd
}

func faultNames() []string {
	var names []string
	for _, f := range ca.Faults() {
		names = append(names, f.Name)
	}
	return names
}

// runCA serves the authority until ctx ends.
func (a *app) runCA(ctx context.Context, o ca.Options, listen string) (err error) {
	authority, err := ca.Open(o)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, authority.Close()) }()
	ln, err := net.Listen("tcp", listen)
	if err != nil {
		return newleaf.Errorf(newleaf.CodeInvalid, "the address %s cannot be listened on: %w", listen, err).
			WithHint("Choose another with --listen, or stop the program that has it.")
	}
	base := "http://" + reachable(ln.Addr().String())
	a.introduce(authority, base)
	if _, err := fmt.Fprintf(a.stdout, "ready %s/scep\n", base); err != nil {
		return errors.Join(fmt.Errorf("writing the ready line: %w", err), ln.Close())
	}
	return serveCA(ctx, ln, authority, slog.New(slog.NewTextHandler(a.stderr, nil)))
}

// serveCA serves the authority until ctx ends.
func serveCA(ctx context.Context, ln net.Listener, authority *ca.CA, log *slog.Logger) error {
	server := caServer(ctx, authority, log)
	served := make(chan error, 1)
	go func() { served <- server.Serve(ln) }()
	select {
	case err := <-served:
		return fmt.Errorf("serving the authority: %w", err)
	case <-ctx.Done():
	}
	ending, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
	defer cancel()
	if server.Shutdown(ending) != nil {
		return server.Close()
	}
	return nil
}

// caServer is SCEP and the lab's own pages for an authority. It bounds what
// peers take to write, not what it takes to answer: a mischief may want for ever.
func caServer(ctx context.Context, authority *ca.CA, log *slog.Logger) *http.Server {
	protocol := authority.Watch(scep.NewServer(authority, scep.ServerOptions{Log: log}))
	mux := http.NewServeMux()
	for _, path := range []string{"/scep", "/scep/", "/cgi-bin/pkiclient.exe"} {
		mux.Handle(path, protocol)
	}
	mux.Handle("/lab/", authority.Handler())
	return &http.Server{
		Handler:           mux,
		BaseContext:       func(net.Listener) context.Context { return ctx }, // its end is the end of what stalls
		ReadHeaderTimeout: 10 * time.Second, ReadTimeout: 30 * time.Second, IdleTimeout: 2 * time.Minute,
		ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelDebug), // peers that reset are no news in a lab
	}
}

// introduce tells a person what to compare and what to do next.
func (a *app) introduce(authority *ca.CA, base string) {
	p, err := newleaf.Parse(authority.Identity().Issuer.Raw)
	if err != nil {
		a.say("The CA certificate cannot be shown: %v", err)
		return
	}
	a.say("Lab authority %s; its keys are unprotected, trust it in the lab only.", p.Subject)
	a.say("  SHA-256 %s", p.SHA256)
	a.say("  SHA-1   %s", p.SHA1)
	if authority.Policy().OneTime {
		a.say("One-time challenge passwords: curl -d '{\"subject\": \"CN=Device001\"}' %s/lab/challenge", base)
	}
	if authority.Policy().Approve {
		a.say("Requests wait for approval: curl %s/lab/pending", base)
	}
	if m := authority.Mischief(); len(m) > 0 {
		a.say("Mischief on demand: %s", strings.Join(m, ", "))
	}
}
