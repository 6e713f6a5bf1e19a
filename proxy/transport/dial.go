package transport

import (
	"context"
	"net"
	"net/netip"
	"runtime"
	"syscall"

	"golang.org/x/sys/unix"
)

// pooledConn returns the connection to a configured address that tag falls to. If there is none it is dialled, and until it
// is open its queue holds what is sent.
func (t *Transport) pooledConn(to Peer, tag uint64) (*conn, error) {
	key := poolKey{listener: to.Listener, addr: to.Addr, slot: uint32(tag) % t.slots}
	if c := t.conns.byPool(key); c != nil {
		return c, nil
	}
	if int(to.Listener) >= len(t.listeners) {
		return nil, ErrNoDial
	}
	l := t.listeners[to.Listener]
	if !l.spec.DialsOut || l.tcp == nil || !to.Addr.IsValid() || to.Addr.Addr().Unmap().Is4() != l.addr.Addr().Is4() {
		return nil, ErrNoDial
	}
	c := t.newConn(Peer{Listener: to.Listener, Proto: TCP, Conn: t.conns.number(), Addr: to.Addr})
	c.pool, c.pooled = key, true
	ctx, cancel := context.WithTimeout(t.dials, t.limits.Dial)
	c.cancel = cancel
	switch entered := t.conns.enterPooled(c, t.limits.Dialled); entered {
	case c:
	case nil:
		cancel()
		t.stats.add(DialLimit, 1)
		return nil, ErrDialLimit
	default: // somebody was faster
		cancel()
		return entered, nil
	}
	if !t.spawn(func() { c.dial(ctx, l.addr.Addr()) }) {
		c.die(reasonNone, ErrClosed)
	}
	return c, nil
}

// dial opens a pooled connection and serves it.
func (c *conn) dial(ctx context.Context, local netip.Addr) {
	defer c.cancel()
	d := net.Dialer{KeepAliveConfig: keepAlive, Control: c.t.setDialOptions}
	if !local.IsUnspecified() {
		d.LocalAddr = net.TCPAddrFromAddrPort(netip.AddrPortFrom(local, 0))
	}
	nc, err := d.DialContext(ctx, "tcp", c.peer.Addr.String())
	if err != nil {
		c.die(DialError, err)
		return
	}
	if !c.open(nc.(*net.TCPConn)) {
		return
	}
	c.t.stats.Dialled.Add(1)
	c.flush()
	c.serve()
}

// setStreamOptions prepares a TCP socket that will listen or connect.
func (t *Transport) setStreamOptions(_, _ string, c syscall.RawConn) error {
	var err error
	ctlErr := c.Control(func(fd uintptr) {
		s := int(fd)
		// A fixed send buffer: what a peer does not read must pile up in our queue, where it is counted, not in megabytes of kernel memory.
		if err = unix.SetsockoptInt(s, unix.SOL_SOCKET, unix.SO_SNDBUF, streamSendBuffer); err != nil {
			return
		}
		// A peer that vanished without a word: unacknowledged bytes count as not taken.
		err = unix.SetsockoptInt(s, unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT, int(t.limits.Write.Milliseconds()))
	})
	if ctlErr != nil {
		return ctlErr
	}
	return err
}

// setDialOptions adds what only a socket that connects needs: its port is chosen when the pair of addresses is known, so that
// many connections from one address do not use up the ports. Best effort.
func (t *Transport) setDialOptions(network, address string, c syscall.RawConn) error {
	if err := t.setStreamOptions(network, address, c); err != nil {
		return err
	}
	return c.Control(func(fd uintptr) {
		_ = unix.SetsockoptInt(int(fd), unix.IPPROTO_IP, unix.IP_BIND_ADDRESS_NO_PORT, 1)
	})
}

// poolSlots is the number of connections to one address: as many as can write at once.
func poolSlots() uint32 { return uint32(runtime.GOMAXPROCS(0)) }
