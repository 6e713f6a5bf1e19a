package proxy

import (
	"log/slog"
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
	e.log.Warn("refused", "cause", rej.cause.String(), "code", rej.code, "method", string(m.Method.Of(m.Raw)), "source", a.from.Addr.String(),
		"call_id", string(m.CallID.Of(m.Raw)), slog.String("from", e.mask(m, m.From.URI)), slog.String("to", e.mask(m, m.RequestURI)),
		"not_logged_before", l.left[rej.cause].Swap(0))
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
