package transport

import (
	"fmt"
	"net/netip"
)

// Proto is the transport protocol of a listener or a peer.
type Proto uint8

// The protocols of this package. The zero Proto is none of them.
const (
	UDP Proto = iota + 1
	TCP
)

// String returns the name used in configuration and metrics: "udp", "tcp".
func (p Proto) String() string {
	switch p {
	case UDP:
		return "udp"
	case TCP:
		return "tcp"
	}
	return fmt.Sprintf("proto(%d)", uint8(p))
}

// Token returns the transport as it is written into a Via header: "UDP", "TCP".
func (p Proto) Token() string {
	switch p {
	case UDP:
		return "UDP"
	case TCP:
		return "TCP"
	}
	return p.String()
}

// A Peer is where a message came from or goes to. It is comparable.
//
// With Conn set it is that very connection and nothing else: once the connection is gone, so is the peer. A TCP peer
// with Conn 0 is a pooled connection from Listener's address to Addr, dialled if absent; use it for configured
// addresses only, never for one that a message named.
type Peer struct {
	Listener uint16 // index into the specs given to New
	Proto    Proto
	Conn     uint64 // connection number, never reused; 0 for datagrams and pooled connections
	Addr     netip.AddrPort
}

// String is for logs and test output: "udp/0 127.0.0.1:5060", "tcp/1#7 127.0.0.1:40000".
func (p Peer) String() string {
	if p.Conn != 0 {
		return fmt.Sprintf("%s/%d#%d %s", p.Proto, p.Listener, p.Conn, p.Addr)
	}
	return fmt.Sprintf("%s/%d %s", p.Proto, p.Listener, p.Addr)
}
