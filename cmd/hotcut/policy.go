package main

import (
	"fmt"
	"io"
	"maps"
	"slices"

	"github.com/spf13/cobra"

	"github.com/hotcut/hotcut/migration"
	"github.com/hotcut/hotcut/policy"
)

func newPolicyCmd(a *app) *cobra.Command {
	return group("policy", "See, check, set, copy and repair the policy as a whole",
		newPolicyGetCmd(a), newPolicySetCmd(a), newPolicyLintCmd(a), newPolicyTestCmd(a), newPolicyDiffCmd(a),
		newPolicyExportCmd(a), newPolicyImportCmd(a), newPolicyResyncCmd(a), newPolicyAcceptEpochCmd(a))
}

// policyData is the policy as a whole; the tenants are in `tenant list` and `policy export`.
type policyData struct {
	Head     policy.Head    `json:"head"`
	Globals  policy.Globals `json:"globals"`
	Tenants  int            `json:"tenants"`
	Numbers  int            `json:"numbers"`  // claims
	Warnings []string       `json:"warnings"` // let pass when this rev was made
}

func newPolicyGetCmd(a *app) *cobra.Command {
	var atRev uint64
	cmd := &cobra.Command{
		Use:   "get",
		Short: "Show what holds for all tenants: halt, default, gates, tests",
		Args:  exact(0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			v, err := a.viewAt(cmd.Context(), atRev)
			if err != nil {
				return err
			}
			s := v.Snapshot
			d := policyData{Head: s.Head(), Globals: s.Globals(), Tenants: s.Len(), Numbers: s.Numbers(), Warnings: orEmpty(s.Warnings())}
			r := v.result("Policy", d)
			r.warnings = append(r.warnings, d.Warnings...)
			r.table = func(w io.Writer) { policyTable(w, d) }
			return v.show(a, r)
		},
	}
	a.atRev(cmd, &atRev)
	return cmd
}

func policyTable(w io.Writer, d policyData) {
	fmt.Fprintf(w, "rev\t%d\n", d.Head.Rev)
	fmt.Fprintf(w, "epoch\t%s\n", d.Head.Epoch)
	fmt.Fprintf(w, "chain\t%s\n", d.Head.Chain)
	fmt.Fprintf(w, "root\t%s\n", d.Head.Root)
	fmt.Fprintf(w, "halt\t%s\n", d.Globals.Halt)
	fmt.Fprintf(w, "default\t%s\n", d.Globals.Default)
	fmt.Fprintf(w, "tenants\t%d, %s on numbers\n", d.Tenants, plural(d.Numbers, "claim"))
	for _, name := range slices.Sorted(maps.Keys(d.Globals.Gates)) {
		fmt.Fprintf(w, "gate\t%s: %s\n", name, d.Globals.Gates[name])
	}
	fmt.Fprintf(w, "ready\t%s\n", migration.Ready(d.Globals))
	for i, t := range d.Globals.Tests {
		fmt.Fprintf(w, "test %d\t%s\n", i+1, testWords(t))
	}
}

func testWords(t policy.Test) string {
	s := fmt.Sprintf("%s -> %s expects %s", t.From, t.To, t.Expect)
	if t.Method != "" {
		s = t.Method + " " + s
	}
	if t.Tenant != "" {
		s += " of " + t.Tenant
	}
	if t.Name != "" {
		s = t.Name + ": " + s
	}
	return s
}

func newPolicySetCmd(a *app) *cobra.Command {
	var g globalsFlags
	cmd := a.changing(&cobra.Command{
		Use:     "set",
		Short:   "Set the default of unknown tenants, gates and tests",
		Example: `  hotcut policy set --gate ready=require --tests routing-tests.yaml`,
		Args:    exact(0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if !g.given() {
				return usage(fmt.Errorf("set what?"), "hotcut help policy set")
			}
			edit, err := g.edit()
			if err != nil {
				return err
			}
			by := a.by()
			return a.make(cmd.Context(), migration.SetGlobals(edit, by), false, by, nil)
		},
	})
	g.on(cmd)
	return cmd
}

func newPolicyLintCmd(a *app) *cobra.Command {
	var atRev uint64
	cmd := &cobra.Command{
		Use:   "lint",
		Short: "List what is allowed and probably not meant",
		Args:  exact(0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			v, err := a.viewAt(cmd.Context(), atRev)
			if err != nil {
				return err
			}
			found := v.Snapshot.LintAt(a.now().Unix())
			if found == nil {
				found = []policy.Finding{}
			}
			r := v.result("FindingList", found)
			r.table = func(w io.Writer) {
				if len(found) == 0 {
					fmt.Fprintln(w, "nothing to remark")
				}
				for _, f := range found {
					fmt.Fprintln(w, f)
				}
			}
			return v.show(a, r)
		},
	}
	a.atRev(cmd, &atRev)
	return cmd
}

// testData is what one of the policy's tests gave.
type testData struct {
	Index    int         `json:"index"` // from 1
	Test     policy.Test `json:"test"`
	OK       bool        `json:"ok"`
	Platform string      `json:"platform"`
	Reason   string      `json:"reason"`
	Problem  string      `json:"problem,omitempty"`
}

func newPolicyTestCmd(a *app) *cobra.Command {
	var atRev uint64
	cmd := &cobra.Command{
		Use:   "test",
		Short: "Run the policy's own routing tests",
		Args:  exact(0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			v, err := a.viewAt(cmd.Context(), atRev)
			if err != nil {
				return err
			}
			out, failed := []testData{}, 0
			for _, t := range v.Snapshot.RunTests(a.now().Unix()) {
				d := testData{Index: t.Index + 1, Test: t.Test, OK: t.OK, Platform: t.Decision.Platform.String(), Reason: reasonWords(t.Decision), Problem: t.Problem}
				if !t.OK {
					failed++
				}
				out = append(out, d)
			}
			r := v.result("TestList", out)
			r.table = func(w io.Writer) { testTable(w, out) }
			if failed > 0 {
				err = &failure{exit: exitError, code: "tests_failed", err: fmt.Errorf("%d of %s failed", failed, plural(len(out), "test")), next: []string{"hotcut policy get"}}
			}
			return join(v.show(a, r), err)
		},
	}
	a.atRev(cmd, &atRev)
	return cmd
}

func testTable(w io.Writer, tests []testData) {
	if len(tests) == 0 {
		fmt.Fprintln(w, "the policy has no tests")
		return
	}
	for _, t := range tests {
		verdict := "ok"
		if !t.OK {
			verdict = "FAILED: " + t.Problem
		}
		fmt.Fprintf(w, "%d\t%s\t%s\n", t.Index, testWords(t.Test), verdict)
	}
}
