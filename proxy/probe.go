package proxy

import (
	"crypto/rand"
	"encoding/binary"
	"strconv"
	"sync"
	"time"

	"github.com/hotcut/hotcut/proxy/transport"
	"github.com/hotcut/hotcut/proxy/wire"
)

// probes asks the targets how they are: OPTIONS each 10 s +-20 %, by the own listener where there is one. Any answer
// but 408 and 503 is alive. health decides what that means; here is only the asking.
//
// runChores asks, readers bring answers: mu guards pending and is never held together with a shard's.
type probes struct {
	edge *Edge
	boot [8]byte

	mu      sync.Mutex
	count   uint64
	pending map[uint64]probe
}

type probe struct {
	topo     *topology
	target   int
	peer     transport.Peer
	deadline int64
}

const (
	probeBranch = branchCookie + "hp"
	probeWait   = 4 * time.Second
)

func (p *probes) init(e *Edge) {
	p.edge = e
	p.pending = map[uint64]probe{}
	rand.Read(p.boot[:])
}

// tick sends what is due and gives up on what was not answered.
func (p *probes) tick(now int64, out *transport.Out) {
	topo := p.edge.topo.Load()
	p.mu.Lock()
	defer p.mu.Unlock()
	for id, x := range p.pending {
		if x.deadline <= now {
			delete(p.pending, id)
			x.topo.health.Miss(x.target, now)
		}
	}
	for _, i := range topo.health.Due(now) {
		t := &topo.targets[i]
		l := topo.listenerFor(own, t.proto, t.addr.Addr(), -1)
		if l < 0 {
			l = int(t.listener)
		}
		p.count++
		peer := transport.Peer{Listener: uint16(l), Proto: t.proto, Addr: t.addr}
		p.pending[p.count] = probe{topo: topo, target: i, peer: peer, deadline: now + int64(probeWait)}
		out.End(peer, p.append(out.Begin(), topo, t, &topo.listeners[l]), uint64(i))
	}
}

func (p *probes) append(b []byte, topo *topology, t *target, l *listener) []byte {
	id := p.appendID(nil, p.count)
	b = append(b, "OPTIONS sip:"...)
	b = t.addr.AppendTo(b)
	if t.proto == transport.TCP {
		b = append(b, ";transport=tcp"...)
	}
	b = append(b, " SIP/2.0\r\n"...)
	b = wire.AppendVia(b, t.proto.Token(), l.sentBy, append([]byte(probeBranch), id...), nil)
	b = append(append(append(b, "From: <sip:hotcut@"...), l.host...), ">;tag="...)
	b = append(append(b, id...), "\r\nTo: <sip:"...)
	b = t.addr.AppendTo(b)
	b = append(append(append(b, ">\r\nCall-ID: probe-"...), id...), "\r\nCSeq: "...)
	b = strconv.AppendUint(b, p.count&0x7fffffff, 10)
	b = append(append(append(b, " OPTIONS\r\nMax-Forwards: 70\r\nContact: <sip:hotcut@"...), l.host...), ">\r\n"...)
	return append(b, "Accept: application/sdp\r\nContent-Length: 0\r\n\r\n"...)
}

func (p *probes) appendID(b []byte, n uint64) []byte {
	var raw [16]byte
	copy(raw[:], p.boot[:])
	binary.BigEndian.PutUint64(raw[8:], n)
	at := len(b)
	b = branchCode.AppendEncode(b, raw[:])
	lower(b[at:])
	return b
}

// answer takes a response to a probe; false: it is none.
func (p *probes) answer(now int64, from transport.Peer, m *wire.Message) bool {
	br := m.TopVia.Branch.Of(m.Raw)
	if len(br) != len(probeBranch)+26 || string(br[:len(probeBranch)]) != probeBranch {
		return false
	}
	var up [26]byte
	for i, c := range br[len(probeBranch):] {
		if c >= 'a' && c <= 'v' {
			c -= 'a' - 'A'
		}
		up[i] = c
	}
	var raw [16]byte
	if n, err := branchCode.Decode(raw[:], up[:]); err != nil || n != 16 || [8]byte(raw[:8]) != p.boot || m.Status < 200 {
		return true
	}
	id := binary.BigEndian.Uint64(raw[8:])
	p.mu.Lock()
	x, ok := p.pending[id]
	ok = ok && x.peer.Addr.Addr() == from.Addr.Addr()
	if ok {
		delete(p.pending, id)
	}
	p.mu.Unlock()
	switch {
	case !ok:
	case m.Status == 408 || m.Status == 503:
		x.topo.health.Miss(x.target, now)
	default:
		x.topo.health.Hit(x.target, now)
	}
	return true
}
