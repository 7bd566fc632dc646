package e2e_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

func TestOneAgent(t *testing.T) {
	d := newDevice(t, filepath.Join(folder(t), "device"))
	d.provision("", fx17A()...)
	d.start()
	t.Run("a second agent on the same state is refused, the first goes on", func(t *testing.T) {
		d.t = t
		refused(t, run(t, "serve", "--state", d.dir, "--listen", "127.0.0.1:0", "--lab", d.labFile()),
			1, `the store is in use by another process.*`, "Stop the other newleaf")
		d.holds("Xyz1:tls", "Xyz2:ipsec", "Xyz3:dot1x", "Old", "Gone", "Bought")
		d.handshake()
	})
	t.Run("an address that is taken is refused", func(t *testing.T) {
		refused(t, run(t, "serve", "--state", filepath.Join(folder(t), "other"), "--listen", d.address),
			2, `the address `+d.address+` cannot be listened on.*`, "--listen")
	})
	t.Run("DM-30 a store in use cannot be provisioned, a used one neither", func(t *testing.T) {
		d.t = t
		file := filepath.Join(d.aside, "again.toml")
		write(t, file, "lab = true\n")
		refused(t, run(t, "provision", "--state", d.dir, file), 1, `the store is in use by another process.*`, "Stop the other newleaf")
		d.stop(t)
		refused(t, run(t, "provision", "--state", d.dir, file), 1, `the store is not empty`, "no agent has used yet")
		d.start()
		d.holds("Xyz1:tls", "Xyz2:ipsec", "Xyz3:dot1x", "Old", "Gone", "Bought")
	})
	t.Run("a second authority on the same folder is refused", func(t *testing.T) {
		a := startAuthority(t, folder(t))
		refused(t, run(t, "ca", "--state", a.dir, "--listen", "127.0.0.1:0"), 1, `another process runs the authority in .*`, "Stop it first")
	})
	t.Run("a lab file on a store that people rely on is refused", func(t *testing.T) {
		refused(t, run(t, "serve", "--state", filepath.Join(folder(t), "real"), "--listen", "127.0.0.1:0", "--lab", d.labFile()),
			1, `was not provisioned for the lab`, "lab = true")
	})
	t.Run("a shipped device takes certificates of the factory only", func(t *testing.T) {
		dir := folder(t)
		newPair(t, nil, "x", day("2026-01-01"), day("2036-01-01")).save(t, filepath.Join(dir, "x"))
		file := filepath.Join(dir, "provision.toml")
		write(t, file, "[[certificate]]\nname = \"x\"\ncert = \"x.pem\"\nkey = \"x.key\"\norigin = \"enrolled\"\n")
		refused(t, run(t, "provision", "--state", filepath.Join(dir, "state"), file), 1, `has origin enrolled, a shipped device only knows factory`, "lab = true")
	})
}

// TestGarbage gives each file that a person writes a mistake. The answer names
// the place and the word that was meant.
func TestGarbage(t *testing.T) {
	lab := newDevice(t, filepath.Join(folder(t), "device"))
	lab.provision("")
	reads := map[string]func(t *testing.T, file string) outcome{
		"config": func(t *testing.T, file string) outcome {
			return run(t, "serve", "--state", filepath.Join(folder(t), "s"), "--listen", "127.0.0.1:0", "--config", file)
		},
		"lab": func(t *testing.T, file string) outcome {
			return run(t, "serve", "--state", lab.dir, "--listen", "127.0.0.1:0", "--lab", file)
		},
		"provision": func(t *testing.T, file string) outcome {
			return run(t, "provision", "--state", filepath.Join(folder(t), "s"), file)
		},
	}
	for _, tt := range []struct {
		file, mistake, text string
		sentence, hint      string
	}{
		{"config", "a misspelled key", "\nlisen = \"127.0.0.1:0\"\n", `FILE, line 2: there is no key "lisen"`, `"listen"`},
		{"config", "a misspelled key in a table", "\n[[target]]\npurpos = \"dot1x\"\n", `FILE, line 3: there is no key "target\.purpos"`, `"purpose"`},
		{"config", "a number for a text", "listen = 7\n", `FILE, line 1, column \d+: the key takes no integer`, ""},
		{"config", "an open quote", "listen = \"127\n", `FILE, line 1, column \d+: .*`, ""},
		{"config", "an unknown purpose", "[[target]]\npurpose = \"dot2x\"\n", `there is no purpose "dot2x"`, "dot1x"},
		{"config", "assumed use for dot1x", "[[target]]\npurpose = \"dot1x\"\naccept = \"assumed\"\n", `accept = "assumed" is not possible for purpose "dot1x"`, "never for dot1x"},
		{"config", "nothing that could prove the use", "[[target]]\npurpose = \"dot1x\"\n", `the target of purpose "dot1x" can never show that a certificate is in use`, "proof command"},
		{"lab", "a misspelled key", "trusted = true\nstop_ad = \"bind\"\n", `FILE, line 2: there is no key "stop_ad"`, `"stop_at"`},
		{"lab", "an unknown point", "stop_at = \"bind.trail\"\n", `a walk has no stop point "bind\.trail"`, `"bind.trial"`},
		{"lab", "no date", "\nnow = \"tomorrow\"\n", `FILE, line 2, column \d+: .*`, ""},
		{"lab", "bytes", "\x01\x02{{{", `FILE, line 1, column \d+: .*`, ""},
		{"provision", "a misspelled key", "lab = true\n\ncapacitty = 3\n", `FILE, line 3: there is no key "capacitty"`, `"capacity"`},
		{"provision", "a misspelled table", "lab = true\n[conection]\nurl = \"x\"\n", `FILE, line 2: there is no key "conection"`, `"connection"`},
		{"provision", "a misspelled key of a certificate", "[[certificate]]\nnam = \"x\"\n", `FILE, line 2: there is no key "certificate\.nam"`, `"name"`},
		{"provision", "a misspelled key of the connection", "[connection]\nurll = \"x\"\n", `there is no key "connection\.urll"`, `"url"`},
		{"provision", "a misspelled key of the deletion", "[deletion]\nautoo = true\n", `there is no key "deletion\.autoo"`, `"auto"`},
		{"provision", "a misspelled key of the reservation", "[reservation]\nbefor = \"14d\"\n", `there is no key "reservation\.befor"`, `"before"`},
		{"provision", "a misspelled rule", "[deletion]\nrules = [\"replacd\"]\n", `deletion\.rules: "replacd" is none of .*`, `"replaced"`},
		{"provision", "no TOML", "not toml at all", `FILE, line 1, column \d+: .*`, ""},
	} {
		t.Run(tt.file+" file: "+tt.mistake, func(t *testing.T) {
			file := filepath.Join(folder(t), tt.file+".toml")
			write(t, file, tt.text)
			refused(t, reads[tt.file](t, file), 2, strings.Replace(tt.sentence, "FILE", regexp.QuoteMeta(file), 1), tt.hint)
		})
	}
	for _, name := range []string{"config", "lab", "provision"} {
		t.Run(name+" file: none", func(t *testing.T) {
			file := filepath.Join(folder(t), "none.toml")
			refused(t, reads[name](t, file), 2, `file cannot be read: open `+file+`: .*`, "")
			if _, err := os.Stat(file); err == nil {
				t.Error("it was made")
			}
		})
	}
}
