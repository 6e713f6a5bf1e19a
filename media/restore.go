package media

import "net/netip"

// record is a line of the journal.
type record struct {
	Key   SessionKey   `json:"key"`
	Ended bool         `json:"ended,omitzero"`
	Legs  [2]legRecord `json:"legs,omitzero"`
}

type legRecord struct {
	Addr   netip.Addr     `json:"addr"`
	Port   uint16         `json:"port"`
	Remote Remote         `json:"remote,omitzero"`
	Ours   bool           `json:"ours,omitzero"` // of Remote
	SDP    netip.AddrPort `json:"sdp,omitzero"`
	Peer   netip.AddrPort `json:"peer,omitzero"` // locked
	RTCP   netip.AddrPort `json:"rtcp,omitzero"`
	Prior  netip.Addr     `json:"prior,omitzero"`
}

// record is the session as the journal keeps it. The journal's mu is held.
func (s *Session) record() record {
	r := record{Key: s.key, Ended: s.over}
	if r.Ended {
		return r
	}
	for leg := range s.legs {
		l, a := &s.legs[leg], s.legs[leg].aim.Load()
		r.Legs[leg] = legRecord{l.addr, l.rtpPort, a.remote, a.remote.ours, a.sdp, a.peer, a.rtcpPeer, a.prior}
	}
	return r
}

// restore opens a session of the journal on the ports that it had.
func (e *Engine) restore(r record) error {
	s := e.newSession(r.Key)
	s.restored = true
	for leg := range r.Legs {
		l := &r.Legs[leg]
		pool := e.pools[l.Addr]
		if pool == nil || !pool.claim(l.Port) {
			e.unbind(s)
			return ErrPorts
		}
		if err := e.bindPair(s, Leg(leg), l.Addr, l.Port); err != nil {
			pool.put(l.Port, e.now())
			e.unbind(s)
			return err
		}
		if a := l.aim(Leg(leg)); a != nil {
			s.legs[leg].aim.Store(a)
		}
	}
	if err := e.add(s); err != nil {
		e.unbind(s)
		return err
	}
	return nil
}

// aim makes of a leg's record what route works with; nil if nothing usable was set.
func (l *legRecord) aim(leg Leg) *aim {
	if l.Remote.check(l.Addr) != nil {
		return nil
	}
	l.Remote.ours = l.Ours
	a := firstAim.pointed(leg, l.Remote)
	a.sdp, a.prior = l.SDP, l.Prior
	if l.Peer.IsValid() {
		a = a.lockedOn(leg, l.Peer)
	}
	if l.RTCP.IsValid() {
		a = a.hearing(leg, l.RTCP)
	}
	return a
}
