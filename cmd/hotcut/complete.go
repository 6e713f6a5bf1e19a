package main

import (
	"strings"

	"github.com/spf13/cobra"
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
