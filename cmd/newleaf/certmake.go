package main

import (
	"context"
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"newleaf"
)

func certGenerateCommand(a *app) *cobra.Command {
	cmd := &cobra.Command{Use: "generate", Short: "Make a key pair and a self-signed certificate",
		Long: `Make a key pair and a certificate that the device signs itself. No authority is
asked. Without flags: a 2048 bit RSA key, valid for 365 days, no purpose.`,
		Example: `  newleaf cert generate --name Self --subject CN=Device001 --purpose tls
  newleaf cert generate --name Short --subject CN=Device001 --key p256 --days 30`,
		Args: arguments}
	cmd.Flags().SortFlags = false
	type G = newleaf.Generation
	form := addFields(cmd, []field[G]{
		of("name", text[string]("NAME"), "name of the certificate, 1 to 64 characters; needed", func(g *G) *string { return &g.Name }),
		of("key", oneOf("KEY", newleaf.KeySpecs()...), "kind and length of the key: "+strings.Join(plain(newleaf.KeySpecs()), ", "), func(g *G) *newleaf.KeySpec { return &g.Key }),
		of("subject", text[string]("DN"), `distinguished name, such as "C=JP,O=ABC,CN=Device001"`, func(g *G) *string { return &g.Subject }),
		of("san", listOf[string]("LIST"), "alternative names, such as dns:a.example,ip:192.0.2.1", func(g *G) *[]string { return &g.SAN }),
		of("purpose", purposeList(), "what the certificate is to be used for", func(g *G) *[]newleaf.Purpose { return &g.Purposes }),
		of("days", number(), "how many days it is valid", func(g *G) *int { return &g.Days }),
		of("exportable", yesNo(), "let the private key leave the device; fixed once it is made", func(g *G) *bool { return &g.Exportable }),
	})
	cmd.RunE = a.with(func(ctx context.Context, dev newleaf.Device, _ []string) error {
		if err := needs(cmd, "name"); err != nil {
			return err
		}
		g := newleaf.Generation{Key: newleaf.RSA2048, Days: 365, SAN: []string{}, Purposes: []newleaf.Purpose{}}
		err := form.apply(&g)
		if err != nil {
			return err
		}
		if g.Purposes, err = expand(ctx, dev, g.Purposes); err != nil {
			return err
		}
		c, err := dev.Generate(ctx, g)
		if err != nil {
			return err
		}
		return a.printCert(c)
	})
	return cmd
}

func certImportCommand(a *app) *cobra.Command {
	cmd := &cobra.Command{Use: "import FILE", Short: "Bring a certificate with its private key",
		Long: `Bring a certificate, its private key and its chain into the store. FILE is PEM or
PKCS #12 ("-" for standard input); the key may stand in a file of its own.
Expired and not yet valid certificates are accepted.`,
		Example: `  newleaf cert import device.p12 --name Bought --passphrase-file secret --purpose tls
  newleaf cert import cert.pem --key-file key.pem --name Bought`,
		Args: arguments}
	cmd.Flags().SortFlags = false
	type I = newleaf.Import
	form := addFields(cmd, []field[I]{
		of("name", text[string]("NAME"), "name of the certificate, 1 to 64 characters; needed", func(i *I) *string { return &i.Name }),
		of("purpose", purposeList(), "what the certificate is to be used for", func(i *I) *[]newleaf.Purpose { return &i.Purposes }),
		of("exportable", yesNo(), "let the private key leave the device again", func(i *I) *bool { return &i.Exportable }),
	})
	key := cmd.Flags().String("key-file", "", "`FILE` with the private key, PEM, \"-\" for standard input")
	passphrase := cmd.Flags().String("passphrase-file", "", "`FILE` with the passphrase, \"-\" for standard input")
	cmd.RunE = a.with(func(ctx context.Context, dev newleaf.Device, args []string) error {
		if err := needs(cmd, "name"); err != nil {
			return err
		}
		i := newleaf.Import{Purposes: []newleaf.Purpose{}}
		err := form.apply(&i)
		if err == nil {
			i.Data, err = a.readFile(args[0])
		}
		if err == nil {
			i.Key, err = a.readFile(*key)
		}
		if err == nil {
			i.Passphrase, err = a.readSecret(*passphrase)
		}
		if err != nil {
			return err
		}
		if i.Purposes, err = expand(ctx, dev, i.Purposes); err != nil {
			return err
		}
		c, err := dev.Import(ctx, i)
		if err != nil {
			return err
		}
		return a.printCert(c)
	})
	return cmd
}

// exported is a certificate that left the device, as JSON has it.
type exported struct {
	Name   string         `json:"name"`
	Format newleaf.Format `json:"format"`
	Data   []byte         `json:"data"` // base64 in JSON
}

func certExportCommand(a *app) *cobra.Command {
	formats := []newleaf.Format{newleaf.FormatPEM, newleaf.FormatDER, newleaf.FormatChain, newleaf.FormatPKCS12}
	cmd := &cobra.Command{Use: "export NAME", Short: "Write a certificate out",
		Long: `Write a certificate to stdout or a file: pem and der hold the certificate, chain
also its intermediates, pkcs12 also the private key. The key leaves the device
only if it was made exportable and the configuration allows export.`,
		Example: `  newleaf cert export Xyz1 --format chain > chain.pem
  newleaf cert export Xyz1 --format pkcs12 --passphrase-file secret --out device.p12`,
		Args: arguments, ValidArgsFunction: a.certNames(1)}
	format := string(newleaf.FormatPEM)
	cmd.Flags().Var(&choice{&format, plain(formats)}, "format", "what to write")
	complete(cmd, "format", plain(formats)...)
	passphrase := cmd.Flags().String("passphrase-file", "", "`FILE` with the passphrase for pkcs12, \"-\" for standard input")
	out := cmd.Flags().String("out", "", "`FILE` to write to, readable by its owner only; it must not exist")
	cmd.RunE = a.with(func(ctx context.Context, dev newleaf.Device, args []string) error {
		f := newleaf.Format(format)
		if f == newleaf.FormatPKCS12 {
			if err := needs(cmd, "passphrase-file"); err != nil {
				return err
			}
		}
		binary := f == newleaf.FormatDER || f == newleaf.FormatPKCS12
		if binary && *out == "" && !a.json() && a.tells {
			return usageError("%s is binary and stdout a terminal", f).WithHint("Add --out FILE.")
		}
		secret, err := a.readSecret(*passphrase)
		if err != nil {
			return err
		}
		data, err := dev.Export(ctx, args[0], f, secret)
		if err != nil {
			return err
		}
		return a.export(exported{args[0], f, data}, *out)
	})
	return cmd
}

func (a *app) export(e exported, out string) error {
	switch {
	case out != "":
		return writeNew(out, e.Data)
	case a.json():
		return a.encode(e, "  ")
	}
	if _, err := a.stdout.Write(e.Data); err != nil {
		return fmt.Errorf("writing the certificate: %w", err)
	}
	return nil
}

// writeNew writes a file that must not exist and is only its owner's, as it may
// hold a key.
func writeNew(path string, data []byte) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err == nil {
		_, err = f.Write(data)
		if closed := f.Close(); err == nil {
			err = closed
		}
	}
	if err != nil {
		return newleaf.Errorf(newleaf.CodeInvalid, "the file cannot be written: %w", err).
			WithHint("Give a path that does not exist in a folder you may write to.")
	}
	return nil
}
