package proxy

import (
	"strconv"

	"github.com/hotcut/hotcut/media"
	"github.com/hotcut/hotcut/media/relay"
	"github.com/hotcut/hotcut/media/remote"
	"github.com/hotcut/hotcut/media/sdp"
	"github.com/hotcut/hotcut/policy"
	"github.com/hotcut/hotcut/proxy/wire"
)

// anchoring is a shard's scratch for bodies.
type anchoring struct{ kind, length, body []byte }

// bodyOf fills the body of a message into x. A compressed one, or one about another session than the dialog's own (RFC
// 3959), is somebody else's business and left out.
func (s *shard) bodyOf(m *wire.Message, x *relay.Description) {
	kind := m.Find(wire.HContentType)
	if m.Body.Empty() || kind < 0 {
		return
	}
	if i := m.Find(wire.HContentEncoding); i >= 0 && !wire.EqualFold(m.Value(i), "identity") {
		return
	}
	if i := m.Find(wire.HContentDisposition); i >= 0 && !wire.EqualFold(firstToken(m.Value(i)), "session") {
		return
	}
	x.SDP, x.ContentType = m.Body.Of(m.Raw), m.Value(kind)
	if m.Headers[kind].Folded {
		s.anchoring.kind = m.AppendUnfolded(s.anchoring.kind[:0], m.Headers[kind].Value)
		x.ContentType = s.anchoring.kind
	}
}

// describe hands a description to the relay. body is what goes on in its place, valid for the step, or nil: it goes on as
// it came. A question comes back where a server must be asked first; then nothing has happened yet.
func (s *shard) describe(now int64, k relay.Key, x *relay.Description, rules policy.Media) (body []byte, v relay.Verdict, q *remote.Question) {
	at := s.anchors[k]
	if at != nil && at.unable {
		return nil, relay.Verdict{Outcome: relay.Passed}, nil
	}
	x.ICE, x.PassRefused, x.Loose = sdp.ICEReplace, rules.PassRefused(), x.From == media.Outside && rules.Loose()
	x.Trusted = x.From == media.Inside
	var out []byte
	if p := s.edge.media; p.remote == nil {
		out, v = p.relay.Describe(s.anchoring.body[:0], k, *x)
	} else if s.replied.there {
		out, v, s.replied = s.replied.Body, s.replied.Verdict, replied{}
	} else if out, v, q = p.remote.Describe(s.anchoring.body[:0], k, x); q != nil {
		return nil, v, q
	}
	s.anchoring.body = out
	return s.took(now, k, x.Stage, out, v), v, nil
}

// took notes what became of a description.
func (s *shard) took(now int64, k relay.Key, stage relay.Stage, out []byte, v relay.Verdict) (body []byte) {
	at := s.anchors[k]
	switch {
	case v.Outcome == relay.Anchored:
		at = s.anchorOf(k)
		at.open, at.seen = true, now
		return out
	case v.Reason == "" && v.Outcome == relay.Passed: // nothing to relay
	case v.Outcome == relay.Refused && stage == relay.Request: // it will be answered 488, and changes nothing
	case (at == nil || !at.open) && stage != relay.Offer: // an offer's dialog is not anchored at all
		at = s.anchorOf(k)
		at.unable, at.seen = true, now
	}
	return nil
}

// anchorOf is the shard's entry for a session; a new one if there is none.
func (s *shard) anchorOf(k relay.Key) *anchor {
	at := s.anchors[k]
	if at == nil {
		at = &anchor{key: k}
		s.anchors[k] = at
	}
	return at
}

// spliceBody puts another body into a message. stream: it leaves over one, where a length must be said.
func (s *shard) spliceBody(sp *wire.Splice, m *wire.Message, body []byte, stream bool) {
	x := &s.anchoring
	x.length = x.length[:0]
	if i := m.Find(wire.HContentLength); i >= 0 {
		x.length = strconv.AppendInt(x.length, int64(len(body)), 10)
		sp.Replace(m.Headers[i].Value, x.length)
	} else if stream {
		x.length = strconv.AppendInt(append(x.length, "Content-Length: "...), int64(len(body)), 10)
		x.length = append(x.length, '\r', '\n')
		sp.EndHeaders(x.length)
	}
	sp.Replace(m.Body, body)
}
