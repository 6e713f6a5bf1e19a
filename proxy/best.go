package proxy

import (
	"bytes"

	"github.com/hotcut/hotcut/proxy/transport"
	"github.com/hotcut/hotcut/proxy/wire"
)

// The best response (RFC 3261 section 16.7 items 6 and 7) of a request that went to several targets, one after the other.
//
//	6xx                            before all
//	3xx, 4xx, 5xx                  the lowest class; of 4xx first those that tell the caller what to do: 401 407 415 420 484
//	503                            behind its class, and it becomes a 500: it speaks of that target, not of us
//	our own 408, 480, 500, 503     only when no target has said anything
//
// Of equals the newest goes up. A 401 or 407 that goes up carries the challenges of all the others.

// keptAnswers are the refusals of targets that were given up, should no better answer come.
type keptAnswers struct {
	status     int    // as the target said it
	resp       []byte // ready to go upstream
	challenges []byte // header lines of the 401s and 407s that resp is not
}

// rank orders final responses: the lowest goes up.
func rank(status int) int {
	switch status {
	case 401, 407, 415, 420, 484:
		return 40
	case 503:
		return 59
	}
	if status >= 600 {
		return 0
	}
	return status/100*10 + 5
}

// keep remembers the final response of a branch that was given up.
func (s *shard) keep(r *request, b *branch, m *wire.Message) {
	if b.said || b.want || b.canceller != nil {
		return // it repeats itself, or we asked for its 487
	}
	b.said = true
	resp := s.popVia(nil, m, b.upstream())
	if r.kept == nil {
		r.kept = &keptAnswers{}
	}
	k := r.kept
	switch {
	case k.resp == nil:
		k.status, k.resp = m.Status, resp
	case rank(m.Status) <= rank(k.status):
		k.challenges = s.appendChallenges(k.challenges, k.status, k.resp)
		k.status, k.resp = m.Status, resp
	default:
		k.challenges = s.appendChallenges(k.challenges, m.Status, resp)
	}
}

const maxChallenges = 8 << 10 // bytes kept of one request's

// appendChallenges copies the challenges of a response that is ready to go upstream.
func (s *shard) appendChallenges(dst []byte, status int, resp []byte) []byte {
	m := &s.again
	if status != 401 && status != 407 || m.Scan(resp, &s.edge.limits) != wire.FaultNone {
		return dst
	}
	all := appendHeaders(appendHeaders(dst, m, wire.HWWWAuthenticate), m, wire.HProxyAuthenticate)
	if len(all) > maxChallenges {
		return dst
	}
	return all
}

// conclude sends the best final response upstream: that of the last target, or one that was kept.
func (s *shard) conclude(now int64, r *request, b *branch, m *wire.Message, out *transport.Out) {
	k := r.kept
	if k != nil && k.resp != nil && rank(k.status) < rank(m.Status) {
		s.keep(r, b, m)
		s.upKept(now, r, out)
		return
	}
	status := m.Status
	resp := s.popVia(out.Begin(), m, b.upstream())
	if k != nil {
		k.challenges = s.appendChallenges(k.challenges, k.status, k.resp)
		resp = withChallenges(resp, status, k.challenges)
	}
	resp, code := s.unavailable(r, status, resp)
	s.up(now, r, code, resp, out)
}

// upKept sends the best of the kept responses upstream. false: there is none.
func (s *shard) upKept(now int64, r *request, out *transport.Out) bool {
	k := r.kept
	if k == nil || k.resp == nil {
		return false
	}
	r.kept = nil
	resp := withChallenges(append(out.Begin(), k.resp...), k.status, k.challenges)
	resp, code := s.unavailable(r, k.status, resp)
	s.up(now, r, code, resp, out)
	return true
}

// withChallenges adds header lines to a 401 or 407.
func withChallenges(resp []byte, status int, lines []byte) []byte {
	if len(lines) == 0 || status != 401 && status != 407 {
		return resp
	}
	end := bytes.Index(resp, []byte("\r\n\r\n")) + 2
	rest := string(resp[end:])
	return append(append(resp[:end], lines...), rest...)
}

const (
	line500 = "SIP/2.0 500 Server Internal Error\r\n"
	line503 = "SIP/2.0 503 Service Unavailable\r\n"
)

// unavailable: a target's 503 has become a 500, unless nothing that this edge can reach would serve: then the caller is to
// try another edge.
func (s *shard) unavailable(r *request, status int, resp []byte) ([]byte, int) {
	if status != 503 {
		return resp, status
	}
	if rest, ok := bytes.CutPrefix(resp, []byte(line500)); ok && r.topo.health.AllOut() {
		return append(append(resp[:0], line503...), rest...), 503 // a shorter line: rest only moves down
	}
	return resp, 500
}
