package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"newleaf"
)

func deletionFields() []field[newleaf.DeletionPolicy] {
	type P = newleaf.DeletionPolicy
	return []field[P]{
		of("auto", yesNo(), "delete unnecessary certificates after an update", func(p *P) *bool { return &p.Auto }),
		of("rules", listOf("LIST|all|none", newleaf.AllRules()...), "which are unnecessary: "+strings.Join(plain(newleaf.AllRules()), ", "), func(p *P) *[]newleaf.Rule { return &p.Rules }),
		of("threshold", numberOr("off"), "only when this many are stored", func(p *P) *int { return &p.Threshold }),
		of("free", sizeOr("off"), "only when this much space or less is left", func(p *P) *int64 { return &p.Free }),
		of("order", oneOf("after|on-response|before", newleaf.OrderAfter, newleaf.OrderOnResponse, newleaf.OrderBefore), "when in an update; one in use always waits for its proven successor", func(p *P) *newleaf.Order { return &p.Order }),
		of("protect-imported", yesNo(), "while rule self is chosen, keep imported certificates", func(p *P) *bool { return &p.ProtectImported }),
		of("only-self", yesNo(), "restrict every rule to self-signed certificates", func(p *P) *bool { return &p.OnlySelf }),
		of("as-needed", yesNo(), "delete no more than room demands", func(p *P) *bool { return &p.AsNeeded }),
		of("expired-margin", spanOrAuto(), "how long past its end a certificate counts as expired", func(p *P) **time.Duration { return &p.ExpiredMargin }),
		of("proof-limit", spanOrAuto(), "how long to wait for the successor's proof of use", func(p *P) **time.Duration { return &p.ProofLimit }),
		of("settle", span(), "how long the replaced certificate can be put back", func(p *P) *time.Duration { return &p.Settle }),
	}
}

func deletionCommand(a *app) *cobra.Command {
	return group("deletion", "See and set which certificates are deleted automatically",
		`See and set which certificates an update deletes when they are no longer needed.
A certificate in use, a pinned one and the only one able to enroll again are never
deleted. A fresh device deletes nothing.`,
		deletionShowCommand(a), deletionPlanCommand(a), deletionSetCommand(a))
}

func deletionShowCommand(a *app) *cobra.Command {
	return &cobra.Command{Use: "show", Short: "Show the settings of automatic deletion",
		Long: `Show the settings of automatic deletion, how full the store is, and which
deletions are still owed.`,
		Example: `  newleaf deletion show
  newleaf deletion show -o json | jq .rules`,
		Args: arguments,
		RunE: a.with(func(ctx context.Context, dev newleaf.Device, _ []string) error {
			info, err := dev.Deletion(ctx)
			if err != nil {
				return err
			}
			return a.printDeletion(info)
		})}
}

func deletionSetCommand(a *app) *cobra.Command {
	cmd := &cobra.Command{Use: "set", Short: "Set which certificates are deleted automatically",
		Long: `Set automatic deletion. What no flag names stays as it is. See the effect first
with "newleaf deletion plan" and the same flags.`,
		Example: `  newleaf deletion set --auto=yes --rules replaced,expired
  newleaf deletion set --threshold 7 --order on-response`,
		Args: arguments}
	cmd.Flags().SortFlags = false
	form := addFields(cmd, deletionFields())
	cmd.RunE = a.with(func(ctx context.Context, dev newleaf.Device, _ []string) error {
		if err := form.needed(); err != nil {
			return err
		}
		info, err := dev.Deletion(ctx)
		if err != nil {
			return err
		}
		p := info.DeletionPolicy
		if err := form.apply(&p); err != nil {
			return err
		}
		if info, err = dev.SetDeletion(ctx, p); err != nil {
			return err
		}
		return a.printDeletion(info)
	})
	return cmd
}

func deletionPlanCommand(a *app) *cobra.Command {
	cmd := &cobra.Command{Use: "plan", Short: "Show which certificates would be deleted",
		Long: `Show, for each certificate, whether it would be deleted and by which rules, or why
it would stay, as if a new certificate with the purposes of --for had just been
proven in use. The flags of "deletion set" try settings without saving them.`,
		Example: `  newleaf deletion plan --for tls
  newleaf deletion plan --auto=yes --rules all --for tls,ipsec`,
		Args: arguments}
	cmd.Flags().SortFlags = false
	purposes := cmd.Flags().VarPF(&fieldValue{kind: "LIST|all|none", check: func(string) error { return nil }}, "for", "", "purposes of the new certificate (default: none)")
	complete(cmd, "for", "tls", "ipsec", "dot1x", "all", "none")
	form := addFields(cmd, deletionFields())
	cmd.RunE = a.with(func(ctx context.Context, dev newleaf.Device, _ []string) error {
		info, err := dev.Deletion(ctx)
		if err != nil {
			return err
		}
		var unsaved *newleaf.DeletionPolicy
		if form.given() {
			unsaved = &info.DeletionPolicy
			if err := form.apply(unsaved); err != nil {
				return err
			}
		}
		taken, err := expand(ctx, dev, parsePurposes(purposes.Value.String()))
		if err != nil {
			return err
		}
		rows, err := dev.PlanDeletion(ctx, taken, unsaved)
		if err != nil {
			return err
		}
		return a.print(list(rows), func() *table { return verdictTable(rows) })
	})
	return cmd
}

func verdictTable(rows []newleaf.Verdict) *table {
	t := newTable("NAME", "DELETE", "RULES", "KEPT BECAUSE", "ID")
	for _, v := range rows {
		t.row(v.Name, yes(v.Delete), strings.Join(plain(v.Rules), ","), string(v.Reason), v.ID.Short())
	}
	return t
}

func verdictText(v newleaf.Verdict) string {
	switch {
	case v.Delete:
		return "deleted by rule " + strings.Join(plain(v.Rules), ", ")
	case v.Reason != "":
		return "kept: " + string(v.Reason)
	}
	return ""
}

func (a *app) printDeletion(info newleaf.DeletionInfo) error {
	err := a.print(info, func() *table {
		p := info.DeletionPolicy
		t := &table{}
		listFields(t, p, deletionFields())
		t.row("stored", fmt.Sprintf("%d of %d", info.Stored, info.Capacity))
		var owed []string
		for _, id := range info.Owed {
			owed = append(owed, id.Short())
		}
		t.row("owed", strings.Join(owed, ", "))
		return t
	})
	if !a.json() {
		a.warn(info.Warnings)
	}
	return err
}
