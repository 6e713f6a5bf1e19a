package config

import (
	"cmp"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// Validate names everything that is wrong: *Fault values, joined, without lines (see WithLines). It reads the key file.
func (c *Config) Validate() error {
	_, err := c.Resolve()
	return err
}

// Resolve reads the addresses. Its error is Validate's; with one there is no Resolved.
func (c *Config) Resolve() (*Resolved, error) {
	r := resolver{c: c, out: &Resolved{Names: make(map[string]struct{}), Addresses: make(map[string]struct{})}}
	r.identity()
	r.listeners()
	r.names()
	r.carriers()
	r.platform("platforms.legacy", LegacyPlatform, &c.Platforms.Legacy)
	r.platform("platforms.core", CorePlatform, &c.Platforms.Core)
	r.networks()
	r.dark()
	r.media()
	r.admin()
	r.numbers()
	r.scanners()
	if len(r.faults) > 0 {
		return nil, join(r.faults)
	}
	return r.out, nil
}

// resolver collects faults while it fills out; after a fault, out is only good for finding more of them.
type resolver struct {
	c      *Config
	out    *Resolved
	faults []*Fault
}

func (r *resolver) fault(path, problem, fix string) {
	r.faults = append(r.faults, &Fault{Path: path, Problem: problem, Fix: fix})
}

func (r *resolver) listeners() {
	if len(r.c.Listen) == 0 {
		r.fault("listen", "is empty", "add one listener with side: outside and one with side: inside")
		return
	}
	names := make(map[string]int)
	sides := make(map[Side]bool)
	for i, l := range r.c.Listen {
		path := fmt.Sprintf("listen[%d]", i)
		r.uniqueName(path, l.Name, i, names)
		r.side(path+".side", l.Side)
		sides[l.Side] = true
		proto := cmp.Or(l.Transport, UDP)
		if err := checkProto(proto); err != nil {
			r.fault(path+".transport", err.Error(), "write udp or tcp")
		}
		if l.Cert != "" || l.Key != "" {
			key := ".cert"
			if l.Cert == "" {
				key = ".key"
			}
			r.fault(path+key, "not in this build: there are no TLS listeners", "remove cert and key")
		}
		if l.Readers < 0 || l.Readers > 64 || l.Readers > 1 && proto != UDP {
			r.fault(path+".readers", fmt.Sprintf("%d is not possible for a %s listener", l.Readers, proto), "write 1 to 64 for udp, or remove it")
		}
		x := Listener{Entry: i, Name: l.Name, Side: l.Side, Proto: proto, Addr: r.hostPort(path+".address", l.Address), Readers: max(l.Readers, 1)}
		if l.Side == Shadow {
			r.shadowListener(path, &l, x)
			continue
		}
		x.Index = len(r.out.Listeners)
		r.advertise(path+".advertise", l.Advertise, &x)
		r.out.Listeners = append(r.out.Listeners, x)
	}
	for _, s := range []Side{Outside, Inside} {
		if !sides[s] {
			r.fault("listen", "has no listener with side: "+string(s), "add one: the edge stands between outside and inside")
		}
	}
	r.clashes()
}

func (r *resolver) side(path string, s Side) {
	switch s {
	case Outside, Inside, Own, Shadow:
	case "":
		r.fault(path, "is missing", "write outside (phones and carriers), inside (platforms), own (our probes) or shadow (the dark core)")
	default:
		r.fault(path, quote(string(s))+" is no side", "write outside, inside, own or shadow")
	}
}

// hostPort wants a numeric address with a port and says what is wrong with it.
func (r *resolver) hostPort(path, s string) netip.AddrPort {
	ap, err := netip.ParseAddrPort(s)
	switch {
	case s == "":
		r.fault(path, "is missing", "write ADDRESS:PORT, such as 192.0.2.1:5060 or [2001:db8::1]:5060")
	case err != nil:
		r.fault(path, quote(s)+" is not a numeric address with a port", "write ADDRESS:PORT, such as 192.0.2.1:5060 or [2001:db8::1]:5060")
	case ap.Port() == 0:
		r.fault(path, quote(s)+" has port 0", "write the port that peers send to, such as 5060")
	default:
		if _, err := plain(ap); err != nil {
			r.fault(path, err.Error(), "write the plain address")
		}
	}
	return ap
}

// advertise fills in what peers are told of l.
func (r *resolver) advertise(path, s string, l *Listener) {
	l.AdvertiseHost, l.AdvertisePort = l.Addr.Addr().String(), l.Addr.Port()
	if s != "" {
		host, port, ok := splitHost(s)
		if !ok {
			r.fault(path, quote(s)+" is neither a host nor host:port", "write what peers send to, such as 192.0.2.1 or edge.example:5060")
			return
		}
		l.AdvertiseHost, l.AdvertisePort = host, cmp.Or(port, l.AdvertisePort)
		if a, err := netip.ParseAddr(host); err == nil && a.IsUnspecified() {
			r.fault(path, quote(s)+" is no address that anybody can send to", "write the address or name of this machine")
		}
	} else if l.Addr.Addr().IsUnspecified() {
		r.fault(path, "is missing, and the address means every interface", "write the host that peers reach this listener by")
	}
	l.Advertise = net.JoinHostPort(l.AdvertiseHost, strconv.Itoa(int(l.AdvertisePort)))
}

// clashes refuses two listeners on one socket, or two that peers can not tell apart.
func (r *resolver) clashes() {
	ls := slices.Concat(r.out.Listeners, r.out.Shadow)
	for i := range ls {
		for j := range i {
			a, b := &ls[j], &ls[i]
			if a.Proto != b.Proto || !a.Addr.IsValid() || !b.Addr.IsValid() {
				continue
			}
			path := fmt.Sprintf("listen[%d]", max(a.Entry, b.Entry))
			if a.Entry > b.Entry {
				a, b = b, a
			}
			switch {
			case a.Addr.Port() == b.Addr.Port() && sameSocket(a.Addr.Addr(), b.Addr.Addr()):
				r.fault(path+".address", fmt.Sprintf("%s %s is already taken by %s", b.Proto, b.Addr, a.Name), "give it another address or port")
			case strings.EqualFold(a.Advertise, b.Advertise):
				r.fault(path+".advertise", fmt.Sprintf("%s %s is already advertised by %s", b.Proto, b.Advertise, a.Name), "give each listener a host and port of its own")
			}
		}
	}
}

func sameSocket(a, b netip.Addr) bool {
	return a == b || a.IsUnspecified() && (a.Is4() == b.Is4() || a.Is6()) || b.IsUnspecified() && (a.Is4() == b.Is4() || b.Is6())
}

// uniqueName checks a name used for reference and in metrics.
func (r *resolver) uniqueName(path, name string, i int, seen map[string]int) {
	j, twice := seen[name]
	switch {
	case name == "":
		r.fault(path+".name", "is missing", "write a short name, such as "+path[:max(strings.IndexByte(path, '['), 0)]+"-1")
	case !validName(name):
		r.fault(path+".name", quote(name)+" is not a name", "use 1 to 63 of a-z, 0-9, - and .")
	case twice:
		r.fault(path+".name", fmt.Sprintf("%s is also the name of entry %d", quote(name), j), "give each entry a name of its own")
	}
	seen[name] = i
}

// validName holds for names that stand in metrics, state files and the roster.
func validName(s string) bool {
	if len(s) == 0 || len(s) > 63 || s[0] == '-' || s[0] == '.' {
		return false
	}
	return strings.Trim(s, "abcdefghijklmnopqrstuvwxyz0123456789-.") == ""
}
