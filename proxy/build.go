package proxy

import (
	"net/netip"
	"runtime/debug"
	"strconv"
	"strings"

	"github.com/hotcut/hotcut/policy"
	"github.com/hotcut/hotcut/proxy/config"
	"github.com/hotcut/hotcut/proxy/health"
	"github.com/hotcut/hotcut/proxy/transaction"
	"github.com/hotcut/hotcut/proxy/transport"
)

func protoOf(p config.Proto) transport.Proto {
	if p == config.TCP {
		return transport.TCP
	}
	return transport.UDP
}

// specs are the sockets to bind.
func specs(res *config.Resolved) []transport.Spec {
	list := make([]transport.Spec, len(res.Listeners))
	for i, l := range res.Listeners {
		list[i] = transport.Spec{Name: l.Name, Proto: protoOf(l.Proto), Addr: l.Addr, Readers: l.Readers, DialsOut: l.Proto == config.TCP}
	}
	return list
}

// buildTopology makes the configured world out of a resolved configuration. old keeps the health of targets that stay.
func buildTopology(cfg *config.Config, res *config.Resolved, e *Edge, old *topology) *topology {
	t := &topology{node: hash32(cfg.Node), pools: map[poolKey][]int{}, names: res.Names, addresses: map[string]struct{}{}}
	for a := range res.Addresses {
		t.addresses[a] = struct{}{}
	}
	for i, l := range res.Listeners {
		x := listener{index: uint16(i), name: l.Name, hash: hash16(l.Name), side: sideOf(l.Side), proto: protoOf(l.Proto), addr: e.transport.Addr(i), wait: new(pressure)}
		if old != nil && i < len(old.listeners) {
			x.wait = old.listeners[i].wait
		}
		x.wait.call.Store(int64(cfg.Limits.Wait))
		host, port := l.AdvertiseHost, l.AdvertisePort
		if l.Addr.Port() == 0 && (port == 0 || port == l.Addr.Port()) {
			port = x.addr.Port()
		}
		x.host = joinHost(host, port)
		x.sentBy = x.host
		if x.side == inside && res.ViaHost != "" {
			p := res.ViaPort
			if p == 0 {
				p = port
			}
			x.sentBy = joinHost(res.ViaHost, p)
		}
		t.addresses[x.host] = struct{}{}
		t.addresses[x.addr.String()] = struct{}{}
		t.listeners = append(t.listeners, x)
	}
	for _, name := range cfg.Scanners {
		t.scanners = append(t.scanners, []byte(strings.ToLower(name)))
	}
	var hs []health.Target
	for _, n := range res.NextHops {
		x := target{name: n.Name, hash: hash32(n.Name), platform: policy.Platform(n.Platform), pool: n.Pool, addr: n.Addr, proto: protoOf(n.Proto),
			listener: uint16(n.Listener), timers: e.timers, shared: n.SharedDialogs,
			byContact: n.ReachBack == "contact", phoneCallID: n.CallID == "phone", listsAll: n.ListsAll,
			registerRate: n.RegisterRate, keepRate: n.KeepRate, shaper: newShaper(n.RegisterRate)}
		switch n.Keep {
		case "trust":
			x.keep = keepTrust
		case "digest":
			x.keep = keepDigest
		}
		if n.TimerB > 0 {
			x.timers.B, x.timers.F = n.TimerB, n.TimerB
		}
		k := poolKey{x.platform, x.pool}
		if t.first[x.platform] == "" {
			t.first[x.platform] = x.pool
		}
		t.pools[k] = append(t.pools[k], len(t.targets))
		t.targets = append(t.targets, x)
		hs = append(hs, health.Target{Pool: x.platform.String() + "/" + x.pool, Name: x.name})
	}
	for _, n := range res.Networks {
		t.sources = append(t.sources, sourceNet{platform: policy.Platform(n.Platform), prefix: n.Prefix, port: n.Port, by: n.Listeners})
	}
	for _, c := range res.Carriers {
		x := carrier{name: c.Name, hash: hash32(c.Name), addr: c.Addr, proto: protoOf(c.Proto), trusted: c.Trusted, format: c.NumberFormat,
			egress: c.Egress, listener: uint16(c.Listener), mediaOff: c.MediaOff}
		for _, n := range c.Sources {
			x.nets = append(x.nets, sourceNet{prefix: n.Prefix, port: n.Port})
		}
		t.carriers = append(t.carriers, x)
	}
	for _, d := range res.Dark {
		for _, n := range d.Sources {
			t.dark = append(t.dark, sourceNet{prefix: n.Prefix, port: n.Port})
		}
	}
	hc := health.Config{Interval: cfg.Timers.Probe, Seed: hash64(cfg.Node)}
	t.health = health.New(hs, hc)
	t.pairStreams()
	if old != nil {
		t.health.Keep(old.health)
	}
	return t
}

func sideOf(s config.Side) side {
	switch s {
	case config.Inside:
		return inside
	case config.Own:
		return own
	}
	return outside
}

func joinHost(host string, port uint16) string {
	if a, err := netip.ParseAddr(host); err == nil && a.Is6() {
		host = "[" + host + "]"
	}
	return host + ":" + strconv.Itoa(int(port))
}

func transactionTimers(c *config.Config) transaction.Timers {
	t := transaction.DefaultTimers()
	set := func(to *transaction.Timers) {
		if c.Timers.T1 > 0 {
			f := 64 * c.Timers.T1
			to.T1, to.B, to.D, to.F, to.H, to.J, to.L, to.M = c.Timers.T1, f, f, f, f, f, f, f
		}
		if c.Timers.T2 > 0 {
			to.T2 = c.Timers.T2
		}
		if c.Timers.T4 > 0 {
			to.T4, to.I, to.K = c.Timers.T4, c.Timers.T4, c.Timers.T4
		}
		if c.Timers.B > 0 {
			to.B = c.Timers.B
		}
		if c.Timers.C > 0 {
			to.C = c.Timers.C
		}
	}
	set(&t)
	return t
}

func stack() string { return string(debug.Stack()) }

func (e *Edge) transportLimits() transport.Limits {
	return transport.Limits{Conns: e.cfg.Limits.Connections, ConnsPerSource: e.cfg.Limits.ConnectionsPerSource, Wire: &e.limits,
		Poison: e.opts.PoisonBuffers}
}
