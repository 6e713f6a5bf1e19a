package proxy

import (
	"context"
	"errors"
	"hash/maphash"
	"log/slog"
	"net/netip"
	"path/filepath"
	"time"

	"github.com/hotcut/hotcut/policy"
	"github.com/hotcut/hotcut/proxy/callrecord"
	"github.com/hotcut/hotcut/proxy/choice"
	"github.com/hotcut/hotcut/proxy/config"
	"github.com/hotcut/hotcut/proxy/digest"
	"github.com/hotcut/hotcut/proxy/health"
	"github.com/hotcut/hotcut/proxy/location"
	"github.com/hotcut/hotcut/proxy/transport"
)

// simEdge is an edge that can be killed: its files stay, all else goes.
type simEdge struct {
	n        *network
	name     string
	dir      string
	out, in  netip.AddrPort
	ring     config.KeyRing
	policy   *policy.Snapshot
	edge     *Edge
	tickAt   int64
	life     int
	counters *counters
	targets  [2][]netip.AddrPort // legacy, core

	// Of the simulator; scenes have none of it.
	full     bool // TCP, a listener of our own, a keeper, and no more shards than are needed
	measured bool // by a benchmark: what tests see by overwriting buffers would be in the figures
	spare    *Edge
	records  *callrecord.Log
	streams  [2][]int // indexes of targets over TCP, per platform
	conns    map[uint64]*simConn
	pool     map[simPool]*simConn
	serial   uint64 // of connections
	heard    func(from transport.Peer, msg []byte)
	said     func(to transport.Peer, msg []byte)
	stepped  func(callHash uint32)
	sharing  *Sharing
	tap      Tap
	dirty    bool // some binding has changed

	captured *transport.Out
}

// simShards is how many shards the simulator's edges use: all Call-IDs hash to these.
const simShards = 4

// simConn is an edge's end of a connection.
type simConn struct {
	peer   transport.Peer
	stream *simStream
	side   int
	pool   simPool
	pooled bool
}

type simPool struct {
	listener uint16
	addr     netip.AddrPort
	slot     uint32
}

func (x *simEdge) start() {
	cfg := config.Defaults()
	cfg.Node, cfg.State = x.name, x.dir
	e := x.spare
	if e == nil {
		e = new(Edge)
	} else {
		*e = Edge{}
	}
	e.cfg, e.log, e.started, e.inForce = &cfg, slog.New(slog.DiscardHandler), time.Unix(0, x.n.now), func() *policy.Snapshot { return x.policy }
	e.hash = func(b []byte) uint32 { return uint32(stableHash(b)) }
	cfg.Limits.SourceRate, cfg.Limits.SourceBurst, cfg.Limits.ExemptRate, cfg.Limits.ExemptBurst = 1e5, 1e5, 1e5, 1e5
	slots := 1024
	if x.full {
		e.hash = func(b []byte) uint32 { return uint32(stableHash(b)) % simShards }
		cfg.Limits.Sources, slots = 512, 256
	}
	e.setLimits()
	e.tap = x.tap
	e.count = x.counters
	e.readers.New = func() any { return new(reader) }
	e.probes.init(e)
	e.own.init(e)
	seed := maphash.MakeSeed()
	e.nonces = digest.NewNonces(1024, time.Hour)
	e.intercepts.seed, e.fuse.seed = seed, seed
	e.waits.init()
	e.now = func() int64 { return x.n.now }
	e.newOut = x.capture
	e.opts.PoisonBuffers = !x.measured
	e.lines.queue = make(chan func(), 8)
	x.must(x.openFiles(e, slots))
	topo := x.topology(e)
	e.topo.Store(topo)
	e.current.Store(&cfg)
	if x.full {
		x.completes(e)
	}
	x.setKeys(e)
	e.restoreDialogs(x.n.now)
	x.edge = e
	x.life++
	x.tickAt = 0
	life := x.life
	if x.full {
		e.keeper.start(x.n.now)
	}
	for i := range topo.listeners {
		l := &topo.listeners[i]
		if l.proto == transport.TCP {
			x.n.accept[l.addr] = func(c *simStream) { x.accepts(l.index, c) }
			continue
		}
		x.n.nodes[l.addr] = func(from netip.AddrPort, msg []byte) {
			x.receive(transport.Peer{Listener: l.index, Proto: transport.UDP, Addr: from}, msg)
		}
	}
	x.plan(life)
}

func (x *simEdge) must(err error) {
	if err != nil {
		panic(err)
	}
}

