package lab

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"sync"
)

// line is the TCP connection of a phone to its proxy. The phone opens it, so that it can tell when it breaks; sipgo serves
// it as one that it has accepted.
type line struct {
	local  netip.Addr
	proxy  netip.AddrPort
	dialed chan *lineConn
	closed chan struct{}
	close  func()

	dialing sync.Mutex // held while a connection is opened

	mu  sync.Mutex // guards cur
	cur *lineConn
}

func newLine(local netip.Addr, proxy netip.AddrPort) *line {
	l := &line{local: local, proxy: proxy, dialed: make(chan *lineConn), closed: make(chan struct{})}
	l.close = sync.OnceFunc(func() { close(l.closed) })
	return l
}

// lineConn is a connection that tells when it is served and when it is gone.
type lineConn struct {
	net.Conn
	read  func()        // the first time
	begun chan struct{} // closed by the first Read: sipgo sends by it from then on
	end   func()
	gone  chan struct{} // closed by Close: sipgo has forgotten it by then
}

func (c *lineConn) Read(b []byte) (int, error) {
	c.read()
	return c.Conn.Read(b)
}

func (c *lineConn) Close() error {
	c.end()
	return c.Conn.Close()
}

// up returns once there is a connection.
func (l *line) up(ctx context.Context) error {
	l.dialing.Lock()
	defer l.dialing.Unlock()
	if c := l.current(); c != nil {
		select {
		case <-c.gone:
		default:
			return nil
		}
	}
	d := net.Dialer{LocalAddr: net.TCPAddrFromAddrPort(netip.AddrPortFrom(l.local, 0))}
	nc, err := d.DialContext(ctx, "tcp", l.proxy.String())
	if err != nil {
		return fmt.Errorf("lab: connect to %s: %w", l.proxy, err)
	}
	c := &lineConn{Conn: nc, begun: make(chan struct{}), gone: make(chan struct{})}
	c.read = sync.OnceFunc(func() { close(c.begun) })
	c.end = sync.OnceFunc(func() { close(c.gone) })
	select {
	case l.dialed <- c:
	case <-l.closed:
		return fmt.Errorf("lab: connect to %s: %w", l.proxy, net.ErrClosed)
	case <-ctx.Done():
		_ = c.Close() // nobody has seen it
		return context.Cause(ctx)
	}
	l.mu.Lock()
	l.cur = c
	l.mu.Unlock()
	select {
	case <-c.begun:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (l *line) current() *lineConn {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.cur
}

// Accept hands sipgo what was dialled.
func (l *line) Accept() (net.Conn, error) {
	select {
	case c := <-l.dialed:
		return c, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

// Close ends Accept. The connection itself is sipgo's to close.
func (l *line) Close() error {
	l.close()
	return nil
}

// Addr is the own address; sipgo wants a port in it.
func (l *line) Addr() net.Addr { return net.TCPAddrFromAddrPort(netip.AddrPortFrom(l.local, 0)) }

// broken is closed when the connection of a phone over TCP is gone. Nil, which never happens, over UDP.
func (a *agent) broken() <-chan struct{} {
	if a.line == nil {
		return nil
	}
	if c := a.line.current(); c != nil {
		return c.gone
	}
	return nil
}

// Unplug breaks the connection of a phone over TCP, as a cable that is pulled and put back.
func (p *Phone) Unplug() error {
	if p.line == nil {
		return fmt.Errorf("lab: %s has no connection to break", p.AOR())
	}
	c := p.line.current()
	if c == nil {
		return fmt.Errorf("lab: %s has not connected yet", p.AOR())
	}
	if err := c.Conn.Close(); err != nil {
		return fmt.Errorf("lab: %s: %w", p.AOR(), err)
	}
	<-c.gone // sipgo's reader has noticed
	return nil
}
