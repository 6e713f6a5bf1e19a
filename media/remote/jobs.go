package remote

import (
	"context"
	"sync"
	"time"

	"github.com/hotcut/hotcut/media"
	"github.com/hotcut/hotcut/media/relay"
	"github.com/hotcut/hotcut/media/sdp"
)

// patience is how long what nobody waits for is tried: roll-backs and ends.
const patience = 2 * time.Second

// queue gives a dialog something to do, after what it has to do already. If create is false only a dialog that is known
// gets it.
func (r *Relay) queue(k relay.Key, create bool, job func(*dialog)) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.ended {
		return false
	}
	g := r.dialogs[k]
	if g == nil {
		if !create {
			return false
		}
		g = &dialog{relay: r, key: k}
		r.dialogs[k] = g
	}
	g.jobs = append(g.jobs, job)
	if !g.busy {
		g.busy = true
		r.jobs.Go(g.work)
	}
	return true
}

// work does what there is to do, and forgets a dialog that no server has.
func (g *dialog) work() {
	r := g.relay
	for {
		r.mu.Lock()
		if len(g.jobs) == 0 {
			g.busy, g.jobs = false, nil
			if !g.server.IsValid() {
				delete(r.dialogs, g.key)
			}
			r.mu.Unlock()
			return
		}
		job := g.jobs[0]
		g.jobs = g.jobs[1:]
		r.mu.Unlock()
		job(g)
	}
}

// Ask puts a question to a server. done gets the reply, once, from another goroutine. false: too many wait, and done is not
// called.
func (r *Relay) Ask(q *Question, done func(Reply)) bool {
	r.mu.Lock()
	if r.questions >= r.o.Questions || r.ended {
		r.mu.Unlock()
		r.counts.counted(FailureBusy.verdict())
		r.counts.failures[FailureBusy].Add(1)
		r.o.Heard(FailureBusy)
		return false
	}
	r.questions++
	r.mu.Unlock()
	deadline := time.Now().Add(r.o.Wait)
	var once sync.Once
	reply := func(x Reply, why Failure) {
		once.Do(func() {
			r.mu.Lock()
			r.questions--
			r.mu.Unlock()
			r.counts.counted(x.Verdict)
			if why != FailureNone {
				r.counts.failures[why].Add(1)
			}
			r.o.Heard(why)
			done(x)
		})
	}
	// The roll-back of an offer before it may take longer than Wait.
	late := time.AfterFunc(r.o.Wait+r.o.Wait/4, func() { reply(Reply{Verdict: FailureSilence.verdict()}, FailureSilence) })
	asked := r.queue(q.key, true, func(g *dialog) {
		ctx, cancel := context.WithDeadline(context.Background(), deadline)
		defer cancel()
		became, err := g.take(ctx, q)
		late.Stop()
		if what, refused := refusedBy(err); refused {
			v := relay.Verdict{Outcome: relay.Refused, Reason: what}
			if q.d.PassRefused {
				v.Outcome = relay.Passed
			}
			reply(Reply{Verdict: v}, FailureNone)
			return
		}
		why := failureOf(err)
		x := Reply{Verdict: why.verdict()}
		if err == nil {
			x.Body = sdp.Replace(nil, q.body, q.part, []byte(became))
		}
		reply(x, why)
	})
	if !asked { // it ended in between
		go reply(Reply{Verdict: FailureClosed.verdict()}, FailureClosed)
	}
	return true
}

// settle is a 2xx without a description: its tag wins.
func (r *Relay) settle(k relay.Key, d *relay.Description) {
	from, tag := d.From, d.Tag
	r.queue(k, false, func(g *dialog) {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		g.settle(ctx, from, tag)
	})
}

// FailedFrom takes back the last offer of a party: its request got a final response over 299.
func (r *Relay) FailedFrom(k relay.Key, from media.Leg) {
	r.queue(k, false, func(g *dialog) {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		g.withdraw(ctx, from)
	})
}

// End ends a dialog, on whatever server it is. final gets the figures, if a server had any, once and from another goroutine.
//
// Where nothing runs any more it is called at once, without any.
func (r *Relay) End(k relay.Key, final func(q relay.Quality, known bool)) {
	queued := r.queue(k, true, func(g *dialog) {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		q, known := g.end(ctx)
		if final != nil {
			final(q, known)
		}
	})
	if !queued && final != nil {
		final(relay.Quality{}, false)
	}
}
