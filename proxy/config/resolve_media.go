package config

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"
)

const addressFix = "write a numeric address of this machine, such as 203.0.113.10; at most one of IPv4 and one of IPv6"

// media reads who relays RTP, and where.
func (r *resolver) media() {
	m := &r.c.Media
	switch m.Engine {
	case "none", "ng":
		for _, f := range []struct {
			key  string
			list []string
		}{{"media.outside", m.Outside}, {"media.inside", m.Inside}, {"media.advertise", m.Advertise}} {
			if len(f.list) > 0 {
				r.fault(f.key, "says where this process relays media, and with media.engine "+m.Engine+" it relays none", "write media.engine: embedded, or remove "+f.key)
			}
		}
		if m.Engine == "ng" {
			r.servers(m)
		}
	case "embedded":
		r.relay(m)
	default:
		r.fault("media.engine", quote(m.Engine)+" is no media engine", "write embedded (this process relays), ng (servers do) or none (SDP passes untouched)")
	}
	if len(m.Servers) > 0 && m.Engine != "ng" {
		r.fault("media.servers", "says who relays media, and media.engine is "+m.Engine, "write media.engine: ng, or remove media.servers")
	}
	lo, hi, ok := parsePorts(m.Ports)
	if !ok {
		r.fault("media.ports", quote(m.Ports)+" is no range of ports", "write LOWEST-HIGHEST above 1023 with two pairs in it or more, such as 20000-39999")
		return
	}
	r.out.Media.Low, r.out.Media.High = lo, hi
	if r.out.Media.Relays {
		r.mediaPorts()
	}
}

const maxMediaServers = 64

// servers reads which NG servers relay.
func (r *resolver) servers(m *Media) {
	x := &r.out.Media
	if n := len(m.Servers); n < 1 || n > maxMediaServers {
		r.fault("media.servers", fmt.Sprintf("has %d servers", n), fmt.Sprintf("write 1 to %d of them, such as 10.0.0.5:2223", maxMediaServers))
	}
	for i, s := range m.Servers {
		path := fmt.Sprintf("media.servers[%d]", i)
		a := r.hostPort(path, s)
		switch {
		case !a.IsValid():
		case a.Port() == 0 || a.Addr().IsUnspecified():
			r.fault(path, quote(s)+" is not where a server can be", "write its address and port, such as 10.0.0.5:2223")
		case slices.Contains(x.Servers, a):
			r.fault(path, quote(s)+" is there twice", "remove one of them")
		default:
			x.Servers = append(x.Servers, a)
		}
	}
	if len(m.Interfaces) != 2 || m.Interfaces[0] == "" || m.Interfaces[1] == "" {
		r.fault("media.interfaces", fmt.Sprintf("has %d names", len(m.Interfaces)), "write what the servers call the outside and the inside, such as [pub, priv]; a server with one interface has one name, twice")
	} else {
		x.Interfaces = [2]string(m.Interfaces)
	}
	r.duration("media.wait", m.Wait, 50*time.Millisecond, time.Second)
	x.Wait = m.Wait
}

func (r *resolver) relay(m *Media) {
	x := &r.out.Media
	x.Relays = true
	x.Outside, x.Outside6 = r.mediaAddresses("media.outside", m.Outside, Outside)
	x.Inside, x.Inside6 = r.mediaAddresses("media.inside", m.Inside, Inside)
	x.Advertise = make(map[netip.Addr]netip.Addr)
	for i, s := range m.Advertise {
		path := fmt.Sprintf("media.advertise[%d]", i)
		a, ok := r.mediaAddress(path, s)
		if !ok {
			continue
		}
		own := x.Outside
		if !own.IsValid() || own.Is4() != a.Is4() {
			own = x.Outside6
		}
		switch _, twice := x.Advertise[own]; {
		case !own.IsValid() || own.Is4() != a.Is4():
			r.fault(path, quote(s)+" stands for no address of media.outside", "add one of its family to media.outside, or remove it")
		case twice:
			r.fault(path, quote(s)+" is a second one of its family", "keep one of them")
		case own == x.Inside || own == x.Inside6:
			r.fault(path, fmt.Sprintf("%s is also the inside's address, and the platforms would be told %s", own, a), "give media.inside an address of its own")
		}
		x.Advertise[own] = a
	}
}

// mediaAddresses are a side's addresses: as written, else that of the side's first listener.
func (r *resolver) mediaAddresses(path string, list []string, side Side) (first, second netip.Addr) {
	for i, s := range list {
		at := fmt.Sprintf("%s[%d]", path, i)
		a, ok := r.mediaAddress(at, s)
		switch {
		case !ok:
		case !first.IsValid():
			first = a
		case second.IsValid() || first.Is4() == a.Is4():
			r.fault(at, quote(s)+" is a second one of its family", "keep one of them")
		default:
			second = a
		}
	}
	if len(list) > 0 {
		return first, second
	}
	for _, l := range r.out.Listeners {
		if a := l.Addr.Addr(); l.Side == side && a.IsValid() && !a.IsUnspecified() {
			return a, second
		}
	}
	r.fault(path, "is empty, and no listener of side "+string(side)+" has an address of one interface", addressFix)
	return first, second
}

func (r *resolver) mediaAddress(path, s string) (netip.Addr, bool) {
	a, err := netip.ParseAddr(strings.TrimSuffix(strings.TrimPrefix(s, "["), "]"))
	if err != nil || a.IsUnspecified() || a.IsMulticast() || a.Is4In6() || a.Zone() != "" {
		r.fault(path, quote(s)+" is no address that SDP can name", addressFix)
		return a, false
	}
	return a, true
}

// mediaPorts refuses a range that a SIP listener stands in.
func (r *resolver) mediaPorts() {
	x := &r.out.Media
	for _, l := range slices.Concat(r.out.Listeners, r.out.Shadow) {
		if l.Proto != UDP || !l.Addr.IsValid() || l.Addr.Port() < x.Low || l.Addr.Port() > x.High {
			continue
		}
		for _, a := range []netip.Addr{x.Outside, x.Outside6, x.Inside, x.Inside6} {
			if a.IsValid() && sameSocket(a, l.Addr.Addr()) {
				r.fault("media.ports", fmt.Sprintf("%d-%d holds the port of listen[%d], %s", x.Low, x.High, l.Entry, l.Addr), "take another range, or move the listener")
				return
			}
		}
	}
}

// mediaNets reads where a platform's media servers are.
func (r *resolver) mediaNets(path string, p *Platform) {
	for i, s := range p.MediaNets {
		at := fmt.Sprintf("%s.mediaNets[%d]", path, i)
		prefix, port, ok := r.source(at, s)
		if ok && port != 0 {
			r.fault(at, quote(s)+" names a port", "write the network or the address alone: media ports change with every call")
			continue
		}
		if ok {
			r.out.Media.Nets = append(r.out.Media.Nets, prefix)
		}
	}
}

func parsePorts(s string) (lo, hi uint16, ok bool) {
	a, b, ok := strings.Cut(s, "-")
	l, err1 := strconv.ParseUint(strings.TrimSpace(a), 10, 16)
	h, err2 := strconv.ParseUint(strings.TrimSpace(b), 10, 16)
	if first := (l + 1) &^ 1; !ok || err1 != nil || err2 != nil || l < 1024 || h < first+3 {
		return 0, 0, false
	}
	return uint16(l), uint16(h), true
}
