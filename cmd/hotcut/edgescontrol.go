package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/hotcut/hotcut/policy"
	"github.com/hotcut/hotcut/proxy/admin"
)

func newEdgesDrainCmd(a *app) *cobra.Command {
	var wait time.Duration
	cmd := &cobra.Command{
		Use:   "drain E",
		Short: "Let an edge take no new calls, and wait until its calls have ended",
		Args:  exact(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.drain(cmd.Context(), args[0], wait)
		},
	}
	cmd.Flags().DurationVar(&wait, "wait", 10*time.Second, "for its calls to end; 0: do not wait")
	return cmd
}

// drainData is how far a drain is.
type drainData struct {
	Edge     string `json:"edge"`
	Draining bool   `json:"draining"`
	Dialogs  int    `json:"dialogs"` // still up
}

func (a *app) drain(ctx context.Context, name string, wait time.Duration) error {
	c, err := a.dialNamed(ctx, name)
	if err != nil {
		return err
	}
	defer c.Close()
	ask, cancel := a.limited(ctx)
	defer cancel()
	if err := c.Drain(ask, true); err != nil {
		return hint(fmt.Errorf("%s: %w", name, err), "hotcut edges")
	}
	left, err := a.awaitEmpty(ctx, c, name, wait)
	if err != nil {
		return err
	}
	d := drainData{Edge: name, Draining: true, Dialogs: left}
	show := a.show(result{kind: "Drain", fresh: live, data: d, table: func(w io.Writer) {
		fmt.Fprintf(w, "%s takes no new calls; %s left\n", name, plural(left, "call"))
	}})
	if left == 0 || wait == 0 {
		return show
	}
	return join(show, &failure{exit: exitDraining, code: "draining", retryable: true,
		err: fmt.Errorf("%s drains, with %s still up after %s", name, plural(left, "call"), wait), next: []string{"hotcut edges drain " + name + " --wait 1h"}})
}

// awaitEmpty counts the calls of an edge that has taken the order to drain, until there are none or the wait is over. An
// edge that goes away, even before the first look, has ended its drain by itself.
func (a *app) awaitEmpty(ctx context.Context, c *admin.Client, name string, wait time.Duration) (int, error) {
	deadline := time.After(wait)
	told := -1
	for {
		ask, cancel := a.limited(ctx)
		s, err := c.State(ask)
		cancel()
		if errors.Is(err, admin.ErrUnreachable) {
			return 0, nil
		}
		if err != nil {
			return 0, fmt.Errorf("%s: %w", name, err)
		}
		if s.Dialogs != told && told >= 0 {
			a.say("%s: %s left", name, plural(s.Dialogs, "call"))
		}
		if told = s.Dialogs; told == 0 {
			return 0, nil
		}
		select {
		case <-ctx.Done():
			return told, ctx.Err()
		case <-deadline:
			return told, nil
		case <-time.After(500 * time.Millisecond):
		}
	}
}

func newEdgesUndrainCmd(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "undrain E",
		Short: "Let a draining edge take new calls again",
		Args:  exact(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			err := a.command(cmd.Context(), args[0], func(ctx context.Context, c *admin.Client) error { return c.Drain(ctx, false) })
			if err != nil {
				return err
			}
			return a.show(result{kind: "Drain", fresh: live, data: drainData{Edge: args[0]}, table: func(w io.Writer) {
				fmt.Fprintf(w, "%s takes new calls\n", args[0])
			}})
		},
	}
}

func newEdgesReloadCmd(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "reload E",
		Short: "Let an edge read its configuration again, as SIGHUP does",
		Args:  exact(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			var done admin.Reloaded
			err := a.command(cmd.Context(), args[0], func(ctx context.Context, c *admin.Client) (err error) {
				done, err = c.Reload(ctx)
				return err
			})
			if err != nil {
				return err
			}
			done.Changed, done.NeedsRestart = orEmpty(done.Changed), orEmpty(done.NeedsRestart)
			r := result{kind: "Reload", fresh: live, data: done, table: func(w io.Writer) {
				if len(done.Changed) == 0 {
					fmt.Fprintf(w, "%s: nothing changed\n", args[0])
				} else {
					fmt.Fprintf(w, "%s: in force now: %s\n", args[0], strings.Join(done.Changed, ", "))
				}
			}}
			if len(done.NeedsRestart) > 0 {
				r.warnings = []string{"only a restart brings into force: " + strings.Join(done.NeedsRestart, ", ")}
			}
			return a.show(r)
		},
	}
}

// dialNamed makes a client for one edge.
func (a *app) dialNamed(ctx context.Context, name string) (*admin.Client, error) {
	at, err := a.theEdge(ctx, name)
	if err != nil {
		return nil, err
	}
	if at.Admin == "" {
		return nil, hint(fmt.Errorf("%s never said where its admin API is; list it under edges in the CLI's file", name), "hotcut help")
	}
	return admin.Dial(at.Admin)
}

// command tells one edge to do something.
func (a *app) command(ctx context.Context, name string, do func(context.Context, *admin.Client) error) error {
	c, err := a.dialNamed(ctx, name)
	if err != nil {
		return err
	}
	defer c.Close()
	ctx, cancel := a.limited(ctx)
	defer cancel()
	if err := do(ctx, c); err != nil {
		f := *judge(fmt.Errorf("%s: %w", name, err))
		f.next = []string{"hotcut edges"} // whatever the error: it is about this edge, not about the store
		return &f
	}
	return nil
}

func newEdgesForgetCmd(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "forget E",
		Short: "Take an edge that will not come back off the roster",
		Args:  exact(1),
		RunE:  func(cmd *cobra.Command, args []string) error { return a.forget(cmd.Context(), args[0]) },
	}
	cmd.Flags().BoolVarP(&a.change.yes, "yes", "y", false, "also if the edge was seen just now")
	return cmd
}

func (a *app) forget(ctx context.Context, name string) error {
	e, err := a.eng()
	if err != nil {
		return err
	}
	ctx, cancel := a.limited(ctx)
	defer cancel()
	nodes, err := e.Store.Nodes(ctx)
	if err != nil {
		return err
	}
	known := false
	var listed []string
	for _, n := range nodes {
		listed = append(listed, n.Edge)
		if n.Edge != name {
			continue
		}
		known = true
		if alive := a.now().Sub(time.UnixMilli(n.SeenAt)) < policy.Remain; alive && !a.change.yes {
			return &failure{exit: exitError, code: "alive", err: fmt.Errorf("%s reported %s: it would be listed again at once", name, a.ago(n.SeenAt)),
				next: []string{"hotcut edges drain " + name}}
		}
	}
	if !known {
		return errNoEdge(name, listed)
	}
	if err := e.Store.Forget(ctx, name); err != nil {
		return err
	}
	return a.show(result{kind: "Forgotten", fresh: live, data: map[string]string{"edge": name}, table: func(w io.Writer) {
		fmt.Fprintf(w, "%s is no longer listed\n", name)
	}})
}
