package transport

import (
	"errors"
	"net"
	"net/netip"
	"os"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"
)

const socketBuffer = 4 << 20 // bytes asked for in each direction; the kernel may give less

// udpSocket is one bound UDP socket, unknown to the runtime's poller: its lane waits for it. Any goroutine may send by it.
type udpSocket struct {
	file *os.File // counts who uses the descriptor, so that none is closed under a send
	raw  syscall.RawConn
	fd   int // for the lane, which ends before the file is closed
	six  bool
}

// bindUDP opens one socket on addr. shared allows further sockets on the same address (SO_REUSEPORT): the kernel then
// spreads sources over them. Otherwise a second bind fails, as it must.
func bindUDP(addr netip.AddrPort, shared bool) (*udpSocket, netip.AddrPort, error) {
	a := addr.Addr().Unmap()
	six := !a.Is4()
	family := unix.AF_INET
	if six {
		family = unix.AF_INET6
	}
	// Blocking: os.NewFile leaves such a descriptor alone. Every call says MSG_DONTWAIT itself.
	fd, err := unix.Socket(family, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, netip.AddrPort{}, os.NewSyscallError("socket", err)
	}
	s := &udpSocket{file: os.NewFile(uintptr(fd), "udp "+addr.String()), fd: fd, six: six}
	bound, err := s.bind(a, addr.Port(), shared)
	if err != nil {
		s.file.Close()
		return nil, netip.AddrPort{}, err
	}
	return s, bound, nil
}

func (s *udpSocket) bind(a netip.Addr, port uint16, shared bool) (bound netip.AddrPort, err error) {
	if s.raw, err = s.file.SyscallConn(); err != nil {
		return bound, err
	}
	if err := setUDPOptions(s.fd, s.six, shared); err != nil {
		return bound, os.NewSyscallError("setsockopt", err)
	}
	var sa unix.Sockaddr = &unix.SockaddrInet6{Port: int(port), Addr: a.As16(), ZoneId: zoneID(a.Zone())}
	if !s.six {
		sa = &unix.SockaddrInet4{Port: int(port), Addr: a.As4()}
	}
	if err := unix.Bind(s.fd, sa); err != nil {
		return bound, os.NewSyscallError("bind", err)
	}
	switch sa, err := unix.Getsockname(s.fd); sa := sa.(type) {
	case *unix.SockaddrInet4:
		return netip.AddrPortFrom(netip.AddrFrom4(sa.Addr), uint16(sa.Port)), nil
	case *unix.SockaddrInet6:
		return netip.AddrPortFrom(netip.AddrFrom16(sa.Addr).WithZone(a.Zone()), uint16(sa.Port)), nil
	default:
		return bound, os.NewSyscallError("getsockname", err)
	}
}

// zoneID is the number of an interface that is given by number or by name; 0: there is none.
func zoneID(zone string) uint32 {
	if n, err := strconv.ParseUint(zone, 10, 32); err == nil {
		return uint32(n)
	}
	if i, err := net.InterfaceByName(zone); err == nil {
		return uint32(i.Index)
	}
	return 0
}

func setUDPOptions(s int, six, shared bool) error {
	raiseBuffer(s, unix.SO_RCVBUFFORCE, unix.SO_RCVBUF)
	raiseBuffer(s, unix.SO_SNDBUFFORCE, unix.SO_SNDBUF)
	if err := unix.SetsockoptInt(s, unix.SOL_SOCKET, unix.SO_TIMESTAMPNS, 1); err != nil {
		return err
	}
	if shared {
		if err := unix.SetsockoptInt(s, unix.SOL_SOCKET, unix.SO_REUSEPORT, 1); err != nil {
			return err
		}
	}
	if !six {
		return unix.SetsockoptInt(s, unix.IPPROTO_IP, unix.IP_RECVERR, 1)
	}
	return errors.Join(unix.SetsockoptInt(s, unix.IPPROTO_IPV6, unix.IPV6_V6ONLY, 1), unix.SetsockoptInt(s, unix.IPPROTO_IPV6, unix.IPV6_RECVERR, 1))
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
