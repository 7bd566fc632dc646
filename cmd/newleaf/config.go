package main

import (
	"os"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"newleaf"
	"newleaf/internal/deploy"
	"newleaf/internal/deploy/hook"
)

// config is the file of the machine's owner: what is fixed on this machine, and
// above all every command that newleaf may run.
type config struct {
	Listen      string          `toml:"listen"`       // of the HTTPS listener
	Device      string          `toml:"device"`       // name shown to people; default the host name
	DeployDir   string          `toml:"deploy_dir"`   // where files for targets go; default STATE/deploy
	Restart     []string        `toml:"restart"`      // argv that restarts the device; none: newleaf starts itself anew
	AllowExport bool            `toml:"allow_export"` // exportable private keys may be exported
	TrustClock  bool            `toml:"trust_clock"`  // the clock has a battery; no time service is needed to believe it
	Purposes    []purposeConfig `toml:"purpose"`
	Targets     []targetConfig  `toml:"target"`
}

// purposeConfig adds a kind of purpose (PUR-12).
type purposeConfig struct {
	Name  string   `toml:"name"`
	Label string   `toml:"label"`
	EKU   []string `toml:"eku"`  // object identifiers, any of which fits
	Need  string   `toml:"need"` // live, reload or restart
}

// targetConfig is a user of certificates that reads files.
type targetConfig struct {
	Purpose string   `toml:"purpose"`
	Reload  []string `toml:"reload"` // argv, no shell
	Proof   []string `toml:"proof"`  // argv; exit 0 proves the use, 1 refuses it
	Need    string   `toml:"need"`
	Accept  string   `toml:"accept"` // "assumed": no proof is needed to delete the predecessor
	Group   string   `toml:"group"`  // may read the key
}

func readConfig(path string) (config, error) {
	var c config
	if path == "" {
		return c, nil
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return c, newleaf.Errorf(newleaf.CodeInvalid, "the configuration file cannot be read: %w", err)
	}
	return c, decodeTOML(path, data, &c)
}

// kinds are the built-in purposes and the configured ones.
func (c config) kinds() (newleaf.Kinds, error) {
	kinds := newleaf.BuiltinKinds()
	for _, p := range c.Purposes {
		k := newleaf.Kind{Name: newleaf.Purpose(p.Name), Label: p.Label, EKU: p.EKU, Need: newleaf.Need(p.Need)}
		if k.Label == "" {
			k.Label = strings.ToUpper(p.Name)
		}
		if k.Need == "" {
			k.Need = newleaf.NeedReload
		}
		if _, known := kinds.Find(k.Name); known || strings.Trim(p.Name, "abcdefghijklmnopqrstuvwxyz0123456789-") != "" || slices.Contains([]string{"", "all", "none"}, p.Name) {
			return nil, newleaf.Errorf(newleaf.CodeInvalid, "the configured purpose %q is known already or is no name of small letters, digits and dashes", p.Name)
		}
		if err := validNeed(p.Need); err != nil {
			return nil, err
		}
		kinds = append(kinds, k)
	}
	return kinds, nil
}

// targets are the configured users of certificates; the HTTPS listener is added
// by the caller.
func (c config) targets(kinds newleaf.Kinds, state string) (map[newleaf.Purpose]deploy.Target, error) {
	dir := c.DeployDir
	if dir == "" {
		dir = filepath.Join(state, "deploy")
	}
	out := map[newleaf.Purpose]deploy.Target{}
	for _, t := range c.Targets {
		p := newleaf.Purpose(t.Purpose)
		if err := kinds.Check([]newleaf.Purpose{p}); err != nil {
			return nil, err
		}
		if p == newleaf.TLS || out[p] != nil {
			return nil, newleaf.Errorf(newleaf.CodeInvalid, "purpose %q has a target already", p).
				WithHint("tls is served by newleaf itself; give another program an instance of its own, such as tls:portal.")
		}
		if err := validNeed(t.Need); err != nil {
			return nil, err
		}
		assumed := t.Accept == "assumed"
		if t.Accept != "" && !assumed || assumed && (p.Kind() == newleaf.Dot1X || p.Kind() == newleaf.IPsec) {
			return nil, newleaf.Errorf(newleaf.CodeInvalid, "accept = %q is not possible for purpose %q", t.Accept, p).
				WithHint("Only \"assumed\" is known, and never for dot1x and ipsec: a wrong guess takes the device off the network.")
		}
		if !assumed && len(t.Proof) == 0 {
			return nil, newleaf.Errorf(newleaf.CodeInvalid, "the target of purpose %q can never show that a certificate is in use", t.Purpose).
				WithHint("Give it a proof command, or accept = \"assumed\" where the purpose allows that.")
		}
		if t.Group != "" && c.DeployDir == "" {
			return nil, newleaf.Errorf(newleaf.CodeInvalid, "the group of purpose %q cannot reach files inside the state folder", t.Purpose).
				WithHint("Set deploy_dir to a folder that it may enter.")
		}
		group, err := groupID(t.Group)
		if err != nil {
			return nil, err
		}
		name := strings.ReplaceAll(t.Purpose, ":", "@")
		out[p] = &hook.Target{Dir: filepath.Join(dir, name), Reload: t.Reload, Proof: t.Proof, Group: group, Takes: newleaf.Need(t.Need), Accepted: assumed}
	}
	return out, nil
}

func validNeed(n string) error {
	return among(n, []string{"", string(newleaf.NeedLive), string(newleaf.NeedReload), string(newleaf.NeedRestart)})
}

func groupID(name string) (int, error) {
	if name == "" {
		return -1, nil
	}
	g, err := user.LookupGroup(name)
	if err != nil {
		return -1, newleaf.Errorf(newleaf.CodeInvalid, "there is no group %q: %w", name, err)
	}
	id, err := strconv.Atoi(g.Gid)
	if err != nil {
		return -1, newleaf.Errorf(newleaf.CodeInvalid, "reading the group %q: %w", name, err)
	}
	return id, nil
}
