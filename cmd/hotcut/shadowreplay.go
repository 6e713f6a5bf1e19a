package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"github.com/hotcut/hotcut/migration/shadow"
	"github.com/hotcut/hotcut/migration/shadow/compare"
	"github.com/hotcut/hotcut/migration/shadow/record"
	"github.com/hotcut/hotcut/policy"
	"github.com/hotcut/hotcut/proxy/config"
	"github.com/hotcut/hotcut/proxy/digest"
)

// replayed is what a replay found.
type replayed struct {
	File       string         `json:"file"`
	Calls      int            `json:"calls"`
	Compared   int            `json:"compared"`
	Missing    map[string]int `json:"missing"`
	Severities map[string]int `json:"severities"` // calls by their worst difference
	Tenants    []string       `json:"tenants"`
}

func newShadowReplayCmd(a *app) *cobra.Command {
	var to, file string
	cmd := &cobra.Command{
		Use:   "replay FILE --to core --config F",
		Short: "Play recorded calls to a dark core and compare them",
		Long: `Replay plays the calls of a file that an edge has recorded ('hotcut edge --record') to the dark core of an edge's configuration, which
also names the keys, the listener of side shadow, and where the counts go. No edge may have that listener at the same time.`,
		Args: exact(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if to != "core" {
				return usage(fmt.Errorf("--to %q: recorded calls are played to core", to), "hotcut shadow replay "+args[0]+" --to core --config edge.yaml")
			}
			c, err := edgeConfig(file, a.flags.store)
			if err != nil {
				return hint(faulty(file, err), checkCommand(file))
			}
			if a.conf.Store == "" {
				a.conf.Store = c.Store
			}
			v, err := a.viewAt(cmd.Context(), 0)
			if err != nil {
				return err
			}
			d, err := a.replay(cmd.Context(), args[0], c, v.Snapshot)
			if err != nil {
				return err
			}
			r := v.result("ShadowReplay", d)
			for _, t := range d.Tenants {
				r.next = append(r.next, "hotcut shadow report "+t)
			}
			r.table = func(w io.Writer) { replayTable(w, d) }
			return v.show(a, r)
		},
	}
	cmd.Flags().StringVar(&to, "to", "", "core")
	cmd.Flags().StringVar(&file, "config", "", "configuration of the edge whose dark core it is")
	completeWords(cmd, "to", "core")
	return cmd
}

func replayTable(w io.Writer, d *replayed) {
	fmt.Fprintf(w, "%s: %s, %d compared\n", d.File, plural(d.Calls, "call"), d.Compared)
	for _, s := range compare.Severities {
		fmt.Fprintf(w, "  %s\t%d of %d\n", s, d.Severities[s.String()], d.Compared)
	}
	for _, reason := range slices.Sorted(maps.Keys(d.Missing)) {
		fmt.Fprintf(w, "  not compared: %s\t%d of %d\n", oneLine(reason), d.Missing[reason], d.Calls)
	}
}

func (a *app) replay(ctx context.Context, file string, c *config.Config, snap *policy.Snapshot) (*replayed, error) {
	res, err := c.Resolve()
	if err != nil {
		return nil, err
	}
	if len(res.Dark) == 0 {
		return nil, hint(errors.New("the configuration names no dark core (platforms.core.dark)"), "hotcut edge --check")
	}
	log := a.loggerOf(c.Log)
	k, err := newKeeping(c, res, func() *policy.Snapshot { return snap }, log)
	if err != nil {
		return nil, err
	}
	defer func() { _ = k.store.Close() }() // what was written is written
	d := &replayed{File: file, Missing: map[string]int{}, Severities: map[string]int{}, Tenants: []string{}}
	var mu sync.Mutex // guards d
	o := mirrorOptions(c, res, &k, log)
	secrets, err := secretsOf(c)
	if err != nil {
		return nil, err
	}
	o.Answer = shadow.Digest(k.policy, secrets.Find)
	o.Verdict = func(v *compare.Verdict, live, dark *record.Exchange) {
		mu.Lock()
		defer mu.Unlock()
		d.add(v)
		k.keeper.Put(v, live, dark)
	}
	keeping, last := context.WithCancel(context.WithoutCancel(ctx))
	kept := make(chan error, 1)
	go func() { kept <- k.keeper.Run(keeping) }()
	told := time.Time{}
	err = shadow.Replay(ctx, file, o, func(done, total int) {
		if now := time.Now(); done == total || now.Sub(told) > time.Second {
			told = now
			a.say("%d of %s", done, plural(total, "call"))
		}
	})
	last()
	err = errors.Join(err, <-kept)
	mu.Lock()
	defer mu.Unlock()
	slices.Sort(d.Tenants)
	return d, err
}

// secretsOf reads the file of HA1s and passwords that a configuration names; nil: none.
func secretsOf(c *config.Config) (*digest.Secrets, error) {
	if c.Secrets == "" {
		return nil, nil
	}
	f, err := os.Open(c.Secrets)
	if err != nil {
		return nil, fmt.Errorf("secrets: %w", err)
	}
	s, err := digest.LoadSecrets(f)
	if err = errors.Join(err, f.Close()); err != nil {
		return nil, fmt.Errorf("secrets %s: %w", c.Secrets, err)
	}
	return s, nil
}

func (d *replayed) add(v *compare.Verdict) {
	d.Calls++
	if !slices.Contains(d.Tenants, v.Tenant) {
		d.Tenants = append(d.Tenants, v.Tenant)
	}
	if v.Missing != "" {
		d.Missing[v.Missing]++
		return
	}
	d.Compared++
	if s := v.Worst(); s != compare.None {
		d.Severities[s.String()]++
	}
}
