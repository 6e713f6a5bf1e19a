package transport

import (
	"context"
	"net"
	"net/netip"
	"syscall"

	"golang.org/x/sys/unix"
)

const socketBuffer = 4 << 20 // bytes asked for in each direction; the kernel may give less

// udpSocket is one bound UDP socket. Any goroutine may send by it, one reads.
type udpSocket struct {
	conn *net.UDPConn
	raw  syscall.RawConn
	six  bool
}

// bindUDP opens one socket on addr. shared allows further sockets on the same address (SO_REUSEPORT): the kernel then
// spreads sources over them. Otherwise a second bind fails, as it must.
func bindUDP(addr netip.AddrPort, shared bool) (*udpSocket, netip.AddrPort, error) {
	six := !addr.Addr().Unmap().Is4()
	lc := net.ListenConfig{Control: func(_, _ string, c syscall.RawConn) error { return setUDPOptions(c, six, shared) }}
	pc, err := lc.ListenPacket(context.Background(), family("udp", six), addr.String())
	if err != nil {
		return nil, netip.AddrPort{}, err
	}
	conn := pc.(*net.UDPConn)
	raw, err := conn.SyscallConn()
	if err != nil {
		conn.Close()
		return nil, netip.AddrPort{}, err
	}
	return &udpSocket{conn: conn, raw: raw, six: six}, localAddr(conn.LocalAddr()), nil
}

func setUDPOptions(c syscall.RawConn, six, shared bool) error {
	var err error
	ctlErr := c.Control(func(fd uintptr) {
		s := int(fd)
		raiseBuffer(s, unix.SO_RCVBUFFORCE, unix.SO_RCVBUF)
		raiseBuffer(s, unix.SO_SNDBUFFORCE, unix.SO_SNDBUF)
		if shared {
			if err = unix.SetsockoptInt(s, unix.SOL_SOCKET, unix.SO_REUSEPORT, 1); err != nil {
				return
			}
		}
		if six {
			err = unix.SetsockoptInt(s, unix.IPPROTO_IPV6, unix.IPV6_RECVERR, 1)
		} else {
			err = unix.SetsockoptInt(s, unix.IPPROTO_IP, unix.IP_RECVERR, 1)
		}
	})
	if ctlErr != nil {
		return ctlErr
	}
	return err
}

// raiseBuffer asks past the system's limit first, which a privileged process may, then within it. A smaller buffer
// is no error: it shows as send_full, or as the kernel's own counter of receive drops.
func raiseBuffer(fd, force, plain int) {
	if unix.SetsockoptInt(fd, unix.SOL_SOCKET, force, socketBuffer) != nil {
		_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, plain, socketBuffer)
	}
}

// family pins the address family, so that a socket on :: takes no IPv4 and every address we see is of its socket's family.
func family(network string, six bool) string {
	if six {
		return network + "6"
	}
	return network + "4"
}

// localAddr reads the address of a socket that was bound by its family.
func localAddr(a net.Addr) netip.AddrPort {
	switch a := a.(type) {
	case *net.UDPAddr:
		ap := a.AddrPort()
		return netip.AddrPortFrom(ap.Addr().Unmap(), ap.Port())
	case *net.TCPAddr:
		ap := a.AddrPort()
		return netip.AddrPortFrom(ap.Addr().Unmap(), ap.Port())
	}
	return netip.AddrPort{}
}
