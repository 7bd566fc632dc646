package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"newleaf"
	"newleaf/internal/deploy/hook"
)

// TestTargets: a user of certificates that could never show that one is in use is
// refused when the agent starts, as nothing would ever be deleted for it.
func TestTargets(t *testing.T) {
	for _, tt := range []struct {
		name, target string
		says         string // "" where it is taken
		proof        int
		accepts      bool
	}{
		{"a proof command", `purpose = "ipsec"` + "\n" + `proof = ["/usr/bin/true"]`, "", 1, false},
		{"accept assumed", `purpose = "tls:portal"` + "\n" + `accept = "assumed"`, "", 0, true},
		{"both", `purpose = "tls:portal"` + "\n" + `accept = "assumed"` + "\n" + `proof = ["/usr/bin/true"]`, "", 1, true},
		{"neither", `purpose = "tls:portal"`, "never show", 0, false},
		{"neither, only a reload", `purpose = "ipsec"` + "\n" + `reload = ["/usr/bin/true"]`, "never show", 0, false},
		{"assumed for ipsec", `purpose = "ipsec"` + "\n" + `accept = "assumed"`, "not possible", 0, false},
		{"assumed for dot1x, with a proof", `purpose = "dot1x"` + "\n" + `accept = "assumed"` + "\n" + `proof = ["/usr/bin/true"]`, "not possible", 0, false},
		{"another word", `purpose = "tls:portal"` + "\n" + `accept = "always"`, "not possible", 0, false},
		{"the listener itself", `purpose = "tls"` + "\n" + `accept = "assumed"`, "already", 0, false},
		{"an unknown purpose", `purpose = "fax"` + "\n" + `accept = "assumed"`, "fax", 0, false},
		{"a group without a folder for it", `purpose = "tls:portal"` + "\n" + `accept = "assumed"` + "\n" + `group = "root"`, "deploy_dir", 0, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "newleaf.toml")
			if err := os.WriteFile(file, []byte("[[target]]\n"+tt.target+"\n"), 0o600); err != nil {
				t.Fatal(err)
			}
			c, err := readConfig(file)
			if err != nil {
				t.Fatal(err)
			}
			all, err := c.targets(newleaf.BuiltinKinds(), t.TempDir())
			if tt.says != "" {
				if e := newleaf.AsError(err); err == nil || !strings.Contains(e.Text+" "+e.Hint, tt.says) {
					t.Errorf("got %v, want it to say %q", err, tt.says)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			for _, target := range all {
				if h := target.(*hook.Target); len(h.Proof) != tt.proof || h.AcceptsAssumed() != tt.accepts {
					t.Errorf("the target is %+v", h)
				}
			}
			if len(all) != 1 {
				t.Errorf("there are %d targets", len(all))
			}
		})
	}
}
