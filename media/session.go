package media

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"sync/atomic"
	"time"
)

// SessionKey names a session: one media line of one pass of a call through the edge.
type SessionKey struct {
	CallID string // of the SIP dialog
	Leg    string // the edge's own id of this pass (NG: via-branch or label): one Call-ID may cross twice
	Line   int    // index of the media line in the SDP
}

const maxKey = 1024 // bytes of Call-ID and leg id together

func (k SessionKey) check() error {
	if k.CallID == "" || len(k.CallID)+len(k.Leg) > maxKey {
		return fmt.Errorf("media: a session's key has %d bytes, want 1 to %d", len(k.CallID)+len(k.Leg), maxKey)
	}
	return nil
}

// ErrClosed is what a closed session or engine answers.
var ErrClosed = errors.New("media: closed")

// A Session relays one media line between two legs.
//
// Concurrency: Open gives the session to one thread of the engine for life. That thread alone reads its sockets, runs
// route, and owns every counter and the latch; so a packet needs no lock. What signalling says (SetRemote, Hold) is
// an immutable aim per leg behind an atomic pointer: it is in force for the next packet, and never waits for the thread.
// What asks for counters (Stats) or ends the session (Close) goes to the thread as a message, between two batches.
// Rejected: counters as atomics (eight of them per packet, each with a bus lock), and a mutex per session (a reader that
// is descheduled while holding it stops a call).
type Session struct {
	// Set once by Open.
	key       SessionKey
	engine    *Engine
	thread    *thread
	restored  bool
	opened    time.Duration // since the engine's start
	sockets   [portsPerSession]int
	mediaNets []netip.Prefix

	closed  atomic.Bool
	unsaved bool // guarded by journal.mu: stands in journal.dirty
	over    bool // guarded by journal.mu: its end is noted

	// Owned by the thread.
	slot  int
	moved bool // a latch moved since the journal was told
	watch watch
	legs  [2]legState
	final *Stats // of a closed session
}

// legState is one leg of a session.
type legState struct {
	addr    netip.Addr // bound to
	say     netip.Addr // what SDP says
	rtpPort uint16     // even; RTCP has the next

	aim atomic.Pointer[aim] // swapped whole by SetRemote, Hold and the latch

	// Owned by the thread.
	latch   latch
	in      stream  // what the party sends
	out     sent    // what it is sent
	far     farView // what it says of that
	rtcp    uint64  // RTCP packets of the party
	dropped [drops]uint64
	kernel  [2]uint32 // packets that the kernel dropped because the socket was full: RTP, RTCP
}

// sent counts what goes to a party.
type sent struct{ packets, bytes uint64 }

// Key is the session's name.
func (s *Session) Key() SessionKey { return s.key }

// Restored says that the session was found in the journal of an engine that died.
func (s *Session) Restored() bool { return s.restored }

// Local is what the SDP of a leg says: the address and the ports for RTP and RTCP. It never changes.
func (s *Session) Local(leg Leg) (addr netip.Addr, rtp, rtcp uint16) {
	l := &s.legs[leg]
	return l.say, l.rtpPort, l.rtpPort + 1
}

// SetRemote takes the newest offer or answer of the party behind a leg. It is in force for the next packet. A changed
// address of media re-opens the leg's latch; an unusable one is refused and what was said before stays. A port of
// another session of this engine is taken for what it is: the call passes us twice.
func (s *Session) SetRemote(leg Leg, r Remote) error {
	if s.closed.Load() {
		return ErrClosed
	}
	r.RTP, r.RTCP = unmapped(r.RTP), unmapped(r.RTCP)
	r.Signalling = r.Signalling.Unmap().WithZone("")
	if err := r.check(s.legs[leg].addr); err != nil {
		return err
	}
	r.RTP, r.ours = s.engine.owned(r.RTP)
	r.RTCP, _ = s.engine.owned(r.RTCP)
	if r.ours && s.isPort(r.RTP) {
		return fmt.Errorf("%w: %v is the session's own port", errRemote, r.RTP)
	}
	r.Payloads = slices.Clone(r.Payloads)
	s.update(leg, func(a *aim) *aim { return a.pointed(leg, r) })
	return nil
}

// isPort says whether an address is one of the session's: its packets would run in circles.
func (s *Session) isPort(a netip.AddrPort) bool {
	for leg := range s.legs {
		if l := &s.legs[leg]; a.Addr() == l.addr && a.Port()&^1 == l.rtpPort {
			return true
		}
	}
	return false
}

// Hold takes a new direction of the party behind a leg where nothing else of its SDP changed. No packet is refused for
// it (music on hold has to arrive); it says whose silence is no event.
func (s *Session) Hold(leg Leg, d Direction) error {
	if s.closed.Load() {
		return ErrClosed
	}
	s.update(leg, func(a *aim) *aim { return a.turned(d) })
	return nil
}

// Remote is what was last set for a leg; false before.
func (s *Session) Remote(leg Leg) (Remote, bool) {
	a := s.legs[leg].aim.Load()
	return a.remote, a.remote.RTP.IsValid()
}

// Peer is the address that a leg is locked on; false while it waits.
func (s *Session) Peer(leg Leg) (netip.AddrPort, bool) {
	a := s.legs[leg].aim.Load()
	return a.peer, a.locked
}

func (s *Session) update(leg Leg, f func(*aim) *aim) {
	p := &s.legs[leg].aim
	for {
		old := p.Load()
		if p.CompareAndSwap(old, f(old)) {
			break
		}
	}
	s.engine.journal.mark(s)
}

// swap moves the latch of a leg; false if signalling was quicker.
func (s *Session) swap(leg Leg, old, next *aim) bool {
	if !s.legs[leg].aim.CompareAndSwap(old, next) {
		return false
	}
	s.moved = true
	return true
}

// agreed is the set of payload types that either party named.
func (s *Session) agreed() typeSet {
	a, b := s.legs[0].aim.Load().types, s.legs[1].aim.Load().types
	return typeSet{a[0] | b[0], a[1] | b[1]}
}

// trusted says whether an address is one of the platform's media servers.
func (s *Session) trusted(a netip.Addr) bool {
	for _, p := range s.mediaNets {
		if p.Contains(a) {
			return true
		}
	}
	return false
}

func unmapped(a netip.AddrPort) netip.AddrPort {
	return netip.AddrPortFrom(a.Addr().Unmap().WithZone(""), a.Port())
}

// Stats returns the figures as they are now. It waits for the session's thread to come by, some microseconds on a
// machine that keeps up: not for a SIP path, which gets the final figures by EventClosed.
func (s *Session) Stats() Stats {
	var st Stats
	done := make(chan struct{})
	s.thread.do(func() {
		st = s.stats(s.engine.now())
		close(done)
	})
	<-done
	return st
}

// Close ends the session. It does not wait: the sockets are closed and the ports laid to rest when the thread comes by,
// and the final figures come as EventClosed. A second Close does nothing.
func (s *Session) Close() {
	if s.closed.Swap(true) {
		return
	}
	s.engine.forget(s)
	s.thread.do(func() { s.thread.release(s, true) })
}
