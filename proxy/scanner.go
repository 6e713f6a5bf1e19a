package proxy

import (
	"bytes"

	"github.com/hotcut/hotcut/proxy/wire"
)

// maxAgent is how much of a User-Agent is looked at.
const maxAgent = 128

// scanner: who probes providers for passwords and open relays calls itself by the tool's name, and gets no answer at all: not even that
// somebody is there. It is believed of no one whom we know: a configured source, an address with phones, a call that lives.
func (s *shard) scanner(a *arrival) bool {
	if len(a.topo.scanners) == 0 || a.who.kind != partyPhone {
		return false
	}
	i := a.m.Find(wire.HUserAgent)
	if i < 0 {
		return false
	}
	agent := a.m.Headers[i].Value.Of(a.m.Raw)
	agent = agent[:min(len(agent), maxAgent)]
	low := s.scratch[0][:0]
	for _, c := range agent {
		if 'A' <= c && c <= 'Z' {
			c += 'a' - 'A'
		}
		low = append(low, c)
	}
	s.scratch[0] = low
	for _, name := range a.topo.scanners {
		if bytes.Contains(low, name) {
			return !s.edge.registered(a.from.Addr.Addr())
		}
	}
	return false
}
