package relay

import (
	"net/netip"

	"github.com/hotcut/hotcut/media"
)

// ownPorts finds the session behind an address that we put into a description.
type ownPorts map[netip.AddrPort]ownPort

type ownPort struct {
	session *media.Session
	leg     media.Leg
}

func (r *Relay) claim(s *media.Session) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, leg := range []media.Leg{media.Outside, media.Inside} {
		addr, rtp, _ := s.Local(leg)
		r.own[netip.AddrPortFrom(addr, rtp)] = ownPort{s, leg}
	}
}

func (r *Relay) disclaim(s *media.Session) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, leg := range []media.Leg{media.Outside, media.Inside} {
		addr, rtp, _ := s.Local(leg)
		if at := netip.AddrPortFrom(addr, rtp); r.own[at].session == s {
			delete(r.own, at)
		}
	}
}

func (r *Relay) behind(a netip.AddrPort) (ownPort, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	p, ok := r.own[a]
	return p, ok
}

// misnames says in a word what is wrong with the addresses of ours that a description names; empty: nothing.
func (g *dialog) misnames(v *voice, d *Description) string {
	e := g.relay.engine
	for i, l := range v.slots {
		if l == nil {
			continue
		}
		for _, a := range [2]netip.AddrPort{l.rtp, l.rtcp} {
			switch {
			case !a.IsValid() || !e.Here(a.Addr()) || e.Owns(a):
			case d.From == media.Inside && !e.Ranges(a.Port()): // the platform lives here too
			default:
				return "own_address"
			}
		}
		if g.relay.circles(g.slots[i].session, l.rtp) {
			return "media_loop"
		}
	}
	return ""
}

const maxPasses = 32 // of one call through us

// circles says whether what a session would send to an address comes back to the session.
func (r *Relay) circles(s *media.Session, to netip.AddrPort) bool {
	for range maxPasses {
		at, ours := r.behind(to)
		if !ours {
			return false
		}
		if at.session == s {
			return true
		}
		next, said := at.session.Remote(at.leg ^ 1)
		if !said {
			return false
		}
		to = next.RTP
	}
	return true
}
