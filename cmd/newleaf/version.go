package main

import (
	"cmp"
	"runtime/debug"

	"github.com/spf13/cobra"
)

// build is what the toolchain stamped into the binary.
type build struct {
	Version  string `json:"version"`
	Revision string `json:"revision"`
	Time     string `json:"time"` // of the revision, RFC 3339; "" where unknown
	Go       string `json:"go"`
}

func buildInfo() build {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return build{Version: "unknown"}
	}
	b := build{Version: cmp.Or(info.Main.Version, "unknown"), Go: info.GoVersion}
	for _, s := range info.Settings {
		switch s.Key {
		case "vcs.revision":
			b.Revision = s.Value
		case "vcs.time":
			b.Time = s.Value
		}
	}
	return b
}

func versionCommand(a *app) *cobra.Command {
	return &cobra.Command{Use: "version", Short: "Show the version of this program",
		Long: `Show version, source revision and Go release of this program. The version of the
running agent stands in "newleaf status".`,
		Example: `  newleaf version
  newleaf version -o json`,
		Args: arguments,
		RunE: func(*cobra.Command, []string) error {
			b := buildInfo()
			return a.print(b, func() *table {
				t := newTable("newleaf", b.Version)
				t.row("revision", b.Revision)
				t.row("time", b.Time)
				t.row("go", b.Go)
				return t
			})
		}}
}
