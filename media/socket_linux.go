package media

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Sockets are raw non-blocking descriptors outside the runtime's poller: see doc.go for what that saves. The calls
// below never block, so they are made without telling the scheduler (RawSyscall).

// openSocket binds a datagram socket. dscp (RFC 2474) marks what it sends.
func openSocket(addr netip.AddrPort, dscp uint8) (fd int, err error) {
	family := unix.AF_INET
	var bind unix.Sockaddr = &unix.SockaddrInet4{Port: int(addr.Port()), Addr: as4(addr.Addr())}
	if addr.Addr().Is6() {
		family = unix.AF_INET6
		bind = &unix.SockaddrInet6{Port: int(addr.Port()), Addr: addr.Addr().As16()}
	}
	fd, err = unix.Socket(family, unix.SOCK_DGRAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return -1, fmt.Errorf("media: socket: %w", err)
	}
	defer func() {
		if err != nil {
			unix.Close(fd)
			fd = -1
		}
	}()
	level, option := unix.IPPROTO_IP, unix.IP_TOS
	if family == unix.AF_INET6 {
		level, option = unix.IPPROTO_IPV6, unix.IPV6_TCLASS
		if err := unix.SetsockoptInt(fd, unix.IPPROTO_IPV6, unix.IPV6_V6ONLY, 1); err != nil {
			return fd, fmt.Errorf("media: IPV6_V6ONLY: %w", err)
		}
	}
	if dscp != 0 {
		if err := unix.SetsockoptInt(fd, level, option, int(dscp)<<2); err != nil {
			return fd, fmt.Errorf("media: DSCP: %w", err)
		}
	}
	if err := unix.Bind(fd, bind); err != nil {
		return fd, fmt.Errorf("media: bind %v: %w", addr, err)
	}
	return fd, nil
}

func as4(a netip.Addr) (b [4]byte) {
	if a.Is4() {
		b = a.As4()
	}
	return b
}

// receive reads one datagram without waiting. name is scratch space. Of a datagram longer than buf the rest is lost.
func receive(fd int, buf []byte, name *unix.RawSockaddrInet6) (int, netip.AddrPort, unix.Errno) {
	size := uint32(unsafe.Sizeof(*name))
	n, _, errno := unix.RawSyscall6(unix.SYS_RECVFROM, uintptr(fd), uintptr(unsafe.Pointer(&buf[0])), uintptr(len(buf)),
		unix.MSG_DONTWAIT, uintptr(unsafe.Pointer(name)), uintptr(unsafe.Pointer(&size)))
	if errno != 0 {
		return 0, netip.AddrPort{}, errno
	}
	port := binary.BigEndian.Uint16((*[2]byte)(unsafe.Pointer(&name.Port))[:])
	if name.Family == unix.AF_INET {
		v4 := (*unix.RawSockaddrInet4)(unsafe.Pointer(name))
		return int(n), netip.AddrPortFrom(netip.AddrFrom4(v4.Addr), port), 0
	}
	return int(n), netip.AddrPortFrom(netip.AddrFrom16(name.Addr), port), 0
}

// send writes one datagram without waiting. name is scratch space.
func send(fd int, buf []byte, to netip.AddrPort, name *unix.RawSockaddrInet6) unix.Errno {
	size := unix.SizeofSockaddrInet6
	if to.Addr().Is4() {
		v4 := (*unix.RawSockaddrInet4)(unsafe.Pointer(name))
		v4.Family, v4.Addr, size = unix.AF_INET, to.Addr().As4(), unix.SizeofSockaddrInet4
	} else {
		name.Family, name.Flowinfo, name.Addr, name.Scope_id = unix.AF_INET6, 0, to.Addr().As16(), 0
	}
	binary.BigEndian.PutUint16((*[2]byte)(unsafe.Pointer(&name.Port))[:], to.Port())
	_, _, errno := unix.RawSyscall6(unix.SYS_SENDTO, uintptr(fd), uintptr(unsafe.Pointer(&buf[0])), uintptr(len(buf)),
		unix.MSG_DONTWAIT|unix.MSG_NOSIGNAL, uintptr(unsafe.Pointer(name)), uintptr(size))
	return errno
}

// Of linux/sock_diag.h: the counters that SO_MEMINFO returns.
const (
	memInfoDrops = 8
	memInfoVars  = 9
)

// kernelDrops is how many datagrams the kernel dropped for want of room in the socket's buffer: the counter that
// SO_RXQ_OVFL would attach to a later datagram, read without needing one.
func kernelDrops(fd int) uint32 {
	var info [memInfoVars]uint32
	size := uint32(unsafe.Sizeof(info))
	_, _, errno := unix.RawSyscall6(unix.SYS_GETSOCKOPT, uintptr(fd), unix.SOL_SOCKET, unix.SO_MEMINFO,
		uintptr(unsafe.Pointer(&info[0])), uintptr(unsafe.Pointer(&size)), 0)
	if errno != 0 || size < uint32(unsafe.Sizeof(info)) {
		return 0
	}
	return info[memInfoDrops]
}
