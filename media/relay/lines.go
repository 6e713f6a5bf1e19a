package relay

import (
	"errors"
	"strings"

	"github.com/hotcut/hotcut/media"
	"github.com/hotcut/hotcut/media/sdp"
)

// slot is the place of a line: a session, whose ports stay the same until the dialog ends.
type slot struct {
	session *media.Session
	told    [2]bool         // the session was told of this party
	remote  [2]media.Remote // what it was told last
}

const (
	unplaced = -1
	raw      = -2 // there were no ports when it was offered: it passes as it comes, answer included
)

// lineMap says which slot each line of the dialog has.
type lineMap [sdp.MaxMedia]int8

func newLineMap() (m lineMap) {
	for i := range m {
		m[i] = unplaced
	}
	return m
}

// placing is where the lines of one description go.
type placing struct {
	at     [sdp.MaxMedia]int8 // slot by line; under 0: the line stays as it is
	opened [sdp.MaxMedia]bool // slots that were opened for it
	before lineMap            // what the dialog's lines were
}

// place finds the slots of a description's lines and opens those that are missing: all of them or, in a dialog that is
// relayed already, as many as there are ports for.
func (g *dialog) place(x *sdp.Description, d *Description) (*placing, Outcome) {
	if g.slots == nil {
		g.slots, g.lines = make([]*slot, sdp.MaxMedia), newLineMap()
	}
	p := &placing{before: g.lines}
	relayed := !g.empty()
	for i := range x.Media {
		p.at[i] = unplaced
		if !x.Relayable(i) || g.lines[i] == raw {
			continue
		}
		if shared := x.SharesPort(i); shared != i && p.at[shared] >= 0 {
			p.at[i] = p.at[shared]
			continue
		}
		s := g.slotOf(x, i, p)
		if g.slots[s] == nil {
			session, outcome := g.open(x, i, s, d)
			switch {
			case outcome == Anchored:
				g.slots[s], p.opened[s] = &slot{session: session}, true
			case relayed:
				g.lines[i] = raw
				g.relay.counts.unplaced.Add(1)
				continue
			default:
				g.unplace(p)
				return p, outcome
			}
		}
		g.lines[i], p.at[i] = int8(s), int8(s)
	}
	return p, Anchored
}

// unplace undoes place.
func (g *dialog) unplace(p *placing) {
	g.closeSlots(func(i int) bool { return p.opened[i] })
	g.lines = p.before
}

// slotOf is the slot that a live line has, or is to have.
func (g *dialog) slotOf(x *sdp.Description, i int, p *placing) int {
	if has := int(g.lines[i]); has >= 0 && (has == i || !x.Relayable(has)) {
		return has
	}
	if g.lines[i] == unplaced && x.Media[i].Kind == sdp.KindUDPTL {
		for j := range x.Media {
			m := &x.Media[j]
			if m.Port == 0 && g.slots[j] != nil && g.lines[j] == int8(j) && isAudio(x, m) && !p.taken(x, i, j) {
				return j
			}
		}
	}
	return i
}

func isAudio(x *sdp.Description, m *sdp.Media) bool {
	return strings.EqualFold(string(m.Type.Of(x.Raw)), "audio")
}

// taken: a line before i is at slot s.
func (p *placing) taken(x *sdp.Description, i, s int) bool {
	for j := range x.Media[:i] {
		if p.at[j] == int8(s) {
			return true
		}
	}
	return false
}

// open opens the session of a slot.
func (g *dialog) open(x *sdp.Description, i, s int, d *Description) (*media.Session, Outcome) {
	var families [2]media.Family
	addr := x.ConnectionOf(i).Addr
	if !addr.IsValid() || d.SourceAddress && d.Signalling.IsValid() {
		addr = d.Signalling
	}
	if addr.IsValid() {
		families[d.From] = media.IPv6
		if addr.Unmap().Is4() {
			families[d.From] = media.IPv4
		}
	}
	other := d.From ^ 1
	families[other] = d.Family
	if first := g.first(); first != nil && d.Family == media.AnyFamily {
		families[other] = media.IPv6
		if seen, _, _ := first.session.Local(other); seen.Is4() {
			families[other] = media.IPv4
		}
	}
	e := g.relay.engine
	for leg, f := range families {
		if !e.Has(media.Leg(leg), f) {
			return nil, NoFamily
		}
	}
	session, err := e.Open(media.SessionKey{CallID: g.key.CallID, Leg: g.key.Leg, Line: s}, media.Families{Outside: families[media.Outside], Inside: families[media.Inside]})
	if err != nil {
		if !errors.Is(err, media.ErrPorts) {
			g.relay.counts.unopened.Add(1)
		}
		return nil, NoPorts
	}
	g.relay.claim(session)
	return session, Anchored
}

// rewrite puts the other leg's ports into the lines of a description.
func (g *dialog) rewrite(x *sdp.Description, d *Description, p *placing, v *voice) *sdp.Rewrite {
	w := &sdp.Rewrite{Media: make([]sdp.Endpoint, len(x.Media)), ICE: d.ICE}
	to := d.From ^ 1
	for i := range x.Media {
		at := p.at[i]
		if at < 0 {
			continue
		}
		addr, rtp, rtcp := g.slots[at].session.Local(to)
		if m := &x.Media[i]; m.RTCPMux && (v.answer || m.RTCPMuxOnly || m.RTCP.Port == m.Port) {
			rtcp = rtp
		}
		w.Media[i] = sdp.Endpoint{Addr: addr, RTP: rtp, RTCP: rtcp}
		if d.Origin && !w.Origin.IsValid() {
			w.Origin = addr
		}
	}
	return w
}
