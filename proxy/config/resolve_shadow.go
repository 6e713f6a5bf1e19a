package config

import (
	"fmt"
	"net/netip"
	"strings"
)

// Shadow traffic has sockets of its own, which the edge does not open, and dark cores, from which it takes nothing. Neither is
// of use without the other.

const shadowFix = `add to listen: {name: sink, side: shadow, transport: udp, address: "ADDRESS:PORT"}`

// shadowListener takes a listener of side shadow, and refuses what nobody would read of it.
func (r *resolver) shadowListener(path string, l *Listen, x Listener) {
	if x.Proto != UDP {
		r.fault(path+".transport", "a dark core is spoken to by UDP only", "write udp, or remove it")
	}
	if x.Addr.IsValid() && x.Addr.Addr().IsUnspecified() {
		r.fault(path+".address", "means every interface, and what the dark core calls must be one address", "write the address that the dark core sends to")
	}
	if l.Advertise != "" {
		r.fault(path+".advertise", "has no meaning for side shadow: the dark core is told the address", "remove it")
	}
	if l.Readers > 1 {
		r.fault(path+".readers", "one goroutine reads what a dark core sends", "remove it")
	}
	x.Index = len(r.out.Shadow)
	x.AdvertiseHost, x.AdvertisePort, x.Advertise = x.Addr.Addr().String(), x.Addr.Port(), x.Addr.String()
	r.out.Shadow = append(r.out.Shadow, x)
}

// dark runs last of the peers: a dark core is told from all of them by where it sends from.
func (r *resolver) dark() {
	list := r.c.Platforms.Core.Dark
	switch {
	case len(list) == 0 && len(r.out.Shadow) == 0:
		return
	case len(list) == 0:
		r.fault(fmt.Sprintf("listen[%d].side", r.out.Shadow[0].Entry), "is shadow, and there is no dark core",
			`add platforms.core.dark: [{name: d1, uri: "sip:ADDRESS:PORT"}], or remove this listener`)
		return
	case len(r.out.Shadow) == 0:
		r.fault("platforms.core.dark", "needs a listener with side: shadow, and there is none", shadowFix+", or remove dark")
	}
	names := make(map[string]int)
	for i, d := range list {
		path := fmt.Sprintf("platforms.core.dark[%d]", i)
		r.uniqueName(path, d.Name, i, names)
		x := DarkCore{Index: i, Name: d.Name, Build: d.Build}
		if d.Build != "" && !validBuild(d.Build) {
			r.fault(path+".build", quote(d.Build)+" names no build", "use 1 to 63 of letters, digits, . _ + and -")
		}
		x.Addr = r.darkAddress(path+".uri", d.URI)
		x.Sink = r.sink(path+".sink", d.Sink, x.Addr)
		for j, s := range d.Sources {
			if p, port, ok := r.source(fmt.Sprintf("%s.sources[%d]", path, j), s); ok {
				x.Sources = append(x.Sources, Source{p, port})
			}
		}
		if len(d.Sources) == 0 && x.Addr.IsValid() {
			x.Sources = []Source{{hostPrefix(x.Addr.Addr()), 0}}
		}
		r.darkOverlap(path, &x, len(d.Sources) > 0)
		r.out.Dark = append(r.out.Dark, x)
	}
}

// darkAddress reads a dark core's URI. It must not be what live calls go to.
func (r *resolver) darkAddress(path, uri string) netip.AddrPort {
	addr, proto := r.hop(path, uri)
	if !addr.IsValid() {
		return addr
	}
	if proto != UDP {
		r.fault(path, quote(uri)+" uses TCP: a dark core is spoken to by UDP only", "write sip:ADDRESS:PORT")
	}
	for _, h := range r.out.NextHops {
		if h.Addr == addr {
			r.fault(path, fmt.Sprintf("%s is the target %s of %s: copies would be calls", addr, h.Name, h.Platform), "write the address of an instance that serves nobody")
		}
	}
	for _, c := range r.out.Carriers {
		if c.Addr == addr {
			r.fault(path, fmt.Sprintf("%s is the carrier %s: copies would be calls", addr, c.Name), "write the address of an instance that serves nobody")
		}
	}
	for _, d := range r.out.Dark {
		if d.Addr == addr {
			r.fault(path, fmt.Sprintf("%s is already the dark core %s", addr, d.Name), "give each an address and port of its own")
		}
	}
	return addr
}

