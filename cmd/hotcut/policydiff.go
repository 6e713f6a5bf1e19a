package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/hotcut/hotcut/migration"
	"github.com/hotcut/hotcut/policy"
)

// diffData is how two policies differ.
type diffData struct {
	From    string   `json:"from"`
	To      string   `json:"to"`
	Tenants []step   `json:"tenants"`
	Globals []string `json:"globals"` // JSON names of what differs
}

func newPolicyDiffCmd(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "diff [A [B]]",
		Short: "Compare two revs, or a rev with an exported file",
		Long: `Diff compares A with B: revs, or files of ` + "`hotcut policy export`" + `. B is the present policy when it is not named, and A the
rev before it.`,
		Args: between(0, 2),
		RunE: func(cmd *cobra.Command, args []string) error { return a.diff(cmd.Context(), args) },
	}
}

func (a *app) diff(ctx context.Context, args []string) error {
	v, err := a.viewAt(ctx, 0)
	if err != nil {
		return err
	}
	from, to := fmt.Sprint(max(v.Snapshot.Rev(), 2)-1), fmt.Sprint(v.Snapshot.Rev())
	if len(args) > 0 {
		from = args[0]
	}
	if len(args) > 1 {
		to = args[1]
	}
	one, err := a.policyOf(ctx, v, from)
	if err != nil {
		return err
	}
	two, err := a.policyOf(ctx, v, to)
	if err != nil {
		return err
	}
	d := diffData{From: from, To: to, Tenants: []step{}, Globals: orEmpty(migration.AlteredGlobals(one.Globals(), two.Globals()))}
	for _, tc := range migration.Difference(one, two) {
		d.Tenants = append(d.Tenants, step{ID: tc.ID, From: migration.Describe(tc.Before), To: migration.Describe(tc.After), Fields: orEmpty(migration.Altered(tc.Before, tc.After))})
	}
	r := v.result("PolicyDiff", d)
	r.table = func(w io.Writer) { diffTable(w, d) }
	return v.show(a, r)
}

// policyOf reads a policy by rev or from a file.
func (a *app) policyOf(ctx context.Context, v *seen, name string) (*policy.Snapshot, error) {
	rev, err := strconv.ParseUint(name, 10, 64)
	if err != nil {
		return readPolicy(name)
	}
	if rev == v.Snapshot.Rev() {
		return v.Snapshot, nil
	}
	if v.Gone != nil {
		return nil, v.Gone
	}
	e, err := a.eng()
	if err != nil {
		return nil, err
	}
	return a.loadAt(ctx, e, rev)
}

// readPolicy reads what `policy export` wrote.
func readPolicy(name string) (*policy.Snapshot, error) {
	b, err := readInput(name)
	if err != nil {
		if os.IsNotExist(err) {
			return nil, usage(fmt.Errorf("%s is neither a rev nor a file", name))
		}
		return nil, err
	}
	s, err := policy.Decode(bytes.NewReader(b))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return s, nil
}

func diffTable(w io.Writer, d diffData) {
	if len(d.Tenants) == 0 && len(d.Globals) == 0 {
		fmt.Fprintf(w, "%s and %s say the same\n", d.From, d.To)
		return
	}
	for _, name := range d.Globals {
		fmt.Fprintf(w, "globals\t%s\n", name)
	}
	for _, t := range d.Tenants {
		what := strings.Join(t.Fields, ", ")
		switch {
		case t.From == "absent":
			what = "added, " + t.To
		case t.To == "absent":
			what = "removed"
		case t.From != t.To:
			what = fmt.Sprintf("%s -> %s (%s)", t.From, t.To, what)
		}
		fmt.Fprintf(w, "%s\t%s\n", t.ID, what)
	}
}
