package main

import (
	"context"

	"github.com/spf13/cobra"

	"newleaf"
)

func certRequestCommand(a *app) *cobra.Command {
	return group("request", "See and set the template of the next update",
		`Each certificate keeps the request it was issued on. The next update repeats it
with a new key, so that no person is needed.`,
		requestShowCommand(a), requestSetCommand(a))
}

func requestShowCommand(a *app) *cobra.Command {
	return &cobra.Command{Use: "show NAME", Short: "Show the request that the next update repeats",
		Long: `Show the request that the next update of the certificate repeats. One that was
imported or made by the device has none until it is set.`,
		Example: `  newleaf cert request show Xyz1
  newleaf cert request show Xyz1 -o json`,
		Args: arguments, ValidArgsFunction: a.certNames(1),
		RunE: a.with(func(ctx context.Context, dev newleaf.Device, args []string) error {
			d, err := dev.Certificate(ctx, args[0])
			if err != nil {
				return err
			}
			if d.Request == nil {
				return newleaf.Errorf(newleaf.CodeNoRequest, "certificate %s has no issuance request to repeat", d.Name)
			}
			return a.printRequest(*d.Request)
		})}
}

func requestSetCommand(a *app) *cobra.Command {
	cmd := &cobra.Command{Use: "set NAME", Short: "Set the request that the next update repeats",
		Long: `Set what the next update of the certificate asks for. What no flag names stays as
it is; where there was no request, it is that of a fresh form with the
certificate's own subject, alternative names and purposes.`,
		Example: `  newleaf cert request set Xyz1 --key rsa-3072
  newleaf cert request set Bought --connection plant --san dns:printer.example`,
		Args: arguments, ValidArgsFunction: a.certNames(1)}
	cmd.Flags().SortFlags = false
	form := addFields(cmd, requestFields())
	completeWith(cmd, "connection", a.connectionNames(-1))
	cmd.RunE = a.with(func(ctx context.Context, dev newleaf.Device, args []string) error {
		if err := form.needed(); err != nil {
			return err
		}
		d, err := dev.Certificate(ctx, args[0])
		if err != nil {
			return err
		}
		r := requestOf(d)
		if err := form.apply(&r); err != nil {
			return err
		}
		return a.setRequest(ctx, dev, d.ID, r)
	})
	return cmd
}

// requestOf is the template of d, or one made from what d says itself.
func requestOf(d newleaf.Detail) newleaf.Request {
	if d.Request != nil {
		return *d.Request
	}
	r := newleaf.DefaultRequest()
	r.Name, r.Subject, r.SAN, r.Purposes = d.Name, d.Subject, list(d.SAN), list(d.Purposes)
	return r
}

func (a *app) setRequest(ctx context.Context, dev newleaf.Device, id newleaf.ID, r newleaf.Request) error {
	var err error
	if r.Purposes, err = expand(ctx, dev, r.Purposes); err != nil {
		return err
	}
	if r, err = dev.SetRequest(ctx, string(id), r); err != nil {
		return err
	}
	return a.printRequest(r)
}

func (a *app) printRequest(r newleaf.Request) error {
	return a.print(r, func() *table {
		t := newTable("name", r.Name)
		listFields(t, r, requestFields())
		return t
	})
}
