package agent_test

import (
	"context"
	"crypto/x509"
	"testing"
	"time"

	"newleaf"
	"newleaf/internal/agent"
	"newleaf/internal/ca"
	"newleaf/internal/enroll"
	"newleaf/internal/newleaftest"
)

// at runs f once, when a walk passes the point.
func (d *device) at(point string, f func()) {
	d.stop = func(p string) {
		if p == point {
			d.stop = nil
			f()
		}
	}
}

// TestStricter: settings that change while the authority is being asked count at
// the deletion, and the stricter of both win (DLS-38, INV-10).
func TestStricter(t *testing.T) {
	all := newleaf.AllRules()
	rules := func(r ...newleaf.Rule) func(*newleaf.DeletionPolicy) {
		return func(p *newleaf.DeletionPolicy) { p.Rules = r }
	}
	for _, tt := range []struct {
		name          string
		order         newleaf.Order
		before, after func(*newleaf.DeletionPolicy)
		gone          []string
	}{
		{"control: nothing changes", newleaf.OrderAfter, rules(all...), rules(all...), []string{"Old", "Xyz1"}},
		{"control: nothing changes, on response", newleaf.OrderOnResponse, rules(all...), rules(all...), []string{"Old", "Xyz1"}},
		{"DLS-38 switched off", newleaf.OrderAfter, rules(all...), func(p *newleaf.DeletionPolicy) { p.Auto = false }, nil},
		{"DLS-38 switched off, on response", newleaf.OrderOnResponse, rules(all...), func(p *newleaf.DeletionPolicy) { p.Auto = false }, nil},
		{"INV-10 a rule fewer", newleaf.OrderAfter, rules(all...), rules(newleaf.RuleReplaced), []string{"Xyz1"}},
		{"INV-10 a rule fewer, on response", newleaf.OrderOnResponse, rules(all...), rules(newleaf.RuleReplaced), []string{"Xyz1"}},
		{"INV-10 a rule more", newleaf.OrderAfter, rules(newleaf.RuleReplaced), rules(all...), []string{"Xyz1"}},
		{"INV-10 a rule more, on response", newleaf.OrderOnResponse, rules(newleaf.RuleReplaced), rules(all...), []string{"Xyz1"}},
		{"INV-10 a threshold that is not reached", newleaf.OrderOnResponse, rules(all...), func(p *newleaf.DeletionPolicy) { p.Threshold = 8 }, nil},
		{"INV-10 other rules", newleaf.OrderAfter, rules(newleaf.RuleReplaced), rules(newleaf.RuleNoPurpose), nil},
		{"INV-10 switched on", newleaf.OrderAfter, func(p *newleaf.DeletionPolicy) { p.Auto = false }, rules(all...), nil},
	} {
		for _, point := range []string{"request.sending", "prove.seen"} {
			if point != "request.sending" && tt.order == newleaf.OrderOnResponse {
				continue // by then it has deleted
			}
			t.Run(tt.name+" at "+point, func(t *testing.T) {
				t.Parallel()
				d := newDevice(t, ca.Options{}, unused)
				set := func(change func(*newleaf.DeletionPolicy)) {
					d.deleting(func(p *newleaf.DeletionPolicy) { p.Rules, p.Order = all, tt.order; change(p) })
				}
				set(tt.before)
				d.at(point, func() { set(tt.after) })
				i, yes := issueOf("Xyz4", newleaf.TLS), true
				i.ApplyDeletion = &yes
				_, err := d.Issue(context.Background(), i)
				must(t, err)
				d.tick()
				d.stands(d.last(), newleaf.PhaseDone, fine)
				gone := d.deletedBy()
				if len(gone) != len(tt.gone) {
					t.Errorf("deleted are %v, want %v", gone, tt.gone)
				}
				for _, name := range tt.gone {
					if gone[name] == "" {
						t.Errorf("%s is still there", name)
					}
				}
			})
		}
	}
}

