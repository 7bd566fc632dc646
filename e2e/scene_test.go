package e2e_test

import (
	"crypto/sha256"
	"crypto/tls"
	"encoding/hex"
	"encoding/pem"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// scene is a story that a kill may interrupt: a prepared store with its
// authority, and the command that starts a walk.
type scene struct {
	name     string
	begin    func(d *device) []string
	prepare  func(t testing.TB, d *device, a *authority) // the store, stopped again
	config   func(dir string) string                     // TOML of the machine's owner
	replaced string                                      // the certificate whose successor comes
	ends     map[string][]string                         // by order: the store at the end
	never    []string                                    // the points that no walk of it passes
	destroys map[string]string                           // by order: the step that destroys keys first
}

// issueScene is Fig. 13A on the store of Fig. 17A: a password that is forgotten
// as soon as it has served, and TLS moving to the new certificate.
func issueScene() scene {
	return scene{
		name:     "issue",
		prepare:  func(_ testing.TB, d *device, a *authority) { d.provision(connected(a), fx17A()...) },
		begin:    func(d *device) []string { return d.issuing("Xyz4", "tls", "--wait", "0s") },
		replaced: "Xyz1",
		ends:     always("Xyz2:ipsec", "Xyz3:dot1x", "Bought", "Xyz4:tls"),
		never:    []string{"restart.wanted", "restart.noted", "prove.back"},
		destroys: map[string]string{"after": "keep", "on-response": "request", "before": "room"},
	}
}

// updateScene updates one certificate that serves three purposes at once: live
// (tls), through files (tls:portal) and read at the start only (dot1x).
func updateScene() scene {
	return scene{
		name: "update",
		config: func(dir string) string {
			return fmt.Sprintf("restart = [\"touch\", %q]\n[[target]]\npurpose = \"tls:portal\"\naccept = \"assumed\"\n", restartMark(dir))
		},
		prepare: func(t testing.TB, d *device, a *authority) {
			others := slices.DeleteFunc(fx17A(), func(e entry) bool { return e.name == "Xyz1" || e.name == "Xyz3" })
			d.provision(connected(a), others...)
			d.start()
			d.do(d.issuing("Xyz1", "tls,tls:portal,dot1x", "--apply-deletion=no")...)
			d.restart()
			eventually(t, "the first issuance ends", func() bool { return !d.renewals()[0].open() })
			d.stop(t)
		},
		begin:    func(*device) []string { return []string{"update", "run", "Xyz1", "--wait", "0s"} },
		replaced: "Xyz1",
		ends:     always("Xyz2:ipsec", "Bought", "Xyz1-2:dot1x,tls,tls:portal"),
		never:    []string{"prove.back"},
		destroys: map[string]string{"after": "delete", "on-response": "request", "before": "room"},
	}
}

// refusedScene gives dot1x to a program that refuses the new certificate: the old
// one is put back.
func refusedScene() scene {
	s := issueScene()
	s.name = "refused"
	s.config = func(string) string {
		return "[[target]]\npurpose = \"dot1x\"\nneed = \"reload\"\nproof = [\"false\"]\n"
	}
	s.begin = func(d *device) []string { return d.issuing("Xyz4", "dot1x", "--wait", "0s") }
	s.replaced = ""                                                           // nothing may be
	s.ends = always("Xyz1:tls", "Xyz2:ipsec", "Xyz3:dot1x", "Bought", "Xyz4") // what was unused went early
	s.ends["after"] = []string{"Xyz1:tls", "Xyz2:ipsec", "Xyz3:dot1x", "Old", "Gone", "Bought", "Xyz4"}
	s.never = []string{"restart.wanted", "restart.noted", "prove.done", "delete", "delete.judged", "delete.done"}
	return s
}

// always is the same in every order.
func always(store ...string) map[string][]string {
	return map[string][]string{"after": store, "on-response": store, "before": store}
}

// restartMark is touched where a device would restart.
func restartMark(dir string) string { return filepath.Join(dir, "restart") }

// stage is a scene set up for one order.
type stage struct {
	scene
	order string
	dir   string // holds device and ca, both stopped
}

// build makes the state that every run of the scene in this order starts from.
func (s scene) build(t testing.TB, order string) stage {
	t.Helper()
	dir := folder(t)
	a := startAuthority(t, filepath.Join(dir, "ca"))
	d := newDevice(t, filepath.Join(dir, "device"))
	d.config = s.owner(t, dir)
	s.prepare(t, d, a)
	d.start()
	d.do("deletion", "set", "--order", order)
	d.stop(t)
	a.stop(t)
	return stage{s, order, dir}
}

func (s scene) owner(t testing.TB, dir string) string {
	if s.config == nil {
		return ""
	}
	path := filepath.Join(dir, "newleaf.toml")
	write(t, path, s.config(dir))
	return path
}

// play is one run of a stage.
type play struct {
	stage
	t      testing.TB
	d      *device
	a      *authority
	mark   string // restartMark
	before int    // certificates that the authority had issued
	served []string
}

// open copies the stage and starts its two programs; the agent will kill itself
// at point, "" for never.
func (s stage) open(t testing.TB, point string) *play {
	t.Helper()
	dir := folder(t)
	must(t, "cp", "-a", s.dir+"/.", dir)
	p := &play{stage: s, t: t, mark: restartMark(dir)}
	p.a = startAuthority(t, filepath.Join(dir, "ca"))
	p.d = newDevice(t, filepath.Join(dir, "device"))
	p.d.config = s.owner(t, dir)
	p.d.lab("trusted = true", fmt.Sprintf("stop_at = %q", point))
	p.d.start()
	p.d.do("connection", "set", "--url", p.a.url)
	p.before = len(p.a.register())
	p.served = []string{p.d.handshake()}
	return p
}

// restartWanted does what the restart command would do to the whole machine.
func (p *play) restartWanted() {
	if os.Remove(p.mark) == nil && p.d.running() {
		p.d.stop(p.t)
		p.d.try()
	}
}

// ending is what a run left.
type ending struct {
	Store    []string // names with purposes, origin and state
	Bindings []string // what plays which part for each purpose, by name
	Phase    string   // of the renewal
	Deleted  []string
}

// finish waits until the walk is through and looks at what it left.
func (p *play) finish() ending {
	p.t.Helper()
	eventually(p.t, "the walk comes to its end", func() bool {
		p.restartWanted()
		p.observe()
		rs, answered := look[[]renewal](p.d, "/updates")
		return answered && len(rs) > 0 && (!rs[len(rs)-1].open() || rs[len(rs)-1].Phase == "retry")
	})
	rs := p.d.renewals()
	return p.ending(rs[len(rs)-1])
}

func (p *play) ending(r renewal) ending {
	names, e := map[string]string{"": "nobody"}, ending{Phase: r.Phase}
	for _, c := range p.d.certificates() {
		names[c.ID] = c.Name
		e.Store = append(e.Store, fmt.Sprintf("%s %v %s %q inUse=%t", c.Name, c.Purposes, c.Origin, c.State, c.InUse))
	}
	for _, b := range ask[status](p.d, "status").Purposes {
		e.Bindings = append(e.Bindings, fmt.Sprintf("%s: %s, on trial %s, before %s, loaded %s",
			b.Purpose, names[b.Certificate], names[b.Trial], names[b.Previous], names[b.Loaded]))
	}
	for _, x := range r.Deleted {
		e.Deleted = append(e.Deleted, x.Name+" "+x.Rule)
	}
	slices.Sort(e.Deleted)
	return e
}

// observe checks what has to hold at every moment (INV-09, INV-01): each
// purpose has one holder, and nobody in use is missing.
func (p *play) observe() {
	p.t.Helper()
	cs, answered := look[[]certificate](p.d, "/certificates")
	if !answered {
		return
	}
	holders := map[string][]string{}
	for _, c := range cs {
		for _, purpose := range c.Purposes {
			holders[purpose] = append(holders[purpose], c.Name)
		}
	}
	for _, purpose := range []string{"tls", "ipsec", "dot1x"} {
		if len(holders[purpose]) != 1 {
			p.t.Fatalf("%s is held by %q", purpose, holders[purpose])
		}
	}
	if !slices.Equal(holders["ipsec"], []string{"Xyz2"}) {
		p.t.Fatalf("ipsec went to %q", holders["ipsec"])
	}
	held := func(name string) bool {
		return slices.ContainsFunc(cs, func(c certificate) bool { return c.Name == name && c.State == "" })
	}
	if !held("Xyz1") && !held(holders["tls"][0]) {
		p.t.Fatalf("Xyz1 is gone before its successor %s was proven", holders["tls"][0])
	}
}

// usable checks that what serves each purpose works: HTTPS shows a certificate of
// the store, and the files for another program are a certificate with its key.
func (p *play) usable() {
	p.t.Helper()
	seen := p.d.handshake()
	known := slices.Contains(p.served, seen)
	for _, c := range p.d.certificates() {
		known = known || c.SHA256 == seen && c.InUse
	}
	if !known {
		p.t.Errorf("HTTPS serves %.8s, which the store does not hold", seen)
	}
	for _, purpose := range []string{"tls-portal", "dot1x"} {
		current := filepath.Join(p.d.dir, "deploy", purpose, "current")
		if _, err := os.Stat(filepath.Dir(current)); err != nil {
			continue
		}
		if _, err := tls.LoadX509KeyPair(filepath.Join(current, "cert.pem"), filepath.Join(current, "key.pem")); err != nil {
			p.t.Errorf("the files of %s: %v", purpose, err)
		}
	}
}

// retired checks at the end that HTTPS and files are those of the holders, and
// that no clear key of another certificate is left.
func (p *play) retired() {
	p.t.Helper()
	holder := map[string]string{}
	for _, c := range p.d.certificates() {
		for _, purpose := range c.Purposes {
			holder[purpose] = c.SHA256
		}
	}
	if seen := p.d.handshake(); seen != holder["tls"] {
		p.t.Errorf("HTTPS serves %.8s, tls is held by %.8s", seen, holder["tls"])
	}
	for dir, purpose := range map[string]string{"tls-portal": "tls:portal", "dot1x": "dot1x"} {
		generations, err := filepath.Glob(filepath.Join(p.d.dir, "deploy", dir, "*", "key.pem"))
		if err != nil {
			p.t.Fatal(err)
		}
		for _, g := range generations {
			text, err := os.ReadFile(filepath.Join(filepath.Dir(g), "cert.pem"))
			if err != nil {
				p.t.Fatal(err)
			}
			block, _ := pem.Decode(text)
			if sum := sha256.Sum256(block.Bytes); hex.EncodeToString(sum[:]) != holder[purpose] {
				p.t.Errorf("a clear key is left in %s", g)
			}
		}
	}
}