func (x *simEdge) openFiles(e *Edge, slots int) error {
	var err [4]error
	e.location, err[0] = location.Open(location.Options{Path: filepath.Join(x.dir, "bindings"), Limit: slots, Node: x.name, Log: e.log,
		Now: func() time.Time { return time.Unix(0, x.n.now) }})
	e.ring, err[1] = choice.Open(filepath.Join(x.dir, "choices"), slots)
	e.dialogFile, err[2] = choice.OpenDialogs(filepath.Join(x.dir, "dialogs"), slots)
	if e.records = x.records; e.records == nil {
		e.records, err[3] = callrecord.Open(filepath.Join(x.dir, "calls"), 1<<20, 1000)
	}
	return errors.Join(err[:]...)
}

// completes an edge of the simulator by what scenes do without.
func (x *simEdge) completes(e *Edge) {
	e.own.boot, e.probes.boot = [8]byte{7: byte(x.life)}, [8]byte{7: byte(x.life)}
	copy(e.own.boot[:], x.name)
	copy(e.probes.boot[:], x.name)
	e.own.mark = 0xfffffff0
	e.sharing = x.sharing
	e.open = func(conn uint64) bool { return x.conns[conn] != nil }
	x.conns, x.pool = map[uint64]*simConn{}, map[simPool]*simConn{}
	x.must(e.openKeeper(x.ring))
	e.location.OnChange(func(b *location.Binding) {
		e.keeper.changed(b)
		e.waits.changed(b, x.n.now/1e9)
		x.dirty = true
	})
}

// setKeys is the edge's own, for the shards that are in use.
func (x *simEdge) setKeys(e *Edge) {
	if !x.full {
		e.setKeys(x.ring)
		return
	}
	binding, _ := x.ring.Binding()
	keys := []signKey{{id: x.ring[0].ID, tag: hash16(x.ring[0].ID), secret: x.ring[0].Secret[:]}}
	for i := range simShards {
		e.shards[i].init(e, keys, binding[:])
	}
	e.keyIDs.Store(&[]string{x.ring[0].ID})
}

// receive is one step of the edge.
func (x *simEdge) receive(from transport.Peer, msg []byte) {
	if x.heard != nil {
		x.heard(from, msg)
	}
	x.edge.message(x.n.now, from, msg, x.capture())
	for i := range msg { // what the edge keeps it has copied
		msg[i] = 'x'
	}
	x.after()
}

// after ends a step: calls that waited go on, and the next tick is planned.
func (x *simEdge) after() {
	for len(x.edge.waits.resume) > 0 {
		w := <-x.edge.waits.resume
		x.edge.answered(w.key, w.callHash)
	}
	if x.stepped != nil {
		x.stepped(0)
	}
	x.plan(x.life)
}

// kill is kill -9: what was not in a mapped file is gone.
func (x *simEdge) kill() {
	x.check()
	for _, l := range x.edge.topo.Load().listeners {
		delete(x.n.nodes, l.addr)
		delete(x.n.accept, l.addr)
	}
	if x.full {
		for id := uint64(1); id <= x.serial; id++ { // in order: a map has none
			if c := x.conns[id]; c != nil {
				c.stream.ends[c.side].closed = nil
				c.stream.reset()
			}
		}
		if x.n.chance(700) { // the log was written a moment ago
			ended, cancel := context.WithCancel(context.Background())
			cancel()
			x.edge.location.Run(ended)
		} else {
			x.n.met.fault(faultStaleDisk)
		}
	}
	x.edge.closeFiles()
	x.spare, x.edge = x.edge, nil
	if !x.full {
		x.spare = nil
	}
	x.life++
}

func (x *simEdge) check() {
	if n := x.edge.panics.Load(); n > 0 {
		x.n.fail("%d panics in %s", n, x.name)
		for len(x.edge.lines.queue) > 0 {
			x.edge.log = slog.Default()
			(<-x.edge.lines.queue)()
		}
	}
}

// capture is what every step of this edge sends by: no step sends while another does.
func (x *simEdge) capture() *transport.Out {
	if x.captured != nil {
		return x.captured
	}
	x.captured = transport.Capture(func(to transport.Peer, msg []byte, tag uint64) {
		if x.said != nil {
			x.said(to, msg)
		}
		if to.Proto == transport.TCP {
			x.write(to, msg, tag)
			return
		}
		x.n.send(x.edge.topo.Load().listeners[to.Listener].addr, to.Addr, msg)
	})
	return x.captured
}

