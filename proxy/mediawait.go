package proxy

import (
	"bytes"

	"github.com/hotcut/hotcut/media/relay"
	"github.com/hotcut/hotcut/media/remote"
	"github.com/hotcut/hotcut/proxy/transport"
	"github.com/hotcut/hotcut/proxy/wire"
)

// A message whose description a media server must see waits for the server, never a step. A request waits as what it is: a
// parked server transaction, which absorbs its repetitions and which CANCEL and timers find. A response and an ACK wait as
// bytes, and go through their step again when the reply is there. What comes meanwhile with the same Call-ID waits behind
// them, in the order in which it came.
//
// Bounds: a reply comes within media.wait and a quarter, or stands for a failure, with which the message goes on as it came;
// how many may wait is the remote's Questions; behind each of them stand no more than maxQueued messages.

// pause is a call that waits for a media server.
type pause struct {
	callID   string
	callHash uint32
	request  *request // that waits
	head     *held    // or the message
	behind   []held   // oldest first
	bytes    int      // of behind
}

// held is a message that waits.
type held struct {
	from  transport.Peer
	raw   []byte
	named parties
}

// replied is the reply with which a message goes through its step again.
type replied struct {
	remote.Reply
	there bool
}

const (
	maxQueued      = 32       // messages behind one that waits
	maxQueuedBytes = 64 << 10 // of them, but for the first
)

// queued puts a message behind one of its call that waits. Its own repetition is absorbed. false: nothing waits, or the
// message need not: the CANCEL, or a repetition, of the request that waits.
func (s *shard) queued(from transport.Peer, m *wire.Message, named parties) bool {
	l := s.pauses[string(m.CallID.Of(m.Raw))]
	if l == nil {
		return false
	}
	if l.request != nil && len(l.behind) == 0 && m.Request && (m.Is("CANCEL") || bytes.Equal(m.Raw, l.request.raw)) {
		return false
	}
	if l.head != nil && bytes.Equal(m.Raw, l.head.raw) {
		return true
	}
	for i := range l.behind {
		if bytes.Equal(m.Raw, l.behind[i].raw) {
			return true
		}
	}
	if len(l.behind) == maxQueued || len(l.behind) > 0 && l.bytes+len(m.Raw) > maxQueuedBytes {
		s.edge.drop(causeMediaQueue)
		return true
	}
	l.behind = append(l.behind, held{from, bytes.Clone(m.Raw), named})
	l.bytes += len(m.Raw)
	return true
}

// pauseOf is the pause of a call; a new one if there is none.
func (s *shard) pauseOf(callID []byte, callHash uint32) *pause {
	l := s.pauses[string(callID)]
	if l == nil {
		l = &pause{callID: string(callID), callHash: callHash}
		s.pauses[l.callID] = l
	}
	return l
}

// inquire puts a question for whoever is at the head of l. false: too many wait.
func (s *shard) inquire(l *pause, q *remote.Question) bool {
	e := s.edge
	if e.media.remote.Ask(q, func(x remote.Reply) { e.mediaReplied(l, x) }) {
		return true
	}
	if l.request, l.head = nil, nil; len(l.behind) == 0 {
		delete(s.pauses, l.callID)
	}
	return false
}

// busy is the reply of nobody.
var busy = replied{remote.Reply{Verdict: relay.Verdict{Outcome: relay.Passed, Reason: remote.FailureBusy.String()}}, true}

// proceed lets a request leave, or asks about its media first. m is the request as it came.
func (s *shard) proceed(now int64, r *request, m *wire.Message, out *transport.Out) {
	q := r.hop.question
	if q == nil {
		s.launch(now, r, m, out)
		return
	}
	r.hop.question = nil
	l := s.pauseOf(m.CallID.Of(m.Raw), r.callHash)
	l.request, r.inquiring = r, true
	if !s.inquire(l, q) {
		r.inquiring = false
		s.inquired(now, r, busy.Reply)
		s.launch(now, r, m, out)
	}
}

