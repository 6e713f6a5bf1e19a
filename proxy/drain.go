package proxy

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/hotcut/hotcut/proxy/config"
)

// Drain stops new dialogs (503 with Retry-After; OPTIONS 503) and keeps the living. When the last has ended, or at the
// deadline of timers.drain, Run returns and the edge leaves the roster. Drain(false) takes it back.
func (e *Edge) Drain(on bool) error {
	if on && !e.draining.Load() { // the deadline first: a look in between would find it passed, and end the edge under its calls
		e.drainUntil.Store(time.Now().Add(e.cfg.Timers.Drain).UnixNano())
	}
	if e.draining.Swap(on) == on {
		return nil
	}
	if on {
		dialogs, _ := e.sizes()
		e.log.Info("draining", "dialogs", dialogs, "deadline", e.cfg.Timers.Drain.String())
	} else {
		e.log.Info("drain taken back")
	}
	return nil
}

// checkDrain ends the process's work when a drain is complete.
func (e *Edge) checkDrain(now time.Time) {
	if !e.draining.Load() {
		return
	}
	dialogs, requests := e.sizes()
	late := now.UnixNano() > e.drainUntil.Load()
	if dialogs == 0 && requests == 0 || late {
		e.drainOne.Do(func() {
			e.log.Info("drained", "dialogs_left", dialogs, "deadline_passed", late)
			close(e.drained)
		})
	}
}

// leave takes the edge off the roster after a clean drain. The store may be away: then `hotcut edges forget` does it.
func (e *Edge) leave() error {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	if err := e.opts.Store.Forget(ctx, e.cfg.Node); err != nil {
		e.log.Warn("drained, but still on the roster", "err", err, "next", "hotcut edges forget "+e.cfg.Node)
	}
	return nil
}

// runRoster keeps the list of the other edges, and looks after a drain.
func (e *Edge) runRoster(ctx context.Context) {
	look := time.NewTicker(200 * time.Millisecond)
	defer look.Stop()
	var next time.Time
	for {
		if now := time.Now(); now.After(next) {
			next = now.Add(2 * time.Second)
			c, cancel := context.WithTimeout(ctx, 2*time.Second)
			if nodes, err := e.opts.Store.Nodes(c); err == nil {
				e.fleet.update(nodes, e.cfg.Node)
			}
			cancel()
		}
		select {
		case <-ctx.Done():
			return
		case now := <-look.C:
			e.checkDrain(now)
		}
	}
}

// Reload puts what may change without a restart into force: targets, sources, carriers, names, keys and secrets. Health and
// counters stay. It returns what changed and what differs but needs a restart.
func (e *Edge) Reload() (changed, needsRestart []string, err error) {
	if e.opts.Reload == nil {
		return nil, nil, errors.New("this edge was started without a configuration file: restart it")
	}
	e.reloadMu.Lock()
	defer e.reloadMu.Unlock()
	cfg, err := e.opts.Reload()
	if err != nil {
		return nil, nil, err
	}
	if err := cfg.Validate(); err != nil {
		return nil, nil, err
	}
	changed, needsRestart = compare(e.current.Load(), cfg)
	merged := keepFixed(cfg, e.current.Load())
	if err := merged.Validate(); err != nil {
		return nil, needsRestart, fmt.Errorf("what can change now does not fit with what needs a restart (%v): %w", needsRestart, err)
	}
	res, err := merged.Resolve()
	if err != nil {
		return nil, nil, err
	}
	ring, err := config.LoadKeys(merged.Keys)
	if err != nil {
		return nil, nil, err
	}
	before := *e.keyIDs.Load()
	topo := buildTopology(merged, res, e, e.topo.Load())
	if err := topo.checkNames(); err != nil {
		return nil, needsRestart, err
	}
	if err := e.keeper.loadSecrets(merged.Secrets); err != nil { // also when the path is the same: what is in it may not be
		return nil, needsRestart, err
	}
	e.topo.Store(topo)
	e.setKeys(ring)
	if fmt.Sprint(before) != fmt.Sprint(ring.IDs()) {
		changed = append(changed, "keys")
	}
	e.current.Store(merged)
	e.log.Info("reloaded", "changed", changed, "needs_restart", needsRestart)
	return changed, needsRestart, nil
}

// compare names the sections that differ, by whether they can change without a restart.
func compare(a, b *config.Config) (changed, needsRestart []string) {
	for _, s := range sections {
		if fmt.Sprintf("%#v", s.of(a)) == fmt.Sprintf("%#v", s.of(b)) {
			continue
		}
		if s.live {
			changed = append(changed, s.name)
		} else {
			needsRestart = append(needsRestart, s.name)
		}
	}
	return changed, needsRestart
}

var sections = []struct {
	name string
	live bool
	of   func(*config.Config) any
}{
	{"names", true, func(c *config.Config) any { return c.Names }},
	{"platforms", true, func(c *config.Config) any { return withFixed(c.Platforms, nil) }},
	{"carriers", true, func(c *config.Config) any { return c.Carriers }},
	{"keys", true, func(c *config.Config) any { return c.Keys }},
	{"via", true, func(c *config.Config) any { return c.Via }},
	{"secrets", true, func(c *config.Config) any { return c.Secrets }},
	{"node", false, func(c *config.Config) any { return c.Node }},
	{"store", false, func(c *config.Config) any { return c.Store }},
	{"state", false, func(c *config.Config) any { return c.State }},
	{"listen", false, func(c *config.Config) any { return c.Listen }},
	{"admin", false, func(c *config.Config) any { return c.Admin }},
	{"limits", false, func(c *config.Config) any { return c.Limits }},
	{"timers", false, func(c *config.Config) any { return c.Timers }},
	{"bootDefault", false, func(c *config.Config) any { return c.BootDefault }},
	{"log", false, func(c *config.Config) any { return c.Log }},
	{"logNumbers", false, func(c *config.Config) any { return c.LogNumbers }},
	{"media", false, func(c *config.Config) any {
		return []any{c.Media, c.Platforms.Legacy.MediaNets, c.Platforms.Core.MediaNets}
	}},
	{"dark", false, func(c *config.Config) any { return c.Platforms.Core.Dark }},
}

// keepFixed is the new configuration with everything that needs a restart as it was.
func keepFixed(next, old *config.Config) *config.Config {
	c := *old
	c.Names, c.Platforms, c.Carriers, c.Keys, c.Via, c.Secrets = next.Names, next.Platforms, next.Carriers, next.Keys, next.Via, next.Secrets
	c.Platforms = withFixed(c.Platforms, &old.Platforms)
	return &c
}

// withFixed is p with the media networks and dark cores of another one, or with none: the relay and the mirror read them when
// they begin.
func withFixed(p config.Platforms, of *config.Platforms) config.Platforms {
	if of == nil {
		of = &config.Platforms{}
	}
	p.Legacy.MediaNets, p.Core.MediaNets = of.Legacy.MediaNets, of.Core.MediaNets
	p.Core.Dark = of.Core.Dark
	return p
}
