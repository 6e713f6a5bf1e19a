package migration

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/hotcut/hotcut/policy"
)

// EdgeResult is how far one listed edge is with a rev.
type EdgeResult struct {
	Edge    string       `json:"edge"`
	Applied bool         `json:"applied"`
	Rev     uint64       `json:"rev"`              // that it runs
	SeenAt  int64        `json:"seenAt,omitempty"` // unix milliseconds
	Nack    *policy.Nack `json:"nack,omitempty"`
}

// Convergence is how far the listed edges are with a rev. Silent edges count.
type Convergence struct {
	Rev     uint64        `json:"rev"`
	Listed  int           `json:"listed"`
	Applied int           `json:"applied"`
	Took    time.Duration `json:"-"`
	TookMs  int64         `json:"tookMs"`
	Edges   []EdgeResult  `json:"edges"` // sorted by name
}

// Done reports whether every listed edge runs the rev.
func (c Convergence) Done() bool { return c.Applied == c.Listed }

// Err is nil when done, else it names who is late.
func (c Convergence) Err(now time.Time) error {
	if c.Done() {
		return nil
	}
	return &LateError{Convergence: c, At: now}
}

// LateError: committed, but not on every listed edge in time.
type LateError struct {
	Convergence Convergence
	At          time.Time
}

func (e *LateError) Error() string {
	c := e.Convergence
	parts := []string{fmt.Sprintf("rev %d is committed, but on %d/%d edges", c.Rev, c.Applied, c.Listed)}
	for _, r := range c.Edges {
		if !r.Applied {
			parts = append(parts, r.late(e.At))
		}
	}
	return strings.Join(parts, "; ")
}

func (r EdgeResult) late(now time.Time) string {
	switch {
	case r.Nack != nil:
		return fmt.Sprintf("%s refused rev %d (%s) and stays at rev %d", r.Edge, r.Nack.Rev, r.Nack.Reason, r.Rev)
	case r.SeenAt == 0:
		return fmt.Sprintf("%s has never reported", r.Edge)
	}
	return fmt.Sprintf("%s last seen %s ago at rev %d", r.Edge, Ago(now.Sub(time.UnixMilli(r.SeenAt))), r.Rev)
}

// Ago says a duration as people do: "<10 ms", "0.38 s", "48 s", "11m02s", "3h05m".
func Ago(d time.Duration) string {
	switch {
	case d < 10*time.Millisecond: // also what a clock that differs makes of nothing
		return "<10 ms"
	case d < 10*time.Second:
		return fmt.Sprintf("%.2f s", d.Seconds())
	case d < 2*time.Minute:
		return fmt.Sprintf("%d s", int(d.Seconds()))
	case d < 2*time.Hour:
		return fmt.Sprintf("%dm%02ds", int(d.Minutes()), int(d.Seconds())%60)
	case d < 48*time.Hour:
		return fmt.Sprintf("%dh%02dm", int(d.Hours()), int(d.Minutes())%60)
	}
	return fmt.Sprintf("%d days", int(d.Hours())/24)
}

// Pace of looking at the roster, and of asking an edge itself: often enough that the printed time means something.
const (
	firstLook = 20 * time.Millisecond
	slowLook  = 250 * time.Millisecond
)

// watcher gathers what edges say of one rev, by two ways at once: the roster in the store, and each edge's own admin
// API, which still answers when the store went away after the commit. Only the goroutine of await touches it.
type watcher struct {
	head    policy.Head
	started time.Time
	latest  map[string]policy.NodeState
	listed  []string // by the newest roster
	asked   map[string]bool
}

// Await waits until every edge on the roster reports head applied, the context ends, or all that are missing have
// refused it. roster is what the store says; known is what was listed when the store was last seen.
func (f *Fleet) Await(ctx context.Context, head policy.Head, known []policy.NodeState,
	roster func(context.Context) ([]policy.NodeState, error), progress func(Convergence)) Convergence {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	w := &watcher{head: head, started: time.Now(), latest: map[string]policy.NodeState{}, asked: map[string]bool{}}
	rosters, states := make(chan []policy.NodeState), make(chan policy.NodeState)
	go poll(ctx, rosters, roster)
	w.list(known)
	for {
		for _, a := range f.Addresses(w.nodes()) {
			if !w.asked[a.Name] && a.Admin != "" && slices.Contains(w.listed, a.Name) {
				w.asked[a.Name] = true
				go poll(ctx, states, func(ctx context.Context) (policy.NodeState, error) {
					return ask(ctx, f, a, func(ctx context.Context, e Edge) (policy.NodeState, error) { return e.State(ctx) })
				})
			}
		}
		now := w.convergence()
		if progress != nil {
			progress(now)
		}
		if w.settled(now) {
			return now
		}
		select {
		case <-ctx.Done():
			return w.convergence()
		case nodes := <-rosters:
			w.list(nodes)
		case n := <-states:
			w.see(n)
		}
	}
}

// poll sends what read returns until ctx ends, often at first and then at leisure. Errors are silence: the other way
// may still answer.
func poll[T any](ctx context.Context, to chan<- T, read func(context.Context) (T, error)) {
	for pause := firstLook; ; pause = min(pause*2, slowLook) {
		if v, err := read(ctx); err == nil {
			select {
			case to <- v:
			case <-ctx.Done():
				return
			}
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return
		}
	}
}

func (w *watcher) list(nodes []policy.NodeState) {
	w.listed = w.listed[:0]
	for _, n := range nodes {
		w.listed = append(w.listed, n.Edge)
		w.see(n)
	}
	slices.Sort(w.listed)
}

// see keeps the newer of two reports of an edge.
func (w *watcher) see(n policy.NodeState) {
	if old, ok := w.latest[n.Edge]; ok && w.applied(old) && !w.applied(n) && n.Boot == old.Boot {
		return // the slower way of the two
	}
	if n.SeenAt == 0 {
		n.SeenAt = time.Now().UnixMilli() // it answered us, not the store
	}
	w.latest[n.Edge] = n
}

func (w *watcher) applied(n policy.NodeState) bool {
	return n.Epoch == w.head.Epoch && n.Rev >= w.head.Rev
}

func (w *watcher) nodes() []policy.NodeState {
	out := make([]policy.NodeState, 0, len(w.listed))
	for _, name := range w.listed {
		out = append(out, w.latest[name])
	}
	return out
}

func (w *watcher) convergence() Convergence {
	c := Convergence{Rev: w.head.Rev, Listed: len(w.listed), Took: time.Since(w.started), Edges: []EdgeResult{}}
	c.TookMs = c.Took.Milliseconds()
	for _, n := range w.nodes() {
		r := EdgeResult{Edge: n.Edge, Rev: n.Rev, SeenAt: n.SeenAt, Applied: w.applied(n)}
		if r.Applied {
			c.Applied++
		} else if n.Nack != nil && n.Nack.Rev >= w.head.Rev {
			r.Nack = n.Nack
		}
		c.Edges = append(c.Edges, r)
	}
	slices.SortFunc(c.Edges, func(a, b EdgeResult) int { return cmp.Compare(a.Edge, b.Edge) })
	return c
}

// settled: nothing more will come.
func (w *watcher) settled(c Convergence) bool {
	return !slices.ContainsFunc(c.Edges, func(r EdgeResult) bool { return !r.Applied && r.Nack == nil })
}