// consults asks about what a response says. true: it waits.
func (s *shard) consults(now int64, from transport.Peer, m *wire.Message, w answerer, callHash uint32) bool {
	var x relay.Description
	if s.replied.there || m.Body.Empty() || !s.describesAnswerer(m, &w, &x) || len(x.SDP) == 0 {
		return false
	}
	if at := s.anchors[w.key]; at != nil && at.unable {
		return false
	}
	body, v, q := s.describe(now, w.key, &x, mediaRules(s.edge.snapshot(), w.tenant))
	if q == nil { // it is known without asking, and not to be counted twice
		s.replied = replied{remote.Reply{Body: body, Verdict: v}, true}
		return false
	}
	return s.wait(from, m, parties{}, callHash, q)
}

// wait holds a message until a question is answered. false: too many wait, and it goes on as it came.
func (s *shard) wait(from transport.Peer, m *wire.Message, named parties, callHash uint32, q *remote.Question) bool {
	l := s.pauseOf(m.CallID.Of(m.Raw), callHash)
	l.head = &held{from, bytes.Clone(m.Raw), named}
	if s.inquire(l, q) {
		return true
	}
	s.replied = busy
	return false
}

// mediaReplied goes on with a call, on the goroutine that brought the reply.
func (e *Edge) mediaReplied(l *pause, x remote.Reply) {
	out := e.newOut()
	e.goOn(l, x, out)
	out.Flush()
}

func (e *Edge) goOn(l *pause, x remote.Reply, out *transport.Out) {
	s := e.shardOf(l.callHash)
	now := e.now()
	s.mu.Lock()
	defer s.unlock(l.callHash)
	if s.pauses[l.callID] != l {
		return // a panic has dropped the call
	}
	if r := l.request; r != nil {
		l.request, r.inquiring = nil, false
		if s.requests[r.key] == r {
			s.replyTo(now, r, x, out)
		}
	} else if h := l.head; h != nil {
		l.head = nil
		s.replied = replied{x, true}
		s.goesOn(now, l, h, out)
	}
	for l.request == nil && l.head == nil {
		if len(l.behind) == 0 {
			delete(s.pauses, l.callID)
			return
		}
		h := &l.behind[0]
		l.behind, l.bytes = l.behind[1:], l.bytes-len(h.raw)
		s.goesOn(now, l, h, out)
	}
}

// goesOn gives a message that has waited its step.
func (s *shard) goesOn(now int64, l *pause, h *held, out *transport.Out) {
	var m wire.Message
	if m.Scan(h.raw, &s.edge.limits) != wire.FaultNone {
		return // it was accepted once; it can not happen
	}
	s.in.named = h.named
	if m.Request {
		s.serve(now, h.from, &m, l.callHash, out)
	} else {
		s.response(now, h.from, &m, out)
	}
	s.replied = replied{}
}

// replyTo lets a request leave that has waited for a reply.
func (s *shard) replyTo(now int64, r *request, x remote.Reply, out *transport.Out) {
	if r.final || r.raw == nil {
		return // its end has ended what the reply began
	}
	m := &s.again
	if m.Scan(r.raw, &s.edge.limits) != wire.FaultNone {
		return // it was accepted once; it can not happen
	}
	m.Stamped(r.src, r.who.forceRport())
	s.inquired(now, r, x)
	switch {
	case r.cancelled:
		s.answer(now, r, 487, out)
	case x.Verdict.Outcome == relay.Refused:
		s.edge.drop(causeRefusedSDP)
		r.warning = x.Verdict.Warning(s.edge.topo.Load().listeners[r.listener].host)
		s.answer(now, r, 488, out)
	default:
		s.launch(now, r, m, out)
	}
}

// inquired notes what became of the description of a request.
func (s *shard) inquired(now int64, r *request, x remote.Reply) {
	stage := relay.Request
	if !r.hop.inDialog {
		stage = relay.Offer
	}
	r.hop.body = s.took(now, r.media, stage, x.Body, x.Verdict)
	if r.hop.body != nil {
		return
	}
	r.described = false
	if r.hop.inDialog {
		return
	}
	// As it began, so it goes on.
	delete(s.anchors, r.media)
	r.hop.leg, r.media = 0, noMedia
	if d := r.dialog; d != nil {
		d.leg, d.media = 0, noMedia
	}
}