// sink is the shadow listener of a dark core: the named one, or the only one.
func (r *resolver) sink(path, name string, addr netip.AddrPort) int {
	var known []string
	for _, l := range r.out.Shadow {
		if l.Name == name || name == "" && len(r.out.Shadow) == 1 {
			if addr.IsValid() && l.Addr.IsValid() && l.Addr.Addr().Is4() != addr.Addr().Is4() {
				r.fault(path, fmt.Sprintf("%s has an address of another family than %s", l.Name, addr), "write both as IPv4, or both as IPv6")
			}
			return l.Index
		}
		known = append(known, l.Name)
	}
	switch {
	case len(known) == 0: // named already
	case name == "":
		r.fault(path, "is missing, and there is more than one listener of side shadow", "write one of "+strings.Join(known, ", "))
	default:
		r.fault(path, quote(name)+" is no listener of side shadow", "write one of "+strings.Join(known, ", ")+", or "+shadowFix)
	}
	return -1
}

// darkOverlap: whatever comes from a dark core is refused, so nothing that serves anybody may seem to come from there. A dark
// core may stand in the network of a platform or carrier, as the narrower of the two: then it is itself, and the rest is theirs.
func (r *resolver) darkOverlap(path string, d *DarkCore, written bool) {
	for j, s := range d.Sources {
		where := path + ".uri"
		if written {
			where = fmt.Sprintf("%s.sources[%d]", path, j)
		}
		clash := func(whose string) {
			r.fault(where, fmt.Sprintf("%s holds %s: what comes from there is refused", s, whose), "write what the dark core alone sends from, as ADDRESS:PORT where it shares an address")
		}
		for _, h := range r.out.NextHops {
			if h.Addr.IsValid() && s.holds(h.Addr) {
				clash(fmt.Sprintf("the target %s of %s", h.Name, h.Platform))
			}
		}
		for _, c := range r.out.Carriers {
			if c.Addr.IsValid() && s.holds(c.Addr) {
				clash("the carrier " + c.Name)
				continue
			}
			for _, o := range c.Sources {
				if !s.apartFrom(o) {
					clash(fmt.Sprintf("%s of the carrier %s", o, c.Name))
				}
			}
		}
		for _, n := range r.out.Networks {
			if o := (Source{n.Prefix, n.Port}); !s.apartFrom(o) {
				clash(fmt.Sprintf("%s of %s", o, n.Platform))
			}
		}
	}
}

func (s Source) String() string {
	if s.Port != 0 {
		return netip.AddrPortFrom(s.Prefix.Addr(), s.Port).String()
	}
	return s.Prefix.String()
}

func (s Source) holds(a netip.AddrPort) bool {
	return s.Prefix.Contains(a.Addr()) && (s.Port == 0 || s.Port == a.Port())
}

// apartFrom: the two have nothing in common, or s is a part of o and not all of it.
func (s Source) apartFrom(o Source) bool {
	if !s.Prefix.Overlaps(o.Prefix) || s.Port != 0 && o.Port != 0 && s.Port != o.Port {
		return true
	}
	within := s.Prefix.Bits() >= o.Prefix.Bits() && (o.Port == 0 || s.Port == o.Port)
	return within && (s.Prefix.Bits() > o.Prefix.Bits() || s.Port != o.Port)
}

// validBuild holds for what stands in reports and keys of a store.
func validBuild(s string) bool {
	return len(s) <= 63 && strings.Trim(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._+-") == ""
}
