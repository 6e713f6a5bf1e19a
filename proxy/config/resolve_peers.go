package config

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"
)

const hopFix = "write sip:ADDRESS:PORT;transport=udp or tcp, with a numeric address"

// carriers runs before the platforms: their egress listeners are closed to everything else.
func (r *resolver) carriers() {
	names := make(map[string]int)
	egress := make(map[int]string)
	for i, c := range r.c.Carriers {
		path := fmt.Sprintf("carriers[%d]", i)
		r.uniqueName(path, c.Name, i, names)
		hop := CarrierHop{Index: i, Name: c.Name, Trusted: c.Trusted, NumberFormat: cmp.Or(c.NumberFormat, "e164"), Egress: -1}
		hop.Addr, hop.Proto = r.hop(path+".uri", c.URI)
		hop.Listener = r.listenerFor(path+".uri", Outside, hop.Addr, hop.Proto)
		for j, s := range c.Sources {
			if p, port, ok := r.source(fmt.Sprintf("%s.sources[%d]", path, j), s); ok {
				hop.Sources = append(hop.Sources, Source{p, port})
			}
		}
		if len(c.Sources) == 0 && hop.Addr.IsValid() {
			hop.Sources = []Source{{hostPrefix(hop.Addr.Addr()), 0}}
		}
		switch c.Media {
		case "", "off":
			hop.MediaOff = c.Media == "off"
		default:
			r.fault(path+".media", quote(c.Media)+" is no choice", "write off (SDP of its calls passes untouched), or remove it")
		}
		if !validNumberFormat(hop.NumberFormat) {
			r.fault(path+".numberFormat", quote(c.NumberFormat)+" is no format", "write e164, national:CC (such as national:1) or strip:N (1 to 15 digits to drop)")
		}
		if c.Egress != "" {
			hop.Egress = r.insideListener(path+".egress", c.Egress)
			if other, taken := egress[hop.Egress]; taken && hop.Egress >= 0 {
				r.fault(path+".egress", quote(c.Egress)+" is already the egress of "+other, "give each carrier an inside listener of its own: platforms tell trunks apart by it")
			}
			egress[hop.Egress] = c.Name
			if hop.Egress >= 0 {
				r.out.Listeners[hop.Egress].Egress = true
			}
		}
		r.out.Carriers = append(r.out.Carriers, hop)
		r.carrierOverlap(path)
	}
}

// carrierOverlap: within one carrier networks may nest, between two of them not, or its calls belong to either.
func (r *resolver) carrierOverlap(path string) {
	last := len(r.out.Carriers) - 1
	for j, s := range r.out.Carriers[last].Sources {
		for _, other := range r.out.Carriers[:last] {
			for _, o := range other.Sources {
				if s.Prefix.Overlaps(o.Prefix) && (s.Port == o.Port || s.Port == 0 || o.Port == 0) {
					r.fault(fmt.Sprintf("%s.sources[%d]", path, j), fmt.Sprintf("%s overlaps %s of carrier %s", s.Prefix, o.Prefix, other.Name), "give each network to one carrier")
				}
			}
		}
	}
}

// platform reads one platform's targets; its sources wait for networks, which compares both platforms.
func (r *resolver) platform(path string, number PlatformNumber, p *Platform) {
	names := make(map[string]int)
	for i, t := range p.Targets {
		tp := fmt.Sprintf("%s.targets[%d]", path, i)
		r.uniqueName(tp, t.Name, i, names)
		hop := NextHop{Platform: number, Index: i, Name: t.Name, Pool: cmp.Or(t.Pool, "main"), TimerB: t.TimerB, SharedDialogs: t.SharedDialogs}
		hop.Addr, hop.Proto = r.hop(tp+".uri", t.URI)
		hop.Listener = r.listenerFor(tp+".uri", Inside, hop.Addr, hop.Proto)
		if !validName(hop.Pool) {
			r.fault(tp+".pool", quote(t.Pool)+" is not a name", "use 1 to 63 of a-z, 0-9, - and .")
		}
		r.registrations(tp, &t, &hop)
		if t.TimerB != 0 && (t.TimerB < time.Second || t.TimerB > time.Minute) {
			r.fault(tp+".timerB", t.TimerB.String()+" is out of range", "write 1s to 1m, or remove it for timers.b")
		}
		for _, other := range r.out.NextHops {
			if other.Addr == hop.Addr && other.Proto == hop.Proto && hop.Addr.IsValid() {
				r.fault(tp+".uri", fmt.Sprintf("%s is already the target %s of %s", hop.Addr, other.Name, other.Platform), "give each target an address and port of its own")
			}
		}
		r.out.NextHops = append(r.out.NextHops, hop)
	}
	r.sharedPools(path, p)
	r.mediaNets(path, p)
	if len(p.Dark) > 0 && number != CorePlatform {
		r.fault(path+".dark", "copies go to an instance of the core", "write it as platforms.core.dark")
	}
}

// sharedPools: sharedDialogs speaks of a pool, so its targets must agree.
func (r *resolver) sharedPools(path string, p *Platform) {
	first := make(map[string]bool)
	for i, t := range p.Targets {
		pool := cmp.Or(t.Pool, "main")
		if shared, seen := first[pool]; !seen {
			first[pool] = t.SharedDialogs
		} else if shared != t.SharedDialogs {
			r.fault(fmt.Sprintf("%s.targets[%d].sharedDialogs", path, i), "differs from another target of pool "+pool, "write the same for every target of the pool")
		}
	}
}

