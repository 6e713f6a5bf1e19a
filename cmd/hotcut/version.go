package main

import (
	"cmp"
	"fmt"
	"io"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"

	"github.com/hotcut/hotcut/policy"
)

// versionData says what this program is.
type versionData struct {
	Build  string `json:"build"`
	Schema int    `json:"schema"` // of policy records
	Go     string `json:"go"`
	OS     string `json:"os"`
}

func newVersionCmd(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Say what this program is",
		Args:  exact(0),
		RunE: func(*cobra.Command, []string) error {
			d := versionData{Build: build(), Schema: policy.Schema, Go: runtime.Version(), OS: runtime.GOOS + "/" + runtime.GOARCH}
			return a.show(result{kind: "Version", fresh: live, data: d, table: func(w io.Writer) {
				fmt.Fprintf(w, "hotcut %s   policy schema %d   %s   %s\n", d.Build, d.Schema, d.Go, d.OS)
			}})
		},
	}
}

// build is the module's version, or the commit that it was built from.
func build() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	rev, dirty := "", ""
	for _, s := range info.Settings {
		switch s.Key {
		case "vcs.revision":
			rev = s.Value[:min(12, len(s.Value))]
		case "vcs.modified":
			if s.Value == "true" {
				dirty = "+changes"
			}
		}
	}
	if rev != "" {
		return rev + dirty
	}
	return cmp.Or(info.Main.Version, "unknown")
}
