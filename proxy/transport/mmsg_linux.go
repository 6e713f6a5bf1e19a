package transport

import (
	"net/netip"
	"strconv"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Header arrays for recvmmsg(2) and sendmmsg(2).
//
// unix.Mmsghdr, Msghdr, Iovec and the raw socket addresses are generated from the kernel's headers for each
// architecture, so their layout is not ours to get wrong. The pointers inside the headers are typed Go pointers into
// the same heap object (addresses, iovecs) or into a buffer that the object or its owner keeps: the collector sees them and
// does not move them, and the one uintptr conversion stands in the argument list of the system call, which keeps the array
// itself alive until it returns.
//
// The calls do not wait, so the scheduler is not told of them (RawSyscall6): told, it takes the processor away from a send
// that delivers to half a hundred loopback sockets, and the thread has to fetch it back.

const (
	recvBatch  = 32                       // datagrams per recvmmsg
	sendBatch  = 64                       // datagrams per sendmmsg
	maxPayload = 65535                    // no UDP datagram carries more; an IPv4 one at most 65,507
	recvStride = 64<<10 + 64*9            // distance of receive buffers: not a power of two, or all their first lines share one cache set
	nameLen    = unix.SizeofSockaddrInet6 // room for both families
)

// recvHeaders receive one batch. One goroutine uses them.
type recvHeaders struct {
	hdrs  [recvBatch]unix.Mmsghdr
	iovs  [recvBatch]unix.Iovec
	names [recvBatch]unix.RawSockaddrInet6
	buf   []byte
	first stampRoom // what the kernel says of the first: when it came
}

func newRecvHeaders() *recvHeaders {
	h := &recvHeaders{buf: make([]byte, recvBatch*recvStride)}
	h.first.attach(&h.hdrs[0].Hdr)
	for i := range h.hdrs {
		h.iovs[i].Base = &h.buf[i*recvStride]
		h.iovs[i].SetLen(maxPayload)
		m := &h.hdrs[i].Hdr
		m.Name = (*byte)(unsafe.Pointer(&h.names[i]))
		m.Namelen = nameLen
		m.Iov = &h.iovs[i]
		m.SetIovlen(1)
	}
	return h
}

// receive reads what is there, up to a batch, without waiting.
func (h *recvHeaders) receive(fd uintptr) (int, unix.Errno) {
	n, _, errno := unix.RawSyscall6(unix.SYS_RECVMMSG, fd, uintptr(unsafe.Pointer(&h.hdrs[0])), recvBatch, unix.MSG_DONTWAIT, 0, 0)
	if errno != 0 {
		return 0, errno
	}
	return int(n), 0
}

// datagram returns the i-th datagram of the batch and its source. The bytes are valid until the next receive.
func (h *recvHeaders) datagram(i int) (netip.AddrPort, []byte) {
	at := i * recvStride
	return addrPort(&h.names[i]), h.buf[at : at+int(h.hdrs[i].Len) : at+maxPayload]
}

// recycle makes the first n headers ready again: the kernel wrote the length of each address over its room.
func (h *recvHeaders) recycle(n int) {
	h.first.attach(&h.hdrs[0].Hdr)
	for i := range n {
		h.hdrs[i].Hdr.Namelen = nameLen
	}
}

// poison overwrites the first n datagrams, so that a test sees who kept one.
func (h *recvHeaders) poison(n int) {
	for i := range n {
		_, b := h.datagram(i)
		for j := range b {
			b[j] = poisonByte
		}
	}
}

// sendHeaders send one batch. One goroutine uses them.
type sendHeaders struct {
	hdrs  [sendBatch]unix.Mmsghdr
	iovs  [sendBatch]unix.Iovec
	names [sendBatch]unix.RawSockaddrInet6
}

func newSendHeaders() *sendHeaders {
	h := new(sendHeaders)
	for i := range h.hdrs {
		m := &h.hdrs[i].Hdr
		m.Name = (*byte)(unsafe.Pointer(&h.names[i]))
		m.Iov = &h.iovs[i]
		m.SetIovlen(1)
	}
	return h
}

// set fills the i-th header. It refuses an address of the family that a socket of family six can not reach.
func (h *sendHeaders) set(i int, msg []byte, to netip.AddrPort, six bool) bool {
	n, ok := putAddrPort(&h.names[i], to, six)
	if !ok {
		return false
	}
	h.hdrs[i].Hdr.Namelen = n
	h.iovs[i].Base = unsafe.SliceData(msg)
	h.iovs[i].SetLen(len(msg))
	return true
}

// send hands headers [from,to) to the kernel without waiting and returns how many it took. One alone costs less by sendto(2), which
// has no header to copy and to look through.
func (h *sendHeaders) send(fd uintptr, from, to int) (int, unix.Errno) {
	if to-from == 1 {
		m, v := &h.hdrs[from].Hdr, &h.iovs[from]
		if _, _, errno := unix.RawSyscall6(unix.SYS_SENDTO, fd, uintptr(unsafe.Pointer(v.Base)), uintptr(v.Len), unix.MSG_DONTWAIT|unix.MSG_NOSIGNAL,
			uintptr(unsafe.Pointer(m.Name)), uintptr(m.Namelen)); errno != 0 {
			return 0, errno
		}
		return 1, 0
	}
	n, _, errno := unix.RawSyscall6(unix.SYS_SENDMMSG, fd, uintptr(unsafe.Pointer(&h.hdrs[from])), uintptr(to-from), unix.MSG_DONTWAIT|unix.MSG_NOSIGNAL, 0, 0)
	if errno != 0 {
		return 0, errno
	}
	return int(n), 0
}

// addrPort reads a socket address as the kernel wrote it: the port in network order, the rest by family. It allocates
// only for an IPv6 link-local source, whose zone is the interface's number.
func addrPort(sa *unix.RawSockaddrInet6) netip.AddrPort {
	switch sa.Family {
	case unix.AF_INET:
		sa4 := (*unix.RawSockaddrInet4)(unsafe.Pointer(sa))
		return netip.AddrPortFrom(netip.AddrFrom4(sa4.Addr), bigEndian(sa4.Port))
	case unix.AF_INET6:
		a := netip.AddrFrom16(sa.Addr)
		if sa.Scope_id != 0 && a.IsLinkLocalUnicast() {
			a = a.WithZone(strconv.FormatUint(uint64(sa.Scope_id), 10))
		}
		return netip.AddrPortFrom(a, bigEndian(sa.Port))
	}
	return netip.AddrPort{}
}

// putAddrPort writes a socket address and returns its length. An IPv4 address in IPv6 form goes to an IPv4 socket as IPv4;
// a zone must be an interface's number, as addrPort makes it.
func putAddrPort(sa *unix.RawSockaddrInet6, to netip.AddrPort, six bool) (uint32, bool) {
	a := to.Addr()
	if !six {
		if a = a.Unmap(); !a.Is4() {
			return 0, false
		}
		sa4 := (*unix.RawSockaddrInet4)(unsafe.Pointer(sa))
		*sa4 = unix.RawSockaddrInet4{Family: unix.AF_INET, Port: bigEndian(to.Port()), Addr: a.As4()}
		return unix.SizeofSockaddrInet4, true
	}
	if !a.Is6() || a.Is4In6() {
		return 0, false
	}
	*sa = unix.RawSockaddrInet6{Family: unix.AF_INET6, Port: bigEndian(to.Port()), Addr: a.As16()}
	if zone := a.Zone(); zone != "" {
		n, err := strconv.ParseUint(zone, 10, 32)
		if err != nil {
			return 0, false
		}
		sa.Scope_id = uint32(n)
	}
	return unix.SizeofSockaddrInet6, true
}

// bigEndian converts a port between the host's order and the network's, either way, on any machine.
func bigEndian(v uint16) uint16 {
	b := (*[2]byte)(unsafe.Pointer(&v))
	return uint16(b[0])<<8 | uint16(b[1])
}
