package agent_test

import (
	"context"
	"crypto"
	"crypto/x509"
	"encoding/pem"
	"flag"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"newleaf"
	"newleaf/internal/agent"
	"newleaf/internal/ca"
)

func keyPEM(t testing.TB, key crypto.Signer) []byte {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(key)
	must(t, err)
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
}

// TestPreview compares what the preview says of a random store with what the
// renewal does that follows (INV-13).
func TestPreview(t *testing.T) {
	if checks := flag.Lookup("rapid.checks"); checks.Value.String() == checks.DefValue {
		must(t, checks.Value.Set("12")) // a store and an authority are made for each
	}
	runs, deletions, kept := 0, 0, map[newleaf.Reason]int{}
	t.Run("INV-13 DEL-18 what the preview says is what happens", func(t *testing.T) {
		rapid.Check(t, func(r *rapid.T) {
			d := newDevice(t, ca.Options{}, func(d *device, p *agent.Provision) {
				for _, purpose := range []newleaf.Purpose{newleaf.TLS, newleaf.IPsec, newleaf.Dot1X} {
					d.targets[purpose] = &target{takes: newleaf.NeedLive, says: newleaf.EvidenceProven}
				}
				filled(r, d, p)
			})
			defer d.store.Close()
			c := &chance{T: r, device: d}
			for range 2 { // the second renewal finds what the first has left
				c.policy()
				if info, err := d.Deletion(context.Background()); err != nil || info.Settle > 0 {
					d.deleting(nil, info.Rules...) // during a settle time the preview and the result are days apart
				}
				purposes := c.purposes()
				said, err := d.PlanDeletion(context.Background(), purposes, nil)
				must(t, err)
				result := d.issue(c.name(), purposes...)
				if result.Phase == newleaf.PhaseFailed && result.Error.Code == newleaf.CodeStoreFull {
					continue
				}
				d.stands(result, newleaf.PhaseDone, fine)
				runs, deletions = runs+1, deletions+len(result.Deleted)
				want, have := map[newleaf.ID]string{}, map[newleaf.ID]string{}
				for _, v := range said {
					want[v.ID] = verdictText(v.Name, v.Delete, v.Rule, v.Reason)
				}
				for _, x := range result.Deleted {
					have[x.ID] = verdictText(x.Name, true, x.Rule, "")
				}
				for _, v := range result.Kept {
					have[v.ID] = verdictText(v.Name, v.Delete, v.Rule, v.Reason)
					kept[v.Reason]++
				}
				if diff := cmp.Diff(want, have); diff != "" {
					p, err := d.Deletion(context.Background())
					r.Fatalf("for %v under %+v (%v) the preview and the result differ:\n%s", purposes, p.DeletionPolicy, err, diff)
				}
			}
		})
	})
	t.Logf("%d renewals deleted %d certificates and kept %v", runs, deletions, kept)
	if runs < 8 || deletions < 8 || len(kept) < 4 {
		t.Errorf("%d renewals, %d deletions, kept %v: chance has shown too little", runs, deletions, kept)
	}
}

func verdictText(name string, gone bool, rule newleaf.Rule, reason newleaf.Reason) string {
	if gone {
		return fmt.Sprintf("%s goes: %s", name, rule)
	}
	return strings.TrimSpace(fmt.Sprintf("%s stays: %s %s", name, reason, rule))
}

// filled provisions up to seven certificates of any origin, of which some are in
// use, expired or pinned.
func filled(r *rapid.T, d *device, p *agent.Provision) {
	free := []newleaf.Purpose{newleaf.TLS, newleaf.IPsec, newleaf.Dot1X, "tls:portal"}
	for i := range rapid.IntRange(1, 7).Draw(r, "stored") {
		origin := rapid.SampledFrom([]newleaf.Origin{newleaf.Enrolled, newleaf.Enrolled, newleaf.Generated, newleaf.Factory, newleaf.Imported}).Draw(r, "origin")
		to := start.AddDate(0, rapid.SampledFrom([]int{-2, 3, 12}).Draw(r, "end"), 0)
		var purposes []newleaf.Purpose
		for range rapid.IntRange(0, 2).Draw(r, "purposes") {
			if len(free) > 0 {
				purposes, free = append(purposes, free[0]), free[1:]
			}
		}
		d.add(p, fmt.Sprint("C", i), origin, start.AddDate(-1, 0, -i), to, purposes...)
		p.Certificates[i].Pinned = rapid.IntRange(0, 5).Draw(r, "pinned") == 0
	}
	p.Settings.Capacity = 20
}

// TestMissing: where the limit stays exceeded nothing more goes, and the journal
// says by how much (DLS-39, AMB-54).
func TestMissing(t *testing.T) {
	crowded := func(d *device, p *agent.Provision) {
		fx17A(d, p)
		for _, name := range []string{"A", "B", "C", "D", "E"} {
			d.add(p, name, newleaf.Enrolled, start.AddDate(-1, 0, 0), start.AddDate(1, 0, 0))
		}
		d.add(p, "Gone", newleaf.Enrolled, start.AddDate(-2, 0, 0), start.AddDate(0, -1, 0))
		p.Settings.Capacity = 12
	}
	for _, tt := range []struct {
		name      string
		threshold int
		rules     []newleaf.Rule
		missing   string
		stored    int
	}{
		{"DLS-39 AMB-54 nine stored, one can go, the limit is three", 3, []newleaf.Rule{newleaf.RuleExpired}, "6", 9},
		{"DLS-39 AMB-54 two can go", 3, []newleaf.Rule{newleaf.RuleExpired, newleaf.RuleReplaced}, "5", 8},
		{"DLS-25 no condition is chosen", 8, nil, "2", 10},
		{"control: enough goes", 3, []newleaf.Rule{newleaf.RuleNoPurpose, newleaf.RuleReplaced}, "", 3},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			d := newDevice(t, ca.Options{}, crowded)
			d.deleting(func(p *newleaf.DeletionPolicy) { p.Threshold = tt.threshold }, tt.rules...)
			r := d.issue("Xyz4", newleaf.TLS)
			d.stands(r, newleaf.PhaseDone, fine)
			if n := len(d.holding().Certificates); n != tt.stored {
				t.Errorf("%d certificates are left, want %d", n, tt.stored)
			}
			var told []string
			for _, e := range d.events(newleaf.EventForecast) {
				if e.Renewal == r.ID {
					told = append(told, e.Data["missing"])
					says(t, e.Text, e.Data["missing"]+" more than the limit of "+fmt.Sprint(tt.threshold))
				}
			}
			if strings.Join(told, ",") != tt.missing {
				t.Errorf("missing are %q, want %q", told, tt.missing)
			}
		})
	}
}
