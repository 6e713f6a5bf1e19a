package main

import (
	"bytes"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/hotcut/hotcut/migration/shadow/compare"
	shadowreport "github.com/hotcut/hotcut/migration/shadow/report"
)

// moreForms is the annotation of a verb that has output forms of its own, by name.
const moreForms = "forms"

// reportFlags are what a report is about.
type reportFlags struct {
	build, out, data string
	since            time.Duration
}

func newShadowReportCmd(a *app) *cobra.Command {
	var f reportFlags
	cmd := &cobra.Command{
		Use:   "report T [-o table|json|md|html] [--out FILE]",
		Short: "Show what core would have done differently, how often, and how sure that is",
		Example: `  hotcut shadow report acme-dental
  hotcut shadow report acme-dental --out acme.html`,
		Args:        exact(1),
		Annotations: map[string]string{moreForms: "md html"},
		RunE: func(cmd *cobra.Command, args []string) error {
			if f.since < 0 {
				return usage(fmt.Errorf("--since %s: write how far back, such as 24h", f.since))
			}
			v, src, err := a.shadowView(cmd.Context(), args[0], f.data)
			if err != nil {
				return err
			}
			defer src.close()
			c, err := src.counts(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			d, err := a.reportOf(c, args[0], &f)
			if err != nil {
				return err
			}
			form := a.formOf(f.out)
			if form != "table" {
				src.examples(cmd.Context(), d)
			}
			return a.giveReport(v, d, form, f.out)
		},
	}
	fl := cmd.Flags()
	fl.StringVar(&f.build, "build", "", "of this build of core (default: the newest)")
	fl.DurationVar(&f.since, "since", 0, "only kinds of difference that were seen in this time")
	fl.StringVar(&f.out, "out", "", "file to write to; its ending (.html, .md, .json) names the form")
	dataFlag(cmd, &f.data)
	cmd.ValidArgsFunction = a.completeTenant
	completeFlag(cmd, "build", a.completeBuilds)
	return cmd
}

// formOf is the form that was asked for, or that a file's name says.
func (a *app) formOf(out string) string {
	if a.form != "" {
		return a.form
	}
	if a.conf.Output == "table" {
		switch filepath.Ext(out) {
		case ".html", ".htm":
			return "html"
		case ".md":
			return "md"
		case ".json":
			return "json"
		}
	}
	return a.conf.Output
}

func (a *app) reportOf(c *counted, tenant string, f *reportFlags) (*shadowreport.Document, error) {
	if t := c.tally.Tenants[tenant]; f.build != "" && t != nil {
		if t.Builds[f.build] == nil {
			err := usage(fmt.Errorf("--build %s: no call was compared on it; there is %s", f.build, list(slices.Sorted(maps.Keys(t.Builds)), 8)))
			return nil, err
		}
		ofBuild(t, f.build)
	}
	d := &shadowreport.Document{Summary: compare.Summarise(c.tally, c.triage, tenant, a.now()), Examples: map[compare.ClusterID]*shadowreport.Pair{}, Notes: append([]string{}, c.notes...)}
	d.Dropped = append(d.Dropped, c.dropped()...)
	if f.since > 0 {
		before := len(d.Clusters)
		d.Clusters = slices.DeleteFunc(d.Clusters, func(x compare.ClusterView) bool { return x.Last < a.now().Add(-f.since).UnixNano() })
		d.Notes = append(d.Notes, fmt.Sprintf("%d of %d kinds of difference were seen in the last %s; the counts are those of all the time", len(d.Clusters), before, f.since))
	}
	return d, nil
}

// ofBuild leaves of a tenant's counts those of one build.
func ofBuild(t *compare.Tenant, build string) {
	maps.DeleteFunc(t.Builds, func(b string, _ *compare.Build) bool { return b != build })
	maps.DeleteFunc(t.Counts, func(_ string, c *compare.Count) bool { return c.Build != build })
	maps.DeleteFunc(t.Times, func(_ string, p *compare.TimePair) bool { return p.Build != build })
	maps.DeleteFunc(t.Clusters, func(_ compare.ClusterID, c *compare.Cluster) bool {
		b := c.Builds[build]
		if b == nil {
			return true
		}
		c.Count, c.First, c.Last = b.Count, b.First, b.Last
		return false
	})
}

// giveReport writes a report to stdout, or to a file.
func (a *app) giveReport(v *seen, d *shadowreport.Document, form, out string) error {
	render := map[string]func(io.Writer, *shadowreport.Document) error{"table": shadowreport.Table, "md": shadowreport.Markdown, "html": shadowreport.HTML}[form]
	res := v.result("ShadowReport", d)
	if render == nil && out == "" {
		return v.show(a, res)
	}
	var b bytes.Buffer
	var err error
	if render != nil {
		err = render(&b, d)
	} else {
		err = encode(&b, form, envelope{APIVersion: apiVersion, Kind: res.kind, Rev: res.rev, Epoch: res.epoch, Freshness: res.fresh, Data: d, Warnings: orEmpty(res.warnings), Next: orEmpty(res.next)})
	}
	if err != nil {
		return err
	}
	if out == "" {
		_, err = a.out.Write(b.Bytes())
		return err
	}
	if err := os.WriteFile(out, b.Bytes(), 0o600); err != nil {
		return err
	}
	a.say("wrote %s (%d bytes)", out, b.Len())
	return nil
}

func newShadowDiffCmd(a *app) *cobra.Command {
	var data, tenant string
	cmd := &cobra.Command{
		Use:   "diff CALL-ID",
		Short: "Show one call on both platforms: what differs, and every message",
		Long: `Diff shows one call: the differences that were found, and the messages of both platforms side by side. It takes the call's
Call-ID, or its token as reports print it (c~...). What is kept is redacted.`,
		Args: exact(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			v, src, err := a.shadowView(cmd.Context(), "", data)
			if err != nil {
				return err
			}
			defer src.close()
			p, err := src.call(cmd.Context(), tenant, args[0])
			if err != nil {
				return err
			}
			if p == nil {
				return hint(fmt.Errorf("no edge that answers keeps the call %.80q: calls are kept for 30 days, on the disk of their edge", args[0]), "hotcut edges")
			}
			r := v.result("ShadowCall", p)
			r.table = func(w io.Writer) {
				_ = shadowreport.Call(w, p) // into memory
			}
			return v.show(a, r)
		},
	}
	cmd.Flags().StringVar(&tenant, "tenant", "", "whose call it is (default: looked for)")
	completeFlag(cmd, "tenant", a.completeTenants)
	dataFlag(cmd, &data)
	return cmd
}
