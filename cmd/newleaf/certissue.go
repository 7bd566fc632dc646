package main

import (
	"context"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"newleaf"
)

// nameField is the name of a certificate to be made.
func nameField() field[newleaf.Request] {
	return of("name", text[string]("NAME"), "name of the certificate, 1 to 64 characters; needed", func(r *newleaf.Request) *string { return &r.Name })
}

// requestFields are the issuance form (Fig. 13A) without the name.
func requestFields() []field[newleaf.Request] {
	type R = newleaf.Request
	return []field[R]{
		of("key", oneOf("KEY", newleaf.KeySpecs()...), "kind and length of the key: "+strings.Join(plain(newleaf.KeySpecs()), ", "), func(r *R) *newleaf.KeySpec { return &r.Key }),
		of("subject", text[string]("DN"), `distinguished name, such as "C=JP,O=ABC,OU=DEV01,CN=Device001"`, func(r *R) *string { return &r.Subject }),
		of("san", listOf[string]("LIST"), "alternative names, such as dns:a.example,ip:192.0.2.1,email:a@b.example", func(r *R) *[]string { return &r.SAN }),
		of("purpose", purposeList(), "what the certificate is to be used for", func(r *R) *[]newleaf.Purpose { return &r.Purposes }),
		of("verify-signature", yesNo(), "check the signature of what the authority answers", func(r *R) *bool { return &r.Verify }),
		of("connection", text[string]("NAME"), "through which authority", func(r *R) *string { return &r.Connection }),
		of("exportable", yesNo(), "let the private key leave the device; fixed once it is made", func(r *R) *bool { return &r.Exportable }),
	}
}

func certIssueCommand(a *app) *cobra.Command {
	cmd := &cobra.Command{Use: "issue", Short: "Get a certificate from an authority",
		Long: `Make a key pair, request a certificate from the authority, store it and put it to
use. The seven steps are shown on stderr as they happen; stdout gets the new
certificate as "cert list" shows it.

The command waits for the end, at most as long as --wait says, and not at all
once nothing can happen within that time. What is then still open - the
authority has not decided, a restart or the proof of use is awaited - goes on by
itself, with exit status 0; stdout gets the renewal while there is no certificate.
After a failed try it is 1, also when the device tries again by itself.

Settings that no flag names: a 2048 bit RSA key, signature verification, the
connection "default", no purpose, a key that never leaves the device.`,
		Example: `  newleaf cert issue --name Xyz4 --subject "C=JP,O=ABC,CN=Device001" --purpose tls --password-file secret
  newleaf cert issue --name Xyz5 --subject CN=Device001 --san dns:printer.example --key rsa-3072 --wait 10m`,
		Args: arguments}
	cmd.Flags().SortFlags = false
	form := addFields(cmd, append([]field[newleaf.Request]{nameField()}, requestFields()...))
	password := cmd.Flags().String("password-file", "", "`FILE` with the challenge password, \"-\" for standard input")
	deletion := cmd.Flags().VarPF(&fieldValue{kind: "yes|no", check: checkYesNo}, "apply-deletion", "", "delete what becomes unnecessary (default: as \"deletion show\" says)")
	complete(cmd, "apply-deletion", "yes", "no")
	completeWith(cmd, "connection", a.connectionNames(-1))
	wait := waitFlag(cmd)
	cmd.RunE = a.with(func(ctx context.Context, dev newleaf.Device, _ []string) error {
		if err := needs(cmd, "name"); err != nil {
			return err
		}
		issue := newleaf.Issue{Request: newleaf.DefaultRequest()}
		if err := form.apply(&issue.Request); err != nil {
			return err
		}
		if deletion.Changed {
			on, err := parseYesNo(deletion.Value.String())
			if err != nil {
				return err
			}
			issue.ApplyDeletion = &on
		}
		var err error
		if issue.Password, err = a.readSecret(*password); err != nil {
			return err
		}
		if issue.Purposes, err = expand(ctx, dev, issue.Purposes); err != nil {
			return err
		}
		return a.issue(ctx, dev, issue, *wait)
	})
	return cmd
}

func checkYesNo(s string) error {
	_, err := parseYesNo(s)
	return err
}

// issue starts the issuance, follows it and prints what came of it.
func (a *app) issue(ctx context.Context, dev newleaf.Device, issue newleaf.Issue, wait time.Duration) error {
	r, err := dev.Issue(ctx, issue)
	if err != nil {
		return err
	}
	if r, err = a.watch(ctx, dev, r, wait); err != nil {
		return err
	}
	if r.Certificate != "" && (r.Phase.Open() || r.Phase == newleaf.PhaseDone) {
		d, err := dev.Certificate(ctx, string(r.Certificate))
		if err == nil {
			err = a.printCert(d.Listed)
		}
		if err != nil {
			return err
		}
	} else if err := a.print(r, func() *table { return renewalTable(r) }); err != nil {
		return err
	}
	return a.outcome(r)
}