// TestStillUnused: what a person does between the plan and its deletion counts
// (AMB-53).
func TestStillUnused(t *testing.T) {
	for _, tt := range []struct {
		name, point string
		act         func(*device)
		kept        newleaf.Reason // of Old
		holds       []string
	}{
		{"control", "delete", func(*device) {}, "", []string{"Xyz2:ipsec", "Xyz3:dot1x", "Xyz4:tls"}},
		{"DEL-19 pinned while the authority is asked", "request.sending", func(d *device) {
			_, err := d.Pin(context.Background(), "Old", true)
			must(d.t, err)
		}, newleaf.KeepPinned, []string{"Xyz2:ipsec", "Xyz3:dot1x", "Old", "Xyz4:tls"}},
		{"DEL-19 pinned between judgment and deletion", "delete.judged", func(d *device) {
			_, err := d.Pin(context.Background(), "Old", true)
			must(d.t, err)
		}, newleaf.KeepPinned, []string{"Xyz2:ipsec", "Xyz3:dot1x", "Old", "Xyz4:tls"}},
		{"AMB-53 given a purpose between judgment and deletion", "delete.judged", func(d *device) {
			_, err := d.SetPurposes(context.Background(), "Old", []newleaf.Purpose{newleaf.IPsec})
			must(d.t, err)
		}, newleaf.KeepInUse, []string{"Xyz2", "Xyz3:dot1x", "Old:ipsec", "Xyz4:tls"}},
		{"AMB-53 PUR-08 the purpose is given back before the deletion", "delete", func(d *device) {
			_, err := d.SetPurposes(context.Background(), "Xyz1", []newleaf.Purpose{newleaf.TLS})
			must(d.t, err)
		}, "", []string{"Xyz1:tls", "Xyz2:ipsec", "Xyz3:dot1x", "Xyz4"}},
		{"deleted by hand meanwhile", "delete.judged", func(d *device) {
			must(d.t, d.Delete(context.Background(), "Old", false))
		}, "", []string{"Xyz2:ipsec", "Xyz3:dot1x", "Xyz4:tls"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			d := newDevice(t, ca.Options{}, unused)
			d.deleting(nil, newleaf.RuleReplaced, newleaf.RuleNoPurpose)
			old := d.named("Old").ID
			d.at(tt.point, func() { tt.act(d) })
			r := d.issue("Xyz4", newleaf.TLS)
			d.stands(r, newleaf.PhaseDone, fine)
			d.tick()
			d.holds(tt.holds...)
			if why := d.spared(old); why != tt.kept {
				t.Errorf("Old is kept for %q, want %q", why, tt.kept)
			}
			if info, err := d.Deletion(context.Background()); err != nil || len(info.Owed) != 0 {
				t.Errorf("%v are still owed (%v)", info.Owed, err)
			}
			d.whole()
		})
	}
}

// TestSpared: what a rule hits and a guard keeps is told with its reason (DLS-30,
// INV-11, INV-12).
func TestSpared(t *testing.T) {
	fill := func(d *device, p *agent.Provision) {
		fx17A(d, p)
		d.add(p, "Plain", newleaf.Factory, start.AddDate(-2, 0, 0), start.AddDate(1, 0, 0))
		d.add(p, "Pinned", newleaf.Factory, start.AddDate(-2, 0, 0), start.AddDate(1, 0, 0))
		d.add(p, "Self", newleaf.Generated, start.AddDate(-2, 0, 0), start.AddDate(1, 0, 0), "tls:portal")
		d.add(p, "Bought", newleaf.Imported, start.AddDate(-2, 0, 0), start.AddDate(1, 0, 0))
		p.Certificates[4].Pinned = true
		for i := range p.Certificates { // factory certificates carry the keys of others here and there
			if p.Certificates[i].Name == "Plain" {
				other := newleaftest.Issue(d.t, nil, p.Certificates[i].Key, newleaftest.Template(d.t, "CN=Twin", start.AddDate(-1, 0, 0), start.AddDate(1, 0, 0)))
				p.Certificates = append(p.Certificates, agent.Provisioned{Key: other.Key,
					Certificate: newleaf.Certificate{Name: "Twin", DER: other.Certificate.Raw, Origin: newleaf.Imported, Added: start}})
			}
		}
	}
	d := newDevice(t, ca.Options{}, fill)
	d.deleting(nil, newleaf.AllRules()...)
	ids := map[string]newleaf.ID{}
	for _, name := range []string{"Plain", "Pinned", "Self", "Bought", "Twin", "Xyz2"} {
		ids[name] = d.named(name).ID
	}
	d.issue("Xyz4", newleaf.TLS)
	d.holds("Xyz2:ipsec", "Xyz3:dot1x", "Plain", "Pinned", "Self:tls:portal", "Bought", "Twin", "Xyz4:tls")
	for name, want := range map[string]newleaf.Reason{
		"Pinned": newleaf.KeepPinned, "Self": newleaf.KeepInUse, "Bought": newleaf.KeepImported, "Twin": newleaf.KeepImported, "Plain": newleaf.KeepSharedKey, "Xyz2": "",
	} {
		if have := d.spared(ids[name]); have != want {
			t.Errorf("%s is kept for %q, want %q", name, have, want)
		}
	}
	// DLS-32: by hand the twin may go; its key stays, as it serves Plain.
	must(t, d.Delete(context.Background(), "Twin", false))
	if d.named("Plain").ID == "" || len(d.holding().Keys) != 7 {
		t.Errorf("%d keys are left", len(d.holding().Keys))
	}
}

