package ng

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// A peer is one server as the client sees it: a connected socket, so that only the server's own datagrams are read and the
// kernel tells when nobody listens there.
type peer struct {
	addr   netip.AddrPort
	conn   *net.UDPConn
	health health

	mu      sync.Mutex // guards waiting
	waiting map[string]chan answer

	late      atomic.Uint64 // answers that nobody waits for
	malformed atomic.Uint64
}

// answer is what came for a cookie: a dictionary, or that nobody listens.
type answer struct {
	dict    Dict
	refused bool
}

func dialPeer(addr netip.AddrPort, bind netip.Addr, misses int) (*peer, error) {
	var local *net.UDPAddr
	if bind.IsValid() {
		local = net.UDPAddrFromAddrPort(netip.AddrPortFrom(bind, 0))
	}
	conn, err := net.DialUDP("udp", local, net.UDPAddrFromAddrPort(addr))
	if err != nil {
		return nil, fmt.Errorf("ng: server %v: %w", addr, err)
	}
	return &peer{addr: addr, conn: conn, health: health{limit: misses}, waiting: make(map[string]chan answer)}, nil
}

// expect makes room for the answer to a cookie.
func (p *peer) expect(cookie string) <-chan answer {
	ch := make(chan answer, 1)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.waiting[cookie] = ch
	return ch
}

func (p *peer) forget(cookie string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.waiting, cookie)
}

// send writes one datagram. A loss is a loss: the caller repeats. That the port was refused before may be told by a write, which then has not sent.
func (p *peer) send(msg []byte) {
	if _, err := p.conn.Write(msg); unreachable(err) {
		p.refused()
		p.conn.Write(msg)
	}
}

// read hands answers to those who wait, until the socket is closed.
func (p *peer) read() {
	buf := make([]byte, MaxMessage)
	for {
		n, err := p.conn.Read(buf)
		switch {
		case err == nil:
			p.take(buf[:n])
		case errors.Is(err, net.ErrClosed):
			return
		case unreachable(err):
			p.refused()
		default:
			time.Sleep(10 * time.Millisecond) // an error of the machine: it must not turn into a busy loop
		}
	}
}

func (p *peer) take(msg []byte) {
	cookie, body, err := cutMessage(msg)
	if err != nil {
		p.malformed.Add(1)
		return
	}
	p.mu.Lock()
	ch := p.waiting[cookie]
	p.mu.Unlock()
	if ch == nil {
		p.late.Add(1)
		return
	}
	d, err := decode(body)
	if err != nil {
		p.malformed.Add(1)
		return
	}
	p.health.answered()
	p.tell(cookie, answer{dict: d})
}

// tell hands over the answer and closes the account: a second one is late. "Refused" does not: the server may come back before
// the last try.
func (p *peer) tell(cookie string, a answer) {
	p.mu.Lock()
	defer p.mu.Unlock()
	ch := p.waiting[cookie]
	if ch == nil {
		return
	}
	if !a.refused {
		delete(p.waiting, cookie)
		select { // what was not taken yet is older
		case <-ch:
		default:
		}
	}
	select {
	case ch <- a:
	default:
	}
}

// refused: nobody listens there now.
func (p *peer) refused() {
	p.health.refuse()
	p.mu.Lock()
	cookies := make([]string, 0, len(p.waiting))
	for cookie := range p.waiting {
		cookies = append(cookies, cookie)
	}
	p.mu.Unlock()
	for _, cookie := range cookies {
		p.tell(cookie, answer{refused: true})
	}
}

func unreachable(err error) bool {
	return errors.Is(err, syscall.ECONNREFUSED) || errors.Is(err, syscall.EHOSTUNREACH) || errors.Is(err, syscall.ENETUNREACH)
}
