package proxy

import (
	"bytes"
	"slices"

	"github.com/hotcut/hotcut/proxy/transaction"
	"github.com/hotcut/hotcut/proxy/transport"
)

// closed is told that a connection is gone. An INVITE that was written to it, and not yet rung, will hardly be answered: a
// target that died must not cost Timer B. It goes to the next target where that is allowed; a phone's call is refused at
// once. Where there is nobody else to ask it waits on: the target may come back, and answers by a connection of its own (RFC
// 3261 section 18.2.2).
func (e *Edge) closed(now int64, p transport.Peer, carried func(tag uint64) bool, out *transport.Out) {
	var lost []*branch
	for i := range e.shards {
		lost = e.shards[i].hungUp(now, p, carried, lost[:0], out)
	}
}

// hungUp ends what waits for an answer over a connection. lost is scratch.
func (s *shard) hungUp(now int64, p transport.Peer, carried func(tag uint64) bool, lost []*branch, out *transport.Out) []*branch {
	s.mu.Lock()
	if len(s.streams) == 0 {
		s.mu.Unlock()
		return lost
	}
	defer s.unlockTimers()
	for _, b := range s.streams {
		if b.wentBy(p, carried) && b.doomed() {
			lost = append(lost, b)
		}
	}
	slices.SortFunc(lost, func(a, b *branch) int { return bytes.Compare(a.id[:], b.id[:]) }) // a map has no order, and runs repeat
	for _, b := range lost {
		s.fired = b.callHash
		s.stepClient(now, b, transaction.TransportError, nil, out)
	}
	return lost
}

// wentBy tells whether b was sent over that connection.
func (b *branch) wentBy(p transport.Peer, carried func(tag uint64) bool) bool {
	if b.peer.Conn != 0 {
		return b.peer.Conn == p.Conn
	}
	return carried != nil && b.peer.Listener == p.Listener && b.peer.Addr == p.Addr && carried(b.tag())
}

// doomed: nobody will answer b, and it matters.
func (b *branch) doomed() bool {
	r := b.req
	if !r.invite || b.over || b.given || b.rang || r.final || r.current != b {
		return false
	}
	return b.peer.Conn != 0 || r.maySwitch(causeTransport, classInvite)
}
