package transport

import (
	"net/netip"
	"unsafe"

	"golang.org/x/sys/unix"
)

// An errorQueue reads a UDP socket's error queue (IP_RECVERR, ip(7)): one entry per ICMP error for a datagram that left
// by this socket, with the address it was sent to and as much of it as the router returned.
type errorQueue struct {
	hdr     unix.Msghdr
	iov     unix.Iovec
	control [512]byte // a sock_extended_err and the offender's address; more than the kernel writes. Here: aligned for Cmsghdr
	name    unix.RawSockaddrInet6
	payload [2048]byte
}

// An icmpError is one entry. Its payload is valid until the next call.
type icmpError struct {
	to      netip.AddrPort // where the datagram was going
	errno   unix.Errno
	remote  bool // told by ICMP, not by our own kernel
	payload []byte
}

func newErrorQueue() *errorQueue {
	q := new(errorQueue)
	q.iov.Base = &q.payload[0]
	q.iov.SetLen(len(q.payload))
	q.hdr.Name = (*byte)(unsafe.Pointer(&q.name))
	q.hdr.Iov = &q.iov
	q.hdr.SetIovlen(1)
	q.hdr.Control = &q.control[0]
	return q
}

// next takes the oldest entry. It reports false when the queue is empty.
func (q *errorQueue) next(fd uintptr) (icmpError, bool) {
	for {
		q.hdr.Namelen = nameLen
		q.hdr.SetControllen(len(q.control))
		q.hdr.Flags = 0
		q.name = unix.RawSockaddrInet6{}
		n, _, errno := unix.RawSyscall(unix.SYS_RECVMSG, fd, uintptr(unsafe.Pointer(&q.hdr)), unix.MSG_ERRQUEUE|unix.MSG_DONTWAIT)
		if errno == unix.EINTR {
			continue
		}
		if errno != 0 {
			return icmpError{}, false
		}
		e := icmpError{to: addrPort(&q.name), payload: q.payload[:min(int(n), len(q.payload))]}
		if ee := extendedErr(q.control[:min(int(q.hdr.Controllen), len(q.control))]); ee != nil {
			e.errno = unix.Errno(ee.Errno)
			e.remote = ee.Origin == unix.SO_EE_ORIGIN_ICMP || ee.Origin == unix.SO_EE_ORIGIN_ICMP6
		}
		return e, true
	}
}

// extendedErr finds the sock_extended_err among the control messages; nil if there is none. control must start at an
// address that is aligned for Cmsghdr.
func extendedErr(control []byte) *unix.SockExtendedErr {
	for len(control) >= unix.SizeofCmsghdr {
		c := (*unix.Cmsghdr)(unsafe.Pointer(&control[0]))
		size := int(c.Len)
		if size < unix.SizeofCmsghdr || size > len(control) {
			return nil
		}
		data := control[unix.CmsgLen(0):size]
		v4 := c.Level == unix.IPPROTO_IP && c.Type == unix.IP_RECVERR
		v6 := c.Level == unix.IPPROTO_IPV6 && c.Type == unix.IPV6_RECVERR
		if (v4 || v6) && len(data) >= int(unsafe.Sizeof(unix.SockExtendedErr{})) {
			return (*unix.SockExtendedErr)(unsafe.Pointer(&data[0]))
		}
		control = control[min(unix.CmsgSpace(size-unix.CmsgLen(0)), len(control)):]
	}
	return nil
}
