package node

import (
	"cmp"
	"math"
	"net/netip"
	"slices"
	"strconv"
	"time"

	"github.com/hotcut/hotcut/media"
	"github.com/hotcut/hotcut/media/ng"
)

// report is what is known of passes. It waits for the engine's threads, some microseconds on a machine that keeps up.
func (n *Node) report(list []*pass) *ng.Report {
	r := &ng.Report{}
	for _, p := range list {
		if r.Created.IsZero() || p.created.Before(r.Created) {
			r.Created = p.created
		}
		if p.said.After(r.LastSignal) {
			r.LastSignal = p.said
		}
		q, _ := n.relay.Quality(p.key)
		caller := n.tag(p.tag, p.other, p, p.caller, q.Lines)
		called := n.tag(p.other, p.tag, p, p.caller^1, q.Lines)
		caller.ViaBranch = p.id
		add(r, caller)
		add(r, called)
		for i := range q.Lines {
			for leg := range q.Lines[i].Legs {
				count(r, &q.Lines[i].Legs[leg], q.Lines[i].At)
			}
		}
	}
	slices.SortFunc(r.Tags, func(a, b ng.Tag) int { return cmp.Compare(a.Name, b.Name) })
	return r
}

// add joins the medias of a tag that crossed more than once.
func add(r *ng.Report, t ng.Tag) {
	for i := range r.Tags {
		if r.Tags[i].Name == t.Name {
			r.Tags[i].Medias = append(r.Tags[i].Medias, t.Medias...)
			return
		}
	}
	r.Tags = append(r.Tags, t)
}

// tag is one party.
func (n *Node) tag(name, with string, p *pass, leg media.Leg, lines []media.Stats) ng.Tag {
	t := ng.Tag{Name: name, Created: p.created, With: []string{with}}
	for i := range lines {
		t.Medias = append(t.Medias, n.media(&lines[i], leg))
	}
	return t
}

func (n *Node) media(st *media.Stats, leg media.Leg) ng.Media {
	l := &st.Legs[leg]
	m := ng.Media{Index: st.Key.Line + 1}
	if l.In.Codec != "" {
		m.Codec = l.In.Codec + "/" + strconv.Itoa(int(l.In.ClockRate))
	}
	rtp := ng.Stream{
		Endpoint: l.Peer, Advertised: l.Remote, LastPacket: l.In.Last, SSRC: l.In.SSRC, Flags: []string{"RTP"},
		Counters: ng.Counters{Packets: int64(l.In.Packets), Bytes: int64(l.In.Bytes), Errors: dropped(l)},
	}
	if !rtp.Endpoint.IsValid() {
		rtp.Endpoint = l.Remote
	}
	if l.Peer.IsValid() {
		rtp.Flags = append(rtp.Flags, "confirmed")
	}
	rtcp := ng.Stream{Flags: []string{"RTCP"}, Counters: ng.Counters{Packets: int64(l.In.RTCP)}}
	if s, lives := n.engine.Session(st.Key); lives {
		addr, port, next := s.Local(leg)
		rtp.Local, rtcp.Local = netip.AddrPortFrom(addr, port), netip.AddrPortFrom(addr, next)
	}
	m.Streams = []ng.Stream{rtp, rtcp}
	return m
}

func dropped(l *media.LegStats) (sum int64) {
	for _, n := range l.Dropped {
		sum += int64(n)
	}
	return sum
}

// count adds what came from a party to the totals, and how it sounded.
func count(r *ng.Report, l *media.LegStats, at time.Time) {
	r.RTP.Packets += int64(l.In.Packets)
	r.RTP.Bytes += int64(l.In.Bytes)
	r.RTP.Errors += dropped(l)
	r.RTCP.Packets += int64(l.In.RTCP)
	if !l.MOS.Known || l.In.SSRC == 0 {
		return
	}
	p := ng.QualityPoint{
		MOS: int64(math.Round(10 * l.MOS.Score)), Jitter: l.In.Jitter.Milliseconds(), PacketLoss: int64(math.Round(l.MOS.Loss)),
		RoundTrip: l.Far.MeanTrip.Microseconds(), RoundTripLeg: l.Far.MeanTrip.Microseconds(), Samples: 1,
	}
	extreme := p
	extreme.Samples, extreme.ReportedAt = 0, at
	r.SSRC = append(r.SSRC, ng.Quality{SSRC: l.In.SSRC, Average: p, Lowest: extreme, Highest: extreme})
}