// write is transport's: over the connection that is meant, or a pooled one, which is dialled.
func (x *simEdge) write(to transport.Peer, msg []byte, tag uint64) {
	c := x.conns[to.Conn]
	if to.Conn == 0 {
		key := simPool{to.Listener, to.Addr, uint32(tag) % 2}
		if c = x.pool[key]; c == nil {
			if s := x.n.dial(x.edge.topo.Load().listeners[to.Listener].addr, to.Addr); s != nil {
				x.serial++
				c = &simConn{peer: transport.Peer{Listener: to.Listener, Proto: transport.TCP, Conn: x.serial, Addr: to.Addr}, stream: s, pool: key, pooled: true}
				x.pool[key] = c
				x.serves(c)
			}
		}
	}
	if c == nil {
		life := x.life
		x.n.after(time.Millisecond, func() {
			if x.life == life && x.edge != nil {
				x.edge.failed(x.n.now, to, tag, transport.ErrNoConnection, x.capture())
				x.after()
			}
		})
		return
	}
	c.stream.write(c.side, msg)
}

func (x *simEdge) accepts(listener uint16, s *simStream) {
	x.serial++
	x.serves(&simConn{peer: transport.Peer{Listener: listener, Proto: transport.TCP, Conn: x.serial, Addr: s.ends[0].addr}, stream: s, side: 1})
}

func (x *simEdge) serves(c *simConn) {
	x.conns[c.peer.Conn] = c
	end := &c.stream.ends[c.side]
	end.message = func(msg []byte) { x.receive(c.peer, msg) }
	life := x.life
	end.closed = func() {
		if x.life != life || x.edge == nil {
			return
		}
		delete(x.conns, c.peer.Conn)
		var carried func(uint64) bool
		if c.pooled {
			delete(x.pool, c.pool)
			carried = func(tag uint64) bool { return uint32(tag)%2 == c.pool.slot }
		}
		x.edge.closed(x.n.now, c.peer, carried, x.capture())
		x.after()
	}
}

// plan puts the next tick of the timer goroutine where the earliest deadline is, on its 10 ms grid.
func (x *simEdge) plan(life int) {
	next := x.edge.own.next.Load()
	used := shards
	if x.full {
		used = simShards
	}
	for i := range used {
		if at := x.edge.shards[i].next.Load(); at != 0 && (next == 0 || at < next) {
			next = at
		}
	}
	const grid = int64(10 * time.Millisecond)
	if next = (next + grid - 1) / grid * grid; next == 0 || x.tickAt != 0 && x.tickAt <= next {
		return
	}
	x.tickAt = next
	x.n.after(time.Duration(max(next-x.n.now, 0)), func() {
		if x.life != life || x.tickAt != next {
			return
		}
		x.tickAt = 0
		x.edge.tick(x.n.now, x.capture())
		x.edge.own.tick(x.n.now, x.capture())
		x.after()
	})
}

// topology is what the configuration would make.
func (x *simEdge) topology(e *Edge) *topology {
	t := &topology{node: hash32(x.name), pools: map[poolKey][]int{}, names: map[string]struct{}{}, addresses: map[string]struct{}{}}
	add := func(name string, sd side, proto transport.Proto, a netip.AddrPort) {
		l := listener{index: uint16(len(t.listeners)), name: name, proto: proto, addr: a, sentBy: a.String(), host: a.String(), side: sd, wait: new(pressure)}
		l.hash = hash16(l.name)
		t.listeners = append(t.listeners, l)
		t.addresses[a.String()] = struct{}{}
	}
	add("out", outside, transport.UDP, x.out)
	add("in", inside, transport.UDP, x.in)
	if x.full {
		add("out-tcp", outside, transport.TCP, x.out)
		add("in-tcp", inside, transport.TCP, x.in)
		add("own", own, transport.UDP, netip.AddrPortFrom(x.in.Addr(), x.in.Port()+10))
	}
	var hs []health.Target
	for p, list := range x.targets {
		platform := policy.Platform(p + 1)
		t.first[platform] = "main"
		for i, a := range list {
			name := platform.String() + string(rune('0'+i))
			k := poolKey{platform, "main"}
			t.pools[k] = append(t.pools[k], len(t.targets))
			tm := e.timers
			tm.B = 4 * time.Second
			y := target{name: name, hash: hash32(name), platform: platform, pool: "main", addr: a, proto: transport.UDP, listener: 1, timers: tm}
			for _, s := range x.streams[p] {
				if s == i {
					y.proto, y.listener = transport.TCP, 3
				}
			}
			if x.full {
				y.keep, y.keepRate = keepTrust, 200
			}
			t.targets = append(t.targets, y)
			hs = append(hs, health.Target{Pool: platform.String(), Name: name})
		}
	}
	t.health = health.New(hs, health.Config{Seed: 1})
	return t
}

// left is what an edge still holds.
func (x *simEdge) left() (requests, branches, timers, dialogs int) {
	for i := range x.edge.shards {
		s := &x.edge.shards[i]
		requests += len(s.requests)
		branches += len(s.branches) + len(s.streams) + len(s.notices)
		timers += s.wheel.Len()
		dialogs += len(s.dialogs)
	}
	return
}