// networks reads the platforms' sources and refuses what would belong to both.
func (r *resolver) networks() {
	if len(r.out.NextHops) == 0 {
		r.fault("platforms", "have no target at all", "add platforms.legacy.targets: [{name: l1, uri: \"sip:ADDRESS:PORT\"}]")
	}
	paths := r.platformNetworks(nil, LegacyPlatform, &r.c.Platforms.Legacy)
	paths = r.platformNetworks(paths, CorePlatform, &r.c.Platforms.Core)
	for i, a := range r.out.Networks {
		for _, b := range r.out.Networks[:i] {
			if a.Platform == b.Platform || !a.Prefix.Overlaps(b.Prefix) || a.Port != 0 && b.Port != 0 && a.Port != b.Port || disjoint(a.Listeners, b.Listeners) {
				continue
			}
			r.fault(paths[i], fmt.Sprintf("%s overlaps %s of %s", a.Prefix, b.Prefix, b.Platform),
				"tell them apart by port (ADDRESS:PORT in both sources), or by platforms.legacy.listeners and platforms.core.listeners")
		}
	}
}

// platformNetworks appends one platform's networks, and to paths where each was written.
func (r *resolver) platformNetworks(paths []string, number PlatformNumber, p *Platform) []string {
	path := "platforms." + number.String()
	var on []int
	for i, name := range p.Listeners {
		if l := r.insideListener(fmt.Sprintf("%s.listeners[%d]", path, i), name); l >= 0 {
			on = append(on, l)
		}
	}
	if len(p.Listeners) == 0 {
		for _, l := range r.out.Listeners {
			if l.Side == Inside {
				on = append(on, l.Index)
			}
		}
	}
	add := func(where string, prefix netip.Prefix, port uint16) {
		r.out.Networks = append(r.out.Networks, Network{Platform: number, Prefix: prefix, Port: port, Listeners: on})
		paths = append(paths, where)
	}
	for i, s := range p.Sources {
		where := fmt.Sprintf("%s.sources[%d]", path, i)
		if prefix, port, ok := r.source(where, s); ok {
			add(where, prefix, port)
		}
	}
	if len(p.Sources) == 0 {
		for _, h := range r.out.NextHops {
			if h.Platform == number && h.Addr.IsValid() {
				add(path+".sources", hostPrefix(h.Addr.Addr()), 0)
			}
		}
	}
	return paths
}

func disjoint(a, b []int) bool {
	return !slices.ContainsFunc(a, func(i int) bool { return slices.Contains(b, i) })
}

func (r *resolver) hop(path, uri string) (netip.AddrPort, Proto) {
	if uri == "" {
		r.fault(path, "is missing", hopFix)
		return netip.AddrPort{}, ""
	}
	addr, proto, err := ParseHop(uri)
	if err != nil {
		r.fault(path, quote(uri)+": "+err.Error(), hopFix)
		return netip.AddrPort{}, ""
	}
	if addr.Addr().IsUnspecified() || addr.Addr().IsMulticast() {
		r.fault(path, quote(uri)+" is no address of one machine", hopFix)
	} else if name, ours := r.ours(proto, addr); ours {
		r.fault(path, quote(uri)+" is our own listener "+name, "write the address of the other machine")
	}
	return addr, proto
}

// listenerFor finds what a request to addr leaves by: the first listener of the side with the same transport and
// address family that is no carrier's egress.
func (r *resolver) listenerFor(path string, side Side, addr netip.AddrPort, proto Proto) int {
	if !addr.IsValid() {
		return -1
	}
	for _, l := range r.out.Listeners {
		if l.Side == side && l.Proto == proto && !l.Egress && (l.Addr.Addr().Is4() == addr.Addr().Is4()) {
			return l.Index
		}
	}
	family := "IPv6"
	if addr.Addr().Is4() {
		family = "IPv4"
	}
	r.fault(path, fmt.Sprintf("no listener of side %s can send there", side),
		fmt.Sprintf("add to listen: {side: %s, transport: %s} with an %s address, besides those that are a carrier's egress", side, proto, family))
	return -1
}

func (r *resolver) insideListener(path, name string) int {
	var inside []string
	for _, l := range r.out.Listeners {
		if l.Side != Inside {
			continue
		}
		if l.Name == name {
			return l.Index
		}
		inside = append(inside, l.Name)
	}
	fix := "add a listener of that name with side: inside"
	if len(inside) > 0 {
		fix = "write one of " + strings.Join(inside, ", ") + ", or " + fix
	}
	r.fault(path, quote(name)+" is no inside listener", fix)
	return -1
}

func (r *resolver) source(path, s string) (netip.Prefix, uint16, bool) {
	p, port, err := parseSource(s)
	if err != nil {
		r.fault(path, err.Error(), "write a network (10.0.1.0/24), an address, or ADDRESS:PORT")
		return p, 0, false
	}
	if p.Bits() == 0 {
		r.fault(path, quote(s)+" is the whole Internet", "name the networks that its requests come from")
		return p, 0, false
	}
	return p, port, true
}

func hostPrefix(a netip.Addr) netip.Prefix { return netip.PrefixFrom(a, a.BitLen()) }

// validNumberFormat: e164, national:CC with 1 to 3 digits of country code, strip:N with 1 to 15.
func validNumberFormat(s string) bool {
	kind, arg, _ := strings.Cut(s, ":")
	n, err := strconv.ParseUint(arg, 10, 16)
	switch kind {
	case "e164":
		return s == "e164"
	case "national":
		return err == nil && len(arg) <= 3 && n >= 1 && arg[0] != '0'
	case "strip":
		return err == nil && n >= 1 && n <= 15
	}
	return false
}
