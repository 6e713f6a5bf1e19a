package lab

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"time"
)

// NATOptions say how a NAT behaves. Its mapping and filtering depend on address and port (RFC 4787 sections 4.1 and 5), the
// least forgiving kind: a new port for every destination, and nothing comes in but from there.
type NATOptions struct {
	IP       netip.Addr    // outside address; default 127.0.0.1
	Idle     time.Duration // a mapping that was silent so long is gone; 0: never
	Outbound bool          // only what the inside sends keeps a mapping (RFC 4787 section 6, REQ-6)
	Now      func() time.Time
}

// NAT is a box that rewrites the source address and port of what phones send over UDP. Run makes it work.
type NAT struct {
	ip       netip.Addr
	idle     time.Duration
	outbound bool
	now      func() time.Time

	mu      sync.Mutex // guards what follows
	live    map[flowKey]*mapping
	retired []*mapping // their sockets stay open for a while: nobody else gets the port, and what comes is counted
	hosts   map[netip.AddrPort]*natConn
	lost    int
	strays  int
	closed  bool
	readers sync.WaitGroup
}

// natMappings bounds the table, and what is retired.
const natMappings = 512

// flowKey is what a mapping is for.
type flowKey struct{ inside, outside netip.AddrPort }

// mapping is one outside port.
type mapping struct {
	flowKey
	socket *net.UDPConn // connected: it hears its destination only
	last   time.Time    // guarded by NAT.mu
	dead   bool         // guarded by NAT.mu
}

// NewNAT makes a box without mappings.
func NewNAT(o NATOptions) (*NAT, error) {
	if !o.IP.IsValid() {
		o.IP = netip.MustParseAddr("127.0.0.1")
	}
	if !o.IP.IsLoopback() {
		return nil, fmt.Errorf("lab: %s is not a loopback address", o.IP)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	return &NAT{
		ip: o.IP, idle: o.Idle, outbound: o.Outbound, now: o.Now,
		live: make(map[flowKey]*mapping), hosts: make(map[netip.AddrPort]*natConn),
	}, nil
}

// Run works until ctx ends, then closes every port.
func (n *NAT) Run(ctx context.Context) error {
	<-ctx.Done()
	n.mu.Lock()
	n.closed = true
	var errs []error
	for _, m := range n.live {
		errs = append(errs, m.socket.Close())
	}
	for _, m := range n.retired {
		errs = append(errs, m.socket.Close())
	}
	n.live, n.retired = nil, nil
	n.mu.Unlock()
	n.readers.Wait()
	return errors.Join(errs...)
}

// Rebind gives every flow a new source port, as a box does that was restarted: the next packet from the inside makes it.
func (n *NAT) Rebind() {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, m := range n.live {
		n.retire(m)
	}
}

// Ports are the outside ports of the mappings that are alive, by inside address.
func (n *NAT) Ports() map[netip.AddrPort][]uint16 {
	n.mu.Lock()
	defer n.mu.Unlock()
	ports := make(map[netip.AddrPort][]uint16)
	for key, m := range n.live {
		if !n.expired(m) {
			ports[key.inside] = append(ports[key.inside], m.port())
		}
	}
	return ports
}

// Lost counts what came to a mapping that was gone; Strays what came to the inside without the box.
func (n *NAT) Lost() int {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.lost
}

// Strays counts datagrams that were sent to an inside address directly: somebody believed a Contact or a Via.
func (n *NAT) Strays() int {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.strays
}

func (m *mapping) port() uint16 { return m.socket.LocalAddr().(*net.UDPAddr).AddrPort().Port() }

func (n *NAT) expired(m *mapping) bool { return n.idle > 0 && n.now().Sub(m.last) > n.idle }

// retire ends a mapping. n.mu is held.
func (n *NAT) retire(m *mapping) {
	m.dead = true
	delete(n.live, m.flowKey)
	if len(n.retired) == natMappings {
		_ = n.retired[0].socket.Close() // its reader ends
		n.retired = n.retired[1:]
	}
	n.retired = append(n.retired, m)
}

// leave closes the ports of a socket that its phone has closed: what still comes there is nobody's any more, and no fault of
// who sends it. n.mu is held.
func (n *NAT) leave(inside netip.AddrPort) error {
	var errs []error
	for key, m := range n.live {
		if key.inside == inside {
			m.dead = true
			delete(n.live, key)
			errs = append(errs, m.socket.Close())
		}
	}
	return errors.Join(errs...)
}

// send lets a datagram out, by a mapping that it makes if need be.
func (n *NAT) send(key flowKey, b []byte) error {
	n.mu.Lock()
	m, err := n.mapped(key)
	n.mu.Unlock()
	if err != nil {
		return err
	}
	_, _ = m.socket.Write(b) // as lossy as the network is
	return nil
}

// mapped finds or makes a mapping. n.mu is held.
func (n *NAT) mapped(key flowKey) (*mapping, error) {
	if n.closed {
		return nil, net.ErrClosed
	}
	m := n.live[key]
	if m != nil && n.expired(m) {
		n.retire(m)
		m = nil
	}
	if m == nil {
		if len(n.live) >= natMappings {
			return nil, errors.New("lab: the NAT has too many mappings")
		}
		socket, err := net.DialUDP("udp", net.UDPAddrFromAddrPort(netip.AddrPortFrom(n.ip, 0)), net.UDPAddrFromAddrPort(key.outside))
		if err != nil {
			return nil, fmt.Errorf("lab: NAT: %w", err)
		}
		m = &mapping{flowKey: key, socket: socket}
		n.live[key] = m
		n.readers.Go(func() { n.read(m) })
	}
	m.last = n.now()
	return m, nil
}

// read lets in what comes to a mapping.
func (n *NAT) read(m *mapping) {
	buf := make([]byte, 64<<10)
	for {
		size, err := m.socket.Read(buf)
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			continue // ICMP: nobody listens there just now
		}
		n.mu.Lock()
		if !m.dead && n.expired(m) {
			n.retire(m)
		}
		host := n.hosts[m.inside]
		if m.dead || host == nil {
			n.lost++
			n.mu.Unlock()
			continue
		}
		if !n.outbound {
			m.last = n.now()
		}
		n.mu.Unlock()
		host.deliver(buf[:size], m.outside)
	}
}
