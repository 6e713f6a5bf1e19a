package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/hotcut/hotcut/migration"
	"github.com/hotcut/hotcut/policy"
)

// historyFlags narrow what is shown.
type historyFlags struct {
	since time.Duration
	key   string
	limit int
}

// entry is one change as history shows it.
type entry struct {
	Rev      uint64      `json:"rev"`
	At       int64       `json:"at"` // unix milliseconds
	Kind     policy.Kind `json:"kind"`
	Actor    string      `json:"actor"`
	Reason   string      `json:"reason,omitempty"`
	Incident string      `json:"incident,omitempty"`
	Key      string      `json:"key"`
	Undoes   uint64      `json:"undoes,omitempty"`
	Tenants  []step      `json:"tenants"`
	Globals  string      `json:"globals,omitempty"` // what changed of them
}

// step is what a change did to one tenant.
type step struct {
	ID     string   `json:"id"`
	From   string   `json:"from"`
	To     string   `json:"to"`
	Fields []string `json:"fields"` // JSON names of what changed
}

func newHistoryCmd(a *app) *cobra.Command {
	var f historyFlags
	cmd := &cobra.Command{
		Use:   "history [T]",
		Short: "Show who changed what, newest first",
		Args:  between(0, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if f.since < 0 || cmd.Flags().Changed("since") && f.since == 0 {
				return usage(fmt.Errorf("--since %s: write how far back to look, such as 2h", f.since), "hotcut history --since 2h")
			}
			if f.limit < 1 {
				return usage(fmt.Errorf("--limit %d: write how many changes to show, at least 1", f.limit), "hotcut history --limit 50")
			}
			e, err := a.eng()
			if err != nil {
				return err
			}
			if f.key != "" {
				return a.historyOfKey(cmd.Context(), e, f.key)
			}
			since := time.Time{}
			if f.since > 0 {
				since = a.now().Add(-f.since)
			}
			depth := f.limit
			if len(args) == 1 || f.since > 0 {
				depth = 0 // how far back a tenant's changes lie is not known
			}
			log, whole, err := e.Past(cmd.Context(), since, depth)
			if err != nil {
				return err
			}
			tenant := ""
			if len(args) == 1 {
				tenant = args[0]
			}
			entries := entriesOf(log, tenant, since, f.limit)
			if len(entries) == 0 && tenant != "" {
				if err := a.isTenant(cmd.Context(), tenant); err != nil {
					return err
				}
			}
			return a.showHistory(log, entries, whole || len(entries) == f.limit)
		},
	}
	cmd.Flags().DurationVar(&f.since, "since", 0, "only changes of this last time, such as 2h")
	cmd.Flags().StringVar(&f.key, "key", "", "the change with this idempotency key: was it committed?")
	cmd.Flags().IntVar(&f.limit, "limit", 50, "at most this many")
	cmd.ValidArgsFunction = a.completeTenant
	return cmd
}

// isTenant is an error for an id that the policy does not know: no changes of it is no answer then.
func (a *app) isTenant(ctx context.Context, id string) error {
	v, err := a.view(ctx, id)
	if err != nil || !v.Known() {
		return err
	}
	_, err = v.Tenant(id)
	return err
}

// entriesOf filters the log, newest first.
func entriesOf(log []policy.Change, tenant string, since time.Time, limit int) []entry {
	out := []entry{}
	for _, c := range slices.Backward(log) {
		if len(out) == limit {
			break
		}
		touches := tenant == "" || slices.ContainsFunc(c.Tenants, func(tc policy.TenantChange) bool { return tc.ID == tenant })
		if touches && (since.IsZero() || c.At >= since.UnixMilli()) {
			out = append(out, entryOf(c))
		}
	}
	return out
}

func entryOf(c policy.Change) entry {
	e := entry{Rev: c.Rev, At: c.At, Kind: c.Kind, Actor: c.Actor, Reason: c.Reason, Incident: c.Incident, Key: c.Key, Undoes: c.Undoes,
		Tenants: []step{}, Globals: globalsWords(c.Globals)}
	for _, tc := range c.Tenants {
		e.Tenants = append(e.Tenants, step{ID: tc.ID, From: migration.Describe(tc.Before), To: migration.Describe(tc.After),
			Fields: orEmpty(migration.Altered(tc.Before, tc.After))})
	}
	return e
}

func globalsWords(g *policy.GlobalsChange) string {
	if g == nil || g.After == nil {
		return ""
	}
	if g.Before == nil {
		return "" // init
	}
	before := *g.Before
	if before.Halt != g.After.Halt {
		return fmt.Sprintf("halt %s -> %s", cmp.Or(before.Halt, policy.HaltNone), g.After.Halt)
	}
	return "globals"
}

func (a *app) historyOfKey(ctx context.Context, e *migration.Engine, key string) error {
	limited, cancel := a.limited(ctx)
	defer cancel()
	rev, err := e.Store.ByKey(limited, key)
	if err != nil {
		return err
	}
	if rev == 0 {
		return &failure{exit: exitError, code: "not_committed", err: fmt.Errorf("no change with key %s was committed (keys are remembered for a day)", key),
			next: []string{"hotcut history"}}
	}
	c, err := e.ChangeAt(ctx, rev)
	if err != nil {
		return err
	}
	return a.showHistory([]policy.Change{c}, []entry{entryOf(c)}, true)
}

func (a *app) showHistory(log []policy.Change, entries []entry, whole bool) error {
	r := result{kind: "History", fresh: live, data: entries}
	if len(log) > 0 {
		r.rev, r.epoch = log[len(log)-1].Rev, log[len(log)-1].Epoch
	}
	if !whole {
		r.warnings = append(r.warnings, "older changes are no longer in the log")
	}
	r.table = func(w io.Writer) {
		if len(entries) == 0 {
			fmt.Fprintln(w, "no changes")
			return
		}
		fmt.Fprintln(w, "REV\tTIME\tWHAT\tWHO\tTENANTS\tWHY")
		for _, e := range entries {
			fmt.Fprintf(w, "%d\t%s\t%s\t%s\t%s\t%s\n", e.Rev, stamp(e.At), e.Kind, e.Actor, dash(e.what()), dash(e.why()))
		}
	}
	return a.show(r)
}

// what a change did, in a few words.
func (e entry) what() string {
	switch n := len(e.Tenants); {
	case n == 0:
		return e.Globals
	case n > 1:
		return plural(n, "tenant")
	}
	s := e.Tenants[0]
	if s.From != s.To {
		return fmt.Sprintf("%s: %s -> %s", s.ID, s.From, s.To)
	}
	return fmt.Sprintf("%s: %s", s.ID, list(s.Fields, 4))
}

func (e entry) why() string {
	switch {
	case e.Undoes != 0 && e.Reason == "":
		return fmt.Sprintf("undoes rev %d", e.Undoes)
	case e.Reason != "" && e.Incident != "":
		return e.Incident + " " + e.Reason
	}
	return cmp.Or(e.Reason, e.Incident)
}
