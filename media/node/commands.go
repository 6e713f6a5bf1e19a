package node

import (
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/hotcut/hotcut/media"
	"github.com/hotcut/hotcut/media/ng"
	"github.com/hotcut/hotcut/media/relay"
	"github.com/hotcut/hotcut/media/sdp"
)

// defaultList is how many calls a list has if nobody says.
const defaultList = 32

// offer is an offer: of a new pass, or of one that lives.
func (n *Node) offer(q ng.Request) (ng.Response, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	var p *pass
	stage := relay.Request
	if n.opens(&q) {
		var err error
		if p, err = n.open(&q); err != nil {
			return ng.Response{}, err
		}
		stage = relay.Offer
	} else {
		p = n.of(&q)
	}
	from := p.caller
	if q.FromTag != p.tag {
		from ^= 1
	}
	r, v, err := n.describe(p, &q, from, stage, relay.AsOffer)
	if err != nil {
		return r, err
	}
	p.note(q.FromTag)
	p.note(q.ToTag)
	if q.ViaBranch != "" {
		p.branch = q.ViaBranch
	}
	if stage == relay.Offer && v.Outcome == relay.Anchored {
		n.calls[q.CallID] = append(n.calls[q.CallID], p)
	}
	return r, nil
}

// answer is an answer, of an 18x or of a 2xx: the newest counts.
func (n *Node) answer(q ng.Request) (ng.Response, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	p := n.of(&q)
	if p == nil {
		return ng.Response{}, ng.ErrUnknownCall
	}
	from := p.caller // of a re-INVITE of the called party, whose tag stands in From
	if q.FromTag == p.tag {
		from ^= 1
	}
	r, _, err := n.describe(p, &q, from, relay.Reply, relay.AsAnswer)
	if err == nil {
		p.note(q.FromTag)
		p.note(q.ToTag)
	}
	return r, err
}

// note learns the other party's tag.
func (p *pass) note(tag string) {
	if tag != "" && tag != p.tag {
		p.other = tag
	}
}

// describe hands a description to the relay.
func (n *Node) describe(p *pass, q *ng.Request, from media.Leg, stage relay.Stage, role relay.Role) (ng.Response, relay.Verdict, error) {
	f := &q.Flags
	d := relay.Description{
		SDP: []byte(q.SDP), From: from, Stage: stage, Role: role, Signalling: f.ReceivedFrom,
		Trusted: f.Asymmetric, SourceAddress: f.SIPSourceAddress, Origin: f.ReplaceOrigin, ICE: sdp.ICEReplace,
		Loose:  slices.Contains(f.Other, ng.LooseLatching),
		Family: map[ng.Family]media.Family{ng.IP4: media.IPv4, ng.IP6: media.IPv6}[f.AddressFamily],
	}
	if f.ICE == ng.ICERemove {
		d.ICE = sdp.ICERemove
	}
	out, v := n.relay.Describe(nil, p.key, d)
	switch {
	case v.Fault != sdp.FaultNone:
		return ng.Response{}, v, ng.ErrSDP
	case v.Outcome == relay.Refused:
		return ng.Response{}, v, ng.Reason(ng.RefusedPrefix + v.Reason)
	case v.Outcome == relay.NoPorts && q.LoadLimit && stage == relay.Offer:
		return ng.Response{}, v, ng.ErrLoadLimit
	case v.Outcome == relay.NoPorts:
		return ng.Response{}, v, ng.ErrNoPorts
	case v.Outcome == relay.NoFamily:
		return ng.Response{}, v, ng.Reason("No interface of that address family")
	}
	p.said, p.due = time.Now(), time.Time{}
	return ng.Response{SDP: string(out), Warning: notDone(q)}, v, nil
}

// notDone says what was asked for and is not done here.
func notDone(q *ng.Request) string {
	f, list := &q.Flags, []string(nil)
	if want := f.TransportProtocol; want != "" && !strings.Contains(q.SDP, " "+want+" ") && strings.Contains(q.SDP, "RTP/") {
		list = append(list, "transport-protocol is not translated")
	}
	if f.MediaAddress.IsValid() {
		list = append(list, "media-address is not taken")
	}
	if f.Record == ng.RecordOn {
		list = append(list, "nothing is recorded")
	}
	if mux := strings.Contains(q.SDP, "a=rtcp-mux"); len(f.RTCPMux) > 0 && mux && !slices.Equal(f.RTCPMux, []string{"offer"}) && !slices.Equal(f.RTCPMux, []string{"accept"}) {
		list = append(list, "rtcp-mux is left to the parties")
	}
	if f.ICE == ng.ICEForce && !strings.Contains(q.SDP, "a=ice-ufrag:") {
		list = append(list, "ICE is not begun here")
	}
	return strings.Join(list, "; ")
}

// delete ends the passes that it can mean.
func (n *Node) delete(q ng.Request) (ng.Response, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	list := n.matching(&q)
	if len(list) == 0 {
		return ng.Response{}, ng.ErrUnknownCall
	}
	r := ng.Response{Report: n.report(list)}
	for _, p := range list {
		if q.DeleteDelay > 0 {
			p.due = time.Now().Add(q.DeleteDelay)
		} else {
			n.end(p)
		}
	}
	return r, nil
}

// query says what is known of a call.
func (n *Node) query(q ng.Request) (ng.Response, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	list := n.matching(&q)
	if len(list) == 0 {
		return ng.Response{}, ng.ErrUnknownCall
	}
	return ng.Response{Report: n.report(list)}, nil
}

// list names the calls.
func (n *Node) list(q ng.Request) (ng.Response, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	limit := q.Limit
	if limit == 0 {
		limit = defaultList
	}
	calls := slices.Sorted(maps.Keys(n.calls))
	return ng.Response{Calls: calls[:min(limit, len(calls))]}, nil
}

// statistics are our own; their shape is no other server's.
func (n *Node) statistics(ng.Request) (ng.Response, error) {
	n.mu.Lock()
	calls := len(n.calls)
	n.mu.Unlock()
	c, r := n.engine.Counters(), n.relay.Counters()
	dropped, outcomes := ng.Dict{"kernel": int64(c.Kernel)}, ng.Dict{}
	for _, d := range media.Drops() {
		dropped[d.String()] = int64(c.Dropped[d])
	}
	for o, count := range r.Outcomes {
		outcomes[o.String()] = int64(count)
	}
	return ng.Response{Statistics: ng.Dict{
		"calls": int64(calls), "sessions": int64(c.Sessions), "opened": int64(c.Opened),
		"packets": int64(c.Packets), "bytes": int64(c.Bytes), "dropped": dropped, "descriptions": outcomes,
	}}, nil
}
