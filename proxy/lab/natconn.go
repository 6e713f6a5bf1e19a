package lab

import (
	"errors"
	"net"
	"net/netip"
	"os"
	"slices"
	"sync"
	"time"
)

// natConn is a phone's UDP socket behind a NAT: what it writes leaves by the box, what it reads came through it. The socket
// that it stands for stays bound, so that what is sent to the phone's own address, around the box, is noticed.
type natConn struct {
	nat   *NAT
	real  *net.UDPConn
	self  netip.AddrPort
	in    chan natPacket
	done  chan struct{}
	close func() error
}

type natPacket struct {
	b    []byte
	from *net.UDPAddr
}

// natQueue is how many datagrams wait to be read; more are lost, as in a socket's buffer.
const natQueue = 256

// inside puts a socket behind the box.
func (n *NAT) inside(real *net.UDPConn) *natConn {
	c := &natConn{
		nat: n, real: real, self: real.LocalAddr().(*net.UDPAddr).AddrPort(),
		in: make(chan natPacket, natQueue), done: make(chan struct{}),
	}
	c.close = sync.OnceValue(func() error {
		close(c.done)
		n.mu.Lock()
		delete(n.hosts, c.self)
		err := n.leave(c.self)
		n.mu.Unlock()
		return errors.Join(err, real.Close())
	})
	n.mu.Lock()
	n.hosts[c.self] = c
	n.mu.Unlock()
	go c.strays()
	return c
}

// strays counts what came around the box.
func (c *natConn) strays() {
	buf := make([]byte, 1)
	for {
		_, _, err := c.real.ReadFromUDPAddrPort(buf)
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err == nil {
			c.nat.mu.Lock()
			c.nat.strays++
			c.nat.mu.Unlock()
		}
	}
}

func (c *natConn) deliver(b []byte, from netip.AddrPort) {
	select {
	case c.in <- natPacket{slices.Clone(b), net.UDPAddrFromAddrPort(from)}:
	default:
	}
}

// ReadFrom implements net.PacketConn.
func (c *natConn) ReadFrom(b []byte) (int, net.Addr, error) {
	select {
	case p := <-c.in:
		return copy(b, p.b), p.from, nil
	case <-c.done:
		return 0, nil, net.ErrClosed
	}
}

// WriteTo implements net.PacketConn.
func (c *natConn) WriteTo(b []byte, to net.Addr) (int, error) {
	u, ok := to.(*net.UDPAddr)
	if !ok {
		return 0, net.InvalidAddrError("lab: a NAT carries UDP")
	}
	at := u.AddrPort()
	if err := c.nat.send(flowKey{c.self, netip.AddrPortFrom(at.Addr().Unmap(), at.Port())}, b); err != nil {
		return 0, err
	}
	return len(b), nil
}

// Close implements net.PacketConn.
func (c *natConn) Close() error { return c.close() }

// LocalAddr is the inside address: the one that the phone writes into Via and Contact.
func (c *natConn) LocalAddr() net.Addr { return c.real.LocalAddr() }

// SetDeadline, SetReadDeadline and SetWriteDeadline implement net.PacketConn: there are none.
func (c *natConn) SetDeadline(time.Time) error      { return os.ErrNoDeadline }
func (c *natConn) SetReadDeadline(time.Time) error  { return os.ErrNoDeadline }
func (c *natConn) SetWriteDeadline(time.Time) error { return os.ErrNoDeadline }
