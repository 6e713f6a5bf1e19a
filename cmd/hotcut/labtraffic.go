package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"time"
)

// While the lab stays, every phone calls now and then, so that `calls`, `draining` and `status` have something to show.
const (
	labCallEvery = 2 * time.Second // per tenant
	labCallTalks = 20 * time.Second
)

// traffic calls from every tenant in turn until the lab ends, and says when a phone's calls begin to go elsewhere.
func (w *labWorld) traffic(ctx context.Context, out io.Writer) {
	told := &labTold{out: out, last: make(map[string]string)}
	tenants := make(map[string][]*labPhone) // by domain
	for _, p := range w.phones {
		_, domain, _ := strings.Cut(p.AOR(), "@")
		tenants[domain] = append(tenants[domain], p)
	}
	var callers sync.WaitGroup
	for domain, phones := range tenants {
		slices.SortFunc(phones, func(a, b *labPhone) int { return cmp.Compare(a.AOR(), b.AOR()) })
		callers.Go(func() {
			tick := time.NewTicker(labCallEvery)
			defer tick.Stop()
			for i := 0; ; i++ {
				p := phones[i%len(phones)]
				callers.Go(func() { w.talk(ctx, p, "answer@"+domain, told) })
				select {
				case <-tick.C:
				case <-ctx.Done():
					return
				}
			}
		})
	}
	callers.Wait()
}

// talk is one call of the traffic: it lasts a while and is hung up.
func (w *labWorld) talk(ctx context.Context, p *labPhone, to string, told *labTold) {
	limit, cancel := context.WithTimeout(ctx, labPatience)
	c, a, err := p.Call(limit, ctx, to)
	cancel()
	switch {
	case ctx.Err() != nil:
		return
	case err != nil:
		told.say(p.AOR(), "get no answer from "+p.edge.Name)
		return
	case !a.Answered():
		told.say(p.AOR(), fmt.Sprintf("are refused: %s", a))
		return
	}
	told.say(p.AOR(), "go to "+a.Platform)
	select {
	case <-time.After(labCallTalks):
	case <-c.Ended():
		return
	case <-ctx.Done():
		return
	}
	limit, cancel = context.WithTimeout(ctx, labPatience)
	defer cancel()
	if err := c.Hangup(limit); err != nil && ctx.Err() == nil {
		told.say(p.AOR(), "get no answer from "+p.edge.Name) // why is the edge's own log to say
	}
}

// labTold remembers what was last said of each phone: only a change is news.
type labTold struct {
	out io.Writer

	mu   sync.Mutex // guards last and out
	last map[string]string
}

func (t *labTold) say(aor, what string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	before, known := t.last[aor]
	if before == what {
		return
	}
	t.last[aor] = what
	if known {
		fmt.Fprintf(t.out, "%s  calls of %s now %s\n", time.Now().Format("15:04:05"), aor, what)
	}
}