// TestPinnedRejected: what a person has pinned is not destroyed, though its proof
// fails time and again (INV-11).
func TestPinnedRejected(t *testing.T) {
	for _, pinned := range []bool{false, true} {
		d := newDevice(t, ca.Options{}, fx17A)
		d.targets[newleaf.TLS].says = newleaf.EvidenceRefused
		r := d.issue("Xyz4", newleaf.TLS)
		_, err := d.Pin(context.Background(), "Xyz4", pinned)
		must(t, err)
		for range 3 {
			d.after(day)
		}
		d.stands(d.renewal(r.ID), newleaf.PhaseFailed, newleaf.CodeNotProven)
		if pinned {
			d.holds("Xyz1:tls", "Xyz2:ipsec", "Xyz3:dot1x", "Xyz4")
		} else {
			d.holds("Xyz1:tls", "Xyz2:ipsec", "Xyz3:dot1x")
		}
	}
}

// TestOnlyCredential: what alone can enroll again through a connection stays
// (INV-14).
func TestOnlyCredential(t *testing.T) {
	fill := func(d *device, p *agent.Provision) {
		other := newleaf.NewConnection("other")
		other.URL = "http://other.example/scep"
		p.Connections = append(p.Connections, other)
		vendor := newleaftest.CACertificate(d.t, "CN=Vendor", start.AddDate(-1, 0, 0), start.AddDate(20, 0, 0), nil)
		birth := newleaftest.Certificate(d.t, "CN=Birth", start.AddDate(-1, 0, 0), start.AddDate(20, 0, 0), &vendor)
		p.Certificates = append(p.Certificates, agent.Provisioned{Key: birth.Key,
			Certificate: newleaf.Certificate{Name: "Birth", DER: birth.Certificate.Raw, Origin: newleaf.Factory}})
	}
	d := newDevice(t, ca.Options{}, fill)
	d.deleting(nil, newleaf.RuleFactory)
	birth := d.named("Birth").ID
	d.issue("Xyz1", newleaf.TLS)
	d.holds("Birth", "Xyz1:tls")
	if why := d.spared(birth); why != newleaf.KeepCredential {
		t.Errorf("it is kept for %q", why)
	}
	must(t, d.RemoveConnection(context.Background(), "other"))
	d.issue("Xyz2", newleaf.TLS)
	d.holds("Xyz1", "Xyz2:tls")
}

// TestUnverified: a successor whose issuer is not verified does not cost the one
// in use its life (DLS-41, AMB-39).
func TestUnverified(t *testing.T) {
	for _, verified := range []bool{true, false} {
		d := newDevice(t, ca.Options{}, unused)
		d.deleting(nil, newleaf.RuleReplaced, newleaf.RuleNoPurpose)
		old := d.named("Xyz1").ID
		if !verified {
			d.dial = func(c newleaf.Connection) (enroll.Client, error) {
				client, err := d.authority.Dial(c)
				return stranger{client, t, d}, err
			}
		}
		i := issueOf("Xyz4", newleaf.TLS)
		i.Verify = verified
		_, err := d.Issue(context.Background(), i)
		must(t, err)
		d.tick()
		d.stands(d.last(), newleaf.PhaseDone, fine)
		if verified {
			d.holds("Xyz2:ipsec", "Xyz3:dot1x", "Xyz4:tls")
			continue
		}
		d.holds("Xyz1", "Xyz2:ipsec", "Xyz3:dot1x", "Xyz4:tls")
		if why := d.spared(old); why != newleaf.KeepUnverified {
			t.Errorf("it is kept for %q", why)
		}
	}
}

// stranger issues by another CA than the one that is confirmed.
type stranger struct {
	enroll.Client
	t testing.TB
	d *device
}

func (s stranger) Send(ctx context.Context, r enroll.Request) (enroll.Answer, error) {
	a, err := s.Client.Send(ctx, r)
	if err != nil || len(a.Certificates) == 0 {
		return a, err
	}
	from, to := s.d.now.Add(-time.Hour), s.d.now.Add(day)
	issuer := newleaftest.CACertificate(s.t, "CN=Stranger", from, to, nil)
	a.Certificates = []*x509.Certificate{newleaftest.Issue(s.t, &issuer, r.Key, newleaftest.Template(s.t, "CN=Device001", from, to)).Certificate}
	return a, nil
}
