package ng

import (
	"cmp"
	"hash/fnv"
	"net/netip"
	"slices"
)

// rank is the weight of a server for a call (rendezvous hashing): each edge, and each run of it, finds the same order, and
// a server that goes or comes moves no call between the others.
func rank(callID string, server netip.AddrPort) uint64 {
	h := fnv.New64a()
	h.Write([]byte(callID))
	h.Write([]byte{0})
	h.Write([]byte(server.String()))
	x := h.Sum64() // its high bits hardly depend on the last byte: mixed, as MurmurHash3 ends
	x = (x ^ x>>33) * 0xff51afd7ed558ccd
	x = (x ^ x>>33) * 0xc4ceb9fe1a85ec53
	return x ^ x>>33
}

// order is where a new call is to be tried: the healthy servers by rank; all if none is healthy.
func (c *Client) order(callID string) []*peer {
	list := slices.Clone(c.peers)
	slices.SortFunc(list, func(a, b *peer) int { return cmp.Compare(rank(callID, b.addr), rank(callID, a.addr)) })
	healthy := slices.DeleteFunc(slices.Clone(list), func(p *peer) bool { return !p.health.up() })
	if len(healthy) > 0 {
		return healthy
	}
	return list
}
