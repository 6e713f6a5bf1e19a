package main

import (
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/hotcut/hotcut/migration/shadow/compare"
)

// completeTenants offers tenants to the shell.
func (a *app) completeTenants(cmd *cobra.Command, _ []string, typed string) ([]string, cobra.ShellCompDirective) {
	if err := a.configure(cmd); err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	v, err := a.view(cmd.Context())
	if err != nil || v.Snapshot == nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	var ids []string
	for r := range v.Snapshot.All() {
		if strings.HasPrefix(r.Tenant.ID, typed) {
			ids = append(ids, r.Tenant.ID+"\t"+r.Tenant.Name)
		}
	}
	return ids, cobra.ShellCompDirectiveNoFileComp
}

// completeTenant offers a tenant to verbs that take one.
func (a *app) completeTenant(cmd *cobra.Command, args []string, typed string) ([]string, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	return a.completeTenants(cmd, args, typed)
}

// completeEdge offers the edges of the CLI's own list and of the roster.
func (a *app) completeEdge(cmd *cobra.Command, args []string, typed string) ([]string, cobra.ShellCompDirective) {
	if err := a.configure(cmd); err != nil || len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	var names []string
	for _, at := range a.conf.addresses() {
		names = append(names, at.Name)
	}
	if v, err := a.view(cmd.Context()); err == nil {
		for _, n := range v.Nodes {
			names = append(names, n.Edge)
		}
	}
	slices.Sort(names)
	names = slices.DeleteFunc(slices.Compact(names), func(name string) bool { return !strings.HasPrefix(name, typed) })
	return names, cobra.ShellCompDirectiveNoFileComp
}

// completeWords offers the words that a flag takes.
func completeWords(cmd *cobra.Command, flag string, words ...string) {
	if err := cmd.RegisterFlagCompletionFunc(flag, cobra.FixedCompletions(words, cobra.ShellCompDirectiveNoFileComp)); err != nil {
		panic(err) // the verb has no such flag: known at the first start
	}
}

// completeFlag offers what a function finds to a flag.
func completeFlag(cmd *cobra.Command, flag string, f cobra.CompletionFunc) {
	if err := cmd.RegisterFlagCompletionFunc(flag, f); err != nil {
		panic(err) // the verb has no such flag: known at the first start
	}
}

// countedOf is what was counted of a tenant, where the typed flags say; nil: nothing that can be had.
func (a *app) countedOf(cmd *cobra.Command, tenant string) *compare.Tenant {
	if err := a.configure(cmd); err != nil {
		return nil
	}
	v, err := a.view(cmd.Context())
	if err != nil {
		return nil
	}
	data, err := cmd.Flags().GetString("data")
	if err != nil {
		return nil
	}
	src, err := a.shadowSource(v, data)
	if err != nil {
		return nil
	}
	defer src.close()
	c, err := src.counts(cmd.Context(), tenant)
	if err != nil {
		return nil
	}
	return c.tally.Tenants[tenant]
}

// completeBuilds offers the builds of core that calls of the typed tenant were compared on.
func (a *app) completeBuilds(cmd *cobra.Command, args []string, typed string) ([]string, cobra.ShellCompDirective) {
	none := cobra.ShellCompDirectiveNoFileComp
	if len(args) == 0 {
		return nil, none
	}
	t := a.countedOf(cmd, args[0])
	if t == nil {
		return nil, none
	}
	var builds []string
	for build := range t.Builds {
		if build != "" && strings.HasPrefix(build, typed) {
			builds = append(builds, oneLine(build))
		}
	}
	slices.Sort(builds)
	return builds, none
}

// completeTriage offers tenants, then their kinds of difference, then what can be said of one.
func (a *app) completeTriage(cmd *cobra.Command, args []string, typed string) ([]string, cobra.ShellCompDirective) {
	none := cobra.ShellCompDirectiveNoFileComp
	switch len(args) {
	case 0:
		return a.completeTenants(cmd, args, typed)
	case 1:
		t := a.countedOf(cmd, args[0])
		if t == nil {
			return nil, none
		}
		var ids []string
		for id, x := range t.Clusters {
			if strings.HasPrefix(string(id), typed) {
				ids = append(ids, string(id)+"\t"+oneLine(x.Words))
			}
		}
		slices.Sort(ids)
		return ids, none
	case 2:
		return []string{"bug", "intended", "noise", "fixed", "new"}, none
	}
	return nil, none
}
