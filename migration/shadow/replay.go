package shadow

import (
	"container/heap"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/hotcut/hotcut/migration/shadow/compare"
	"github.com/hotcut/hotcut/migration/shadow/record"
	"github.com/hotcut/hotcut/policy"
	"github.com/hotcut/hotcut/proxy/tap"
	"github.com/hotcut/hotcut/proxy/wire"
)

// Replay plays a recorder's file to a dark core as if its calls were live now, at their own pace but for long silences, a few at a
// time, and compares them. The tenants of the file count as mirrored, whatever the policy says of their stage; the phones that were
// called are registered first. progress (may be nil) is told after each call. The verdicts go to Options.Verdict.
func Replay(ctx context.Context, file string, o Options, progress func(done, total int)) error {
	calls, err := readRecording(file, o.Secret)
	if err != nil {
		return err
	}
	if o.Policy == nil {
		return errors.New("shadow replay: without the policy nobody knows whose calls these are")
	}
	snap, err := mirroring(o.Policy(), calls)
	if err != nil {
		return err
	}
	phones := phonesOf(calls)
	o.Policy = func() *policy.Snapshot { return snap }
	o.Bindings = func(tenant string) []tap.Binding { return phones[tenant] }
	p := &player{calls: calls, progress: progress}
	verdict := o.Verdict
	o.Verdict = func(v *compare.Verdict, live, shadow *record.Exchange) {
		if verdict != nil {
			verdict(v, live, shadow)
		}
		if live == nil || !live.LegOnly { // a far leg by itself is no call of the file
			p.finished <- struct{}{}
		}
	}
	o.Slots, o.SlotSize = 256, 64<<10 // whatever was recorded fits
	m, err := New(o)
	if err != nil {
		return err
	}
	p.m, p.finished = m, make(chan struct{}, len(calls)+1)
	for _, list := range phones {
		p.phones += len(list)
	}
	ctx, cancel := context.WithCancel(ctx)
	ended := make(chan error, 1)
	go func() { ended <- m.Run(ctx) }()
	err = p.play(ctx, ended)
	cancel()
	return errors.Join(err, <-ended)
}

// readRecording reads all calls of a file.
func readRecording(file string, secret []byte) ([]*record.Exchange, error) {
	s := newSeal(secret)
	var calls []*record.Exchange
	err := lines(file, func(l *sealed, _ []byte) error {
		x, err := s.open(l)
		if err != nil {
			return err
		}
		if len(x.Near.Messages) == 0 {
			return fmt.Errorf("%w: no messages", ErrSeal)
		}
		x.Tenant = l.Tenant
		calls = append(calls, x)
		return nil
	})
	slices.SortStableFunc(calls, func(a, b *record.Exchange) int {
		return int(a.Near.Messages[0].At - b.Near.Messages[0].At)
	})
	return calls, err
}

// mirroring is a policy of the recording's tenants alone, all of them mirrored.
func mirroring(s *policy.Snapshot, calls []*record.Exchange) (*policy.Snapshot, error) {
	if s == nil {
		return nil, errors.New("shadow replay: there is no policy")
	}
	seen := map[string]bool{}
	var tenants []*policy.Tenant
	for _, x := range calls {
		if seen[x.Tenant] {
			continue
		}
		seen[x.Tenant] = true
		rec := s.Tenant(x.Tenant)
		if rec == nil {
			return nil, fmt.Errorf("shadow replay: tenant %s of the recording is not in the policy", x.Tenant)
		}
		t := *rec.Tenant
		t.Stage, t.Mirror = policy.StageShadow, policy.FullShare
		t.Share, t.Hold, t.Phase = 0, nil, nil
		tenants = append(tenants, &t)
	}
	return policy.NewSnapshot(policy.Head{Epoch: "replay", Rev: 1}, policy.Globals{}, tenants)
}

// phonesOf are the phones that the recorded far legs reached, by tenant.
func phonesOf(calls []*record.Exchange) map[string][]tap.Binding {
	out := map[string][]tap.Binding{}
	seen := map[string]bool{}
	var m wire.Message
	for _, x := range calls {
		for _, l := range x.Far {
			if l.Target == "" || len(l.Messages) == 0 || m.Scan(l.Messages[0].Raw, nil) != wire.FaultNone {
				continue
			}
			user := userOf(m.RequestURI.Of(m.Raw))
			if key := x.Tenant + "\x00" + l.Target + "\x00" + user; !seen[key] {
				seen[key] = true
				out[x.Tenant] = append(out[x.Tenant], tap.Binding{ID: user, AoR: l.Target, To: l.Target, User: user, Here: true})
			}
		}
	}
	return out
}

