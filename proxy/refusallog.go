package proxy

import (
	"context"
	"sync/atomic"

	"github.com/hotcut/hotcut/proxy/wire"
)

// refusalLog writes one refusal a second per cause, and how many were left out: a flood fills no disk. Numbers are
// masked to their last two digits unless logNumbers says otherwise.
type refusalLog struct {
	last [causes]atomic.Int64 // unix ns
	left [causes]atomic.Uint64
}

func (e *Edge) logRefusal(a *arrival, rej rejection) {
	l := &e.refusals
	last := l.last[rej.cause].Load()
	if a.now-last < 1e9 || !l.last[rej.cause].CompareAndSwap(last, a.now) {
		l.left[rej.cause].Add(1)
		return
	}
	m := a.m
	method, source, id := string(m.Method.Of(m.Raw)), a.from.Addr.String(), string(m.CallID.Of(m.Raw))
	from, to, left := e.mask(m, m.From.URI), e.mask(m, m.RequestURI), l.left[rej.cause].Swap(0)
	e.lines.put(func() {
		e.log.Warn("refused", "cause", rej.cause.String(), "code", rej.code, "method", method, "source", source, "call_id", id,
			"from", from, "to", to, "not_logged_before", left)
	})
}

// lines are what a step has to say to the log, which may be a pipe that nobody reads: they are written outside the shards'
// locks. Invariant: put never waits; when the queue is full the line is lost.
type lines struct{ queue chan func() }

func (l *lines) put(write func()) {
	select {
	case l.queue <- write:
	default:
	}
}

// run writes until ctx ends, and then what is left.
func (l *lines) run(ctx context.Context) {
	for {
		select {
		case write := <-l.queue:
			write()
			continue
		default:
		}
		select {
		case write := <-l.queue:
			write()
		case <-ctx.Done():
			return
		}
	}
}

// mask hides all but the last two digits of a number; names stay.
func (e *Edge) mask(m *wire.Message, at wire.Span) string {
	name := []byte(partyName(m, at))
	if e.cfg.LogNumbers {
		return string(name)
	}
	digits := 0
	end := len(name)
	for i, c := range name {
		if c == '@' {
			end = i
			break
		}
	}
	for _, c := range name[:end] {
		if c >= '0' && c <= '9' {
			digits++
		}
	}
	if digits < 5 {
		return string(name)
	}
	for i := range name[:end] {
		if name[i] >= '0' && name[i] <= '9' {
			if digits > 2 {
				name[i] = 'x'
			}
			digits--
		}
	}
	return string(name)
}
