package policy

import (
	"encoding/binary"
	"net/netip"
	"slices"
)

// trunkTable finds the tenant whose PBX sends from an address: the most specific network first, within one network the
// entry that names the port or transport before the one that takes any. It is a value and never changes.
type trunkTable struct {
	nets   shards[netip.Prefix, []trunkEntry]
	v4, v6 []bitsInUse // longest first
}

type trunkEntry struct {
	id        string
	index     int // in Tenant.Trunks
	port      uint16
	transport string
}

type bitsInUse struct{ bits, n int }

func (e trunkEntry) takes(port uint16, transport string) bool {
	return (e.port == 0 || e.port == port) && (e.transport == "" || e.transport == transport)
}

// narrow orders the entries of one network: the more an entry names, the earlier it is asked.
func (e trunkEntry) narrow() int {
	n := 0
	if e.port != 0 {
		n++
	}
	if e.transport != "" {
		n++
	}
	return n
}

// clash says how two entries of one network are neither disjoint nor strictly nested.
func (e trunkEntry) clash(f trunkEntry) string {
	ports := e.port == f.port || e.port == 0 || f.port == 0
	transports := e.transport == f.transport || e.transport == "" || f.transport == ""
	if !ports || !transports {
		return ""
	}
	if e.port == f.port && e.transport == f.transport {
		return "equals"
	}
	eInF := (f.port == 0 || f.port == e.port) && (f.transport == "" || f.transport == e.transport)
	fInE := (e.port == 0 || e.port == f.port) && (e.transport == "" || e.transport == f.transport)
	if eInF || fInE {
		return ""
	}
	return "crosses"
}

func (t *trunkTable) find(src netip.AddrPort, transport string) (trunkEntry, bool) {
	addr := src.Addr().Unmap()
	lens := t.v6
	if addr.Is4() {
		lens = t.v4
	}
	addr = addr.WithZone("")
	for _, l := range lens {
		p, err := addr.Prefix(l.bits)
		if err != nil {
			return trunkEntry{}, false
		}
		list, _ := t.nets.get(hashPrefix(p), p)
		for i := range list {
			if list[i].takes(src.Port(), transport) {
				return list[i], true
			}
		}
	}
	return trunkEntry{}, false
}

// trunkEdit builds the next table.
type trunkEdit struct {
	t    *trunkTable
	nets *shardEdit[netip.Prefix, []trunkEntry]
}

func (e *trunkEdit) begin() {
	if e.nets == nil {
		e.nets = e.t.nets.edit()
	}
}

func (e *trunkEdit) insert(p netip.Prefix, n trunkEntry) {
	e.begin()
	list, _ := e.nets.s.get(hashPrefix(p), p)
	i := 0
	for i < len(list) && list[i].narrow() >= n.narrow() {
		i++
	}
	next := make([]trunkEntry, 0, len(list)+1)
	next = append(append(append(next, list[:i]...), n), list[i:]...)
	e.nets.set(hashPrefix(p), p, next)
	if len(list) == 0 {
		e.t.count(p, 1)
	}
}

func (e *trunkEdit) remove(p netip.Prefix, id string) {
	e.begin()
	list, ok := e.nets.s.get(hashPrefix(p), p)
	if !ok {
		return
	}
	next := slices.DeleteFunc(slices.Clone(list), func(n trunkEntry) bool { return n.id == id })
	if len(next) > 0 {
		e.nets.set(hashPrefix(p), p, next)
		return
	}
	e.nets.remove(hashPrefix(p), p)
	e.t.count(p, -1)
}

func (e *trunkEdit) done() {
	if e.nets != nil {
		e.t.nets = e.nets.s
	}
}

// count keeps the list of prefix lengths in use, which bounds a look-up to the lengths that somebody wrote.
func (t *trunkTable) count(p netip.Prefix, d int) {
	lens := &t.v6
	if p.Addr().Is4() {
		lens = &t.v4
	}
	next := slices.Clone(*lens)
	i := slices.IndexFunc(next, func(l bitsInUse) bool { return l.bits <= p.Bits() })
	if i < 0 {
		i = len(next)
	}
	if i == len(next) || next[i].bits != p.Bits() {
		next = slices.Insert(next, i, bitsInUse{bits: p.Bits()})
	}
	if next[i].n += d; next[i].n <= 0 {
		next = slices.Delete(next, i, i+1)
	}
	*lens = next
}

func hashPrefix(p netip.Prefix) uint32 {
	a := p.Addr().As16()
	hi, lo := binary.BigEndian.Uint64(a[:8]), binary.BigEndian.Uint64(a[8:])
	h := (hi^lo*0x9E3779B97F4A7C15)*0xBF58476D1CE4E5B9 + uint64(p.Bits())
	return uint32(h >> 32)
}
