package transport

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"time"
)

const streamSendBuffer = 256 << 10 // bytes; the kernel doubles it for its own needs

// keepAlive finds peers that vanished while nothing was said, without costing phones their sleep.
var keepAlive = net.KeepAliveConfig{Enable: true, Idle: 2 * time.Minute, Interval: 15 * time.Second, Count: 4}

func (t *Transport) bindTCP(addr netip.AddrPort) (*net.TCPListener, netip.AddrPort, error) {
	lc := net.ListenConfig{KeepAliveConfig: keepAlive, Control: t.setStreamOptions}
	ln, err := lc.Listen(context.Background(), family("tcp", !addr.Addr().Unmap().Is4()), addr.String())
	if err != nil {
		return nil, netip.AddrPort{}, err
	}
	return ln.(*net.TCPListener), localAddr(ln.Addr()), nil
}

// acceptLoop takes connections until the listener is closed. When accept fails, for want of descriptors above all, it waits and
// tries again: connections that end make room.
func (t *Transport) acceptLoop(i uint16, ln *net.TCPListener) {
	const shortest, longest = 5 * time.Millisecond, time.Second
	delay := shortest
	for {
		nc, err := ln.AcceptTCP()
		switch {
		case err == nil:
			delay = shortest
			t.admit(i, nc)
		case errors.Is(err, net.ErrClosed):
			return
		default:
			t.stats.add(AcceptError, 1)
			select {
			case <-time.After(delay):
			case <-t.dials.Done():
			}
			delay = min(2*delay, longest)
		}
	}
}

// admit serves an accepted connection, or closes it if there are too many.
func (t *Transport) admit(i uint16, nc *net.TCPConn) {
	addr := nc.RemoteAddr().(*net.TCPAddr).AddrPort()
	addr = netip.AddrPortFrom(addr.Addr().Unmap(), addr.Port())
	c := t.newConn(Peer{Listener: i, Proto: TCP, Conn: t.conns.number(), Addr: addr})
	c.source = sourceOf(addr.Addr())
	if reason := t.conns.admit(c, &t.limits); reason != reasonNone {
		nc.SetLinger(0)
		nc.Close()
		t.stats.add(reason, 1)
		t.handler.Refused(reason.String(), addr)
		return
	}
	if !c.open(nc) {
		c.die(reasonNone, ErrClosed)
		t.conns.leave(c)
		return
	}
	t.stats.Accepted.Add(1)
	if !t.spawn(c.serve) {
		c.die(reasonNone, ErrClosed)
		nc.Close()
		t.conns.leave(c)
	}
}

// sourceOf is what the limit per source counts by: an IPv4 address, or the /64 that one IPv6 customer has.
func sourceOf(a netip.Addr) netip.Addr {
	if a.Is4() {
		return a
	}
	p, err := a.WithZone("").Prefix(64)
	if err != nil {
		return a
	}
	return p.Addr()
}
