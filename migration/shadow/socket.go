package shadow

import (
	"fmt"
	"net"
	"net/netip"
	"sync/atomic"
	"syscall"

	"golang.org/x/sys/unix"
)

// socket is a UDP socket of the shadow's own: no live message ever leaves by it, and a send never waits.
type socket struct {
	conn   *net.UDPConn
	raw    syscall.RawConn
	local  netip.AddrPort
	closed atomic.Bool
}

const receiveBuffer = 1 << 20 // bytes that the kernel keeps while the machine is busy

func openSockets(addrs []netip.AddrPort) ([]*socket, error) {
	var list []*socket
	for _, a := range addrs {
		network := "udp4"
		if a.Addr().Is6() {
			network = "udp6"
		}
		conn, err := net.ListenUDP(network, net.UDPAddrFromAddrPort(a))
		if err != nil {
			closeSockets(list)
			return nil, fmt.Errorf("shadow listener %s: %w", a, err)
		}
		raw, err := conn.SyscallConn()
		if err != nil {
			conn.Close()
			closeSockets(list)
			return nil, fmt.Errorf("shadow listener %s: %w", a, err)
		}
		_ = conn.SetReadBuffer(receiveBuffer) // with a smaller one the kernel drops sooner
		local := conn.LocalAddr().(*net.UDPAddr).AddrPort()
		list = append(list, &socket{conn: conn, raw: raw, local: netip.AddrPortFrom(local.Addr().Unmap(), local.Port())})
	}
	return list, nil
}

func closeSockets(list []*socket) {
	for _, s := range list {
		s.closed.Store(true)
		s.conn.Close()
	}
}

// send hands a datagram to the kernel, or reports false: it has no room, or no way.
func (s *socket) send(to netip.AddrPort, raw []byte) bool {
	var sa unix.Sockaddr
	if a := to.Addr().Unmap(); a.Is4() {
		sa = &unix.SockaddrInet4{Port: int(to.Port()), Addr: a.As4()}
	} else {
		sa = &unix.SockaddrInet6{Port: int(to.Port()), Addr: a.As16()}
	}
	ok := false
	err := s.raw.Write(func(fd uintptr) bool {
		ok = unix.Sendto(int(fd), raw, unix.MSG_DONTWAIT|unix.MSG_NOSIGNAL, sa) == nil
		return true // never wait until it is writable
	})
	return ok && err == nil
}
