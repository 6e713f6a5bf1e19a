package proxy

import (
	"bytes"
	"sync"

	"github.com/hotcut/hotcut/policy"
	"github.com/hotcut/hotcut/proxy/wire"
)

// A request outside dialogs may name one (Replaces, RFC 3891; Join, RFC 3911; Target-Dialog, RFC 4538). Only a platform that
// is party to it knows what to do with the request:
//
//	the index knows the dialog      to its platform
//	it does not                     to the platform of the sender's other living dialogs, if they are all on one
//	neither                         by the policy
//
// The index is this edge's own. A call that another edge carries is found by the sender's dialogs, or not.

// parties is who takes part in a dialog.
type parties struct {
	names  bool            // the request names a dialog
	serves policy.Platform // the platform that serves the named one; NoPlatform: it is not known
	both   [3]bool         // every platform that is an end of it
}

// named looks the dialog up that m names. It is called before m's own shard is locked: the dialog is another one's.
func (e *Edge) named(m *wire.Message) (p parties) {
	if !m.Request || !m.To.Tag.Empty() {
		return p
	}
	at := m.Find(wire.HReplaces)
	if at < 0 {
		if at = m.Find(wire.HJoin); at < 0 {
			if at = m.Find(wire.HTargetDialog); at < 0 {
				return p
			}
		}
	}
	p.names = true
	value := unfolded(m, at)
	callID, params, _ := bytes.Cut(value, []byte{';'})
	callID = trim(callID)
	var tags [2][]byte
	for name, v := range wire.Params(params) {
		switch {
		case wire.EqualFold(name, "from-tag"), wire.EqualFold(name, "local-tag"):
			tags[0] = v
		case wire.EqualFold(name, "to-tag"), wire.EqualFold(name, "remote-tag"):
			tags[1] = v
		}
	}
	if len(callID) == 0 || len(callID) > e.limits.CallID {
		return p
	}
	s := e.shardOf(e.callHash(callID))
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, tag := range tags { // either side may have begun it
		if len(tag) == 0 || len(tag) > e.limits.Tag {
			continue
		}
		if d := s.dialogs[keyOf(callID, tag)]; d != nil {
			p.serves = d.platform
			p.both[d.platform] = true
			for _, x := range []*end{&d.a, &d.b} {
				if x.kind == endTarget {
					p.both[x.platform] = true
				}
			}
			break
		}
	}
	return p
}

// party is the platform that a request from outside goes to because of the dialog that it names; NoPlatform: it names none, or
// nobody knows.
func (s *shard) party(a *arrival) policy.Platform {
	switch p := &a.named; {
	case !p.names || a.query.Emergency:
		return policy.NoPlatform
	case p.serves != policy.NoPlatform:
		return p.serves
	}
	if a.who.kind != partyPhone {
		return policy.NoPlatform
	}
	return s.edge.callers.platform(callerKey(a.from.Addr, a.from.Conn))
}

// callers counts, for every phone by where it sends from, its living dialogs on each platform. It has an entry for a dialog's
// phone as long as the index has the dialog, so it is bounded as the index is.
type callers struct {
	parts [16]struct {
		mu sync.Mutex
		m  map[caller][3]uint32 // by platform
	}
}

type caller [26]byte

func callerKey(addr netipAddrPort, conn uint64) (k caller) {
	a := addressKey(addr.Addr(), addr.Port())
	copy(k[:], a[:])
	for i := range 8 {
		k[18+i] = byte(conn >> (8 * i))
	}
	return k
}

func (c *callers) platform(k caller) policy.Platform {
	p := &c.parts[k.part()]
	p.mu.Lock()
	defer p.mu.Unlock()
	n := p.m[k]
	switch {
	case n[policy.Legacy] > 0 && n[policy.Core] == 0:
		return policy.Legacy
	case n[policy.Core] > 0 && n[policy.Legacy] == 0:
		return policy.Core
	}
	return policy.NoPlatform
}

func (k *caller) part() int { return int(k[15]^k[16]^k[17]^k[18]) & 15 }

func (c *callers) add(k caller, on policy.Platform, n int) {
	p := &c.parts[k.part()]
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.m == nil {
		p.m = map[caller][3]uint32{}
	}
	v := p.m[k]
	v[on] = uint32(max(int(v[on])+n, 0))
	if v == [3]uint32{} {
		delete(p.m, k)
		return
	}
	p.m[k] = v
}

// count adds n dialogs to each phone that is an end of d.
func (c *callers) count(d *dialog, n int) {
	for _, x := range [...]*end{&d.a, &d.b} {
		if x.kind == endFlow {
			c.add(callerKey(x.addr, x.conn), d.platform, n)
		}
	}
}
