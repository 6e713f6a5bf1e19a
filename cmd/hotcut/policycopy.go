package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"

	"github.com/spf13/cobra"

	"github.com/hotcut/hotcut/migration"
	"github.com/hotcut/hotcut/policy"
)

func newPolicyExportCmd(a *app) *cobra.Command {
	var atRev uint64
	cmd := &cobra.Command{
		Use:   "export [FILE]",
		Short: "Write the whole policy as JSON lines, to a file or to stdout",
		Args:  between(0, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			v, err := a.viewAt(cmd.Context(), atRev)
			if err != nil {
				return err
			}
			if len(args) == 0 || args[0] == "-" {
				err := v.Snapshot.Encode(a.out)
				a.conf.Output = "table" // the export is the answer; an error is told on stderr
				return join(err, v.show(a, result{}))
			}
			if err := writeWhole(args[0], v.Snapshot.Encode); err != nil {
				return err
			}
			r := v.result("Export", map[string]any{"file": args[0], "tenants": v.Snapshot.Len()})
			r.table = func(w io.Writer) {
				fmt.Fprintf(w, "rev %d, %s in %s\n", v.Head.Rev, plural(v.Snapshot.Len(), "tenant"), args[0])
			}
			return v.show(a, r)
		},
	}
	a.atRev(cmd, &atRev)
	return cmd
}

// writeWhole puts a file in place only when it is complete.
func writeWhole(name string, write func(io.Writer) error) error {
	tmp, err := os.CreateTemp(filepath.Dir(name), ".hotcut-*")
	if err != nil {
		return err
	}
	defer os.Remove(tmp.Name()) // after the rename there is nothing of that name
	if err := join(write(tmp), tmp.Close()); err != nil {
		return err
	}
	return os.Rename(tmp.Name(), name)
}

func newPolicyImportCmd(a *app) *cobra.Command {
	var fresh bool
	cmd := a.changing(&cobra.Command{
		Use:   "import FILE",
		Short: "Make the policy say what an exported file says, missing tenants included",
		Long: `Import compares the file of ` + "`hotcut policy export`" + ` with the present policy and commits the difference as one change; whom it
moves towards core meets the gates. With --new it starts a lineage of its own in an empty store.`,
		Args: exact(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			b, err := readInput(args[0])
			if err != nil {
				return err
			}
			s, err := policy.Decode(bytes.NewReader(b))
			if err != nil {
				return fmt.Errorf("%s: %w", args[0], err)
			}
			by := a.by()
			if !fresh {
				return a.make(cmd.Context(), migration.Replace(s, by), false, by, func(out *migration.Outcome) string {
					return plural(len(out.Plan.Change.Tenants), "tenant") + " changed"
				})
			}
			return a.importNew(cmd, s, by)
		},
	})
	cmd.Flags().BoolVar(&fresh, "new", false, "start a lineage of its own in an empty store")
	return cmd
}

func (a *app) importNew(cmd *cobra.Command, s *policy.Snapshot, by migration.Author) error {
	e, err := a.eng()
	if err != nil {
		return err
	}
	var tenants []*policy.Tenant
	for r := range s.All() {
		tenants = append(tenants, r.Tenant)
	}
	if a.change.dryRun {
		return a.show(result{kind: "Plan", fresh: live, data: map[string]any{"dryRun": true, "tenants": len(tenants)}, table: func(w io.Writer) {
			fmt.Fprintf(w, "would start a lineage with %s\ndry run: nothing was changed\n", plural(len(tenants), "tenant"))
		}})
	}
	out, err := e.Init(cmd.Context(), s.Globals(), slices.Clip(tenants), by)
	if err != nil {
		return err
	}
	late := a.follow(cmd.Context(), e, out)
	return join(a.showOutcome(out, nil, func(out *migration.Outcome) string {
		return initWords(out) + "   " + plural(len(tenants), "tenant")
	}), late)
}