// player puts the messages of recorded calls into a mirror.
type player struct {
	m        *Mirror
	calls    []*record.Exchange
	phones   int
	finished chan struct{}
	progress func(done, total int)

	due    cues
	next   int // of calls
	active int
	done   int
}

const (
	together     = 32               // calls at a time
	longestPause = 5 * time.Second  // of a recorded silence that is kept
	registering  = 30 * time.Second // is waited for the phones
	lastVerdict  = 2 * time.Minute  // after the last message, for the last calls to be compared
)

// cue is a message and when it is put.
type cue struct {
	at  int64
	seq int
	ev  tap.Event
	raw []byte
}

type cues []cue

func (c cues) Len() int { return len(c) }
func (c cues) Less(i, j int) bool {
	return c[i].at < c[j].at || c[i].at == c[j].at && c[i].seq < c[j].seq
}
func (c cues) Swap(i, j int) { c[i], c[j] = c[j], c[i] }
func (c *cues) Push(x any)   { *c = append(*c, x.(cue)) }
func (c *cues) Pop() any {
	n := len(*c)
	x := (*c)[n-1]
	*c = (*c)[:n-1]
	return x
}

func (p *player) play(ctx context.Context, ended chan error) error {
	tick := time.NewTicker(lookRing)
	defer tick.Stop()
	start := p.m.o.Now()
	ready := p.phones == 0
	last := start
	for p.done < len(p.calls) {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case err := <-ended:
			ended <- nil
			return errors.Join(errors.New("shadow replay: the mirror ended"), err)
		case <-p.finished:
			p.active--
			p.done++
			if p.progress != nil {
				p.progress(p.done, len(p.calls))
			}
			continue
		case <-tick.C:
		}
		now := p.m.o.Now()
		s := p.m.Stats()
		if s.Stopped != "" {
			return errors.New("shadow replay: " + s.Stopped)
		}
		if !ready {
			if ready = s.Bindings >= p.phones || now-start > int64(registering); !ready {
				continue
			}
		}
		for p.active < together && p.next < len(p.calls) {
			p.begin(now, p.calls[p.next])
			p.next++
			p.active++
		}
		for len(p.due) > 0 && p.due[0].at <= now {
			c := heap.Pop(&p.due).(cue)
			c.ev.At = now
			cell := p.m.Put(&c.ev, c.raw)
			if cell == nil {
				c.at = now + int64(lookRing) // the ring is full for a moment: nothing is lost here
				heap.Push(&p.due, c)
				break
			}
			cell.Done()
			last = now
		}
		if p.next == len(p.calls) && len(p.due) == 0 && now-last > int64(lastVerdict) {
			return fmt.Errorf("shadow replay: %d of %d calls came to no verdict", len(p.calls)-p.done, len(p.calls))
		}
	}
	return nil
}

// begin lines the messages of a call up: at their own distances, but for silences that are longer than anything in them.
func (p *player) begin(now int64, x *record.Exchange) {
	var list []cue
	add := func(l *record.Leg, leg tap.Leg) {
		for _, m := range l.Messages {
			ev := tap.Event{Kind: tap.Response, Leg: leg, Upstream: m.Upstream, Tenant: x.Tenant, Platform: tap.Legacy, Rev: x.Rev, Party: tap.PartyOf(l.Party)}
			if len(m.Raw) < 8 || string(m.Raw[:8]) != "SIP/2.0 " {
				ev.Kind = tap.Request
			}
			list = append(list, cue{at: m.At, ev: ev, raw: m.Raw})
		}
	}
	add(&x.Near, tap.Near)
	for i := range x.Far {
		add(&x.Far[i], tap.Far)
	}
	slices.SortStableFunc(list, func(a, b cue) int { return int(a.at - b.at) })
	at, answered := now, false
	for i := range list {
		if i > 0 {
			gap := list[i].at - list[i-1].at
			if answered {
				gap = min(gap, int64(longestPause))
			}
			at += max(gap, 0)
		}
		answered = answered || len(list[i].raw) > 9 && string(list[i].raw[:9]) == "SIP/2.0 2"
		c := list[i]
		c.at, c.seq = at, p.next<<12|i
		heap.Push(&p.due, c)
	}
}
