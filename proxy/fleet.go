package proxy

import (
	"net/netip"
	"strings"
	"sync/atomic"

	"github.com/hotcut/hotcut/policy"
	"github.com/hotcut/hotcut/proxy/transport"
)

// fleet is the other edges, as the roster last named them: who they are and where they are reached from the inside.
// A flow of another edge is reached by one hop to that edge, whose token it verifies itself.
type fleet struct {
	cur atomic.Pointer[roster]
}

type roster struct {
	byName map[uint32]transport.Peer
	addrs  map[netip.Addr]struct{}
	edges  int
}

// update takes a new roster. Addresses that do not parse are ignored: an edge wrote them, not a person.
func (f *fleet) update(nodes []policy.NodeState, self string) {
	r := &roster{byName: map[uint32]transport.Peer{}, addrs: map[netip.Addr]struct{}{}, edges: len(nodes)}
	for _, n := range nodes {
		if n.Edge == self {
			continue
		}
		for _, in := range n.Inside {
			proto, at, _ := strings.Cut(in, ":")
			addr, err := netip.ParseAddrPort(at)
			if err != nil || proto != "udp" && proto != "tcp" {
				continue
			}
			p := transport.Peer{Proto: transport.UDP, Addr: addr}
			if proto == "tcp" {
				p.Proto = transport.TCP
			}
			if _, ok := r.byName[hash32(n.Edge)]; !ok {
				r.byName[hash32(n.Edge)] = p
			}
			r.addrs[addr.Addr()] = struct{}{}
		}
	}
	f.cur.Store(r)
}

func (f *fleet) find(edge uint32) (transport.Peer, bool) {
	if r := f.cur.Load(); r != nil {
		p, ok := r.byName[edge]
		return p, ok
	}
	return transport.Peer{}, false
}

// knows tells whether an inside address is another edge's.
func (f *fleet) knows(a netip.Addr) bool {
	r := f.cur.Load()
	if r == nil {
		return false
	}
	_, ok := r.addrs[a]
	return ok
}

// size is how many edges are listed, this one included; at least 1.
func (f *fleet) size() int {
	if r := f.cur.Load(); r != nil && r.edges > 0 {
		return r.edges
	}
	return 1
}
