package transport

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// stampRoom is where the kernel writes when it took a datagram from the network (SO_TIMESTAMPNS). Only the first datagram of a batch has
// one: it has waited longest.
type stampRoom struct {
	hdr  unix.Cmsghdr
	time unix.Timespec
}

// attach makes the room ready for the next receive.
func (r *stampRoom) attach(h *unix.Msghdr) {
	h.Control = (*byte)(unsafe.Pointer(r))
	h.SetControllen(int(unsafe.Sizeof(*r)))
}

// at is when the datagram came, in nanoseconds since the Unix epoch; 0: the kernel did not say.
func (r *stampRoom) at(h *unix.Msghdr) int64 {
	if uintptr(h.Controllen) < unsafe.Sizeof(*r) || r.hdr.Level != unix.SOL_SOCKET || r.hdr.Type != unix.SCM_TIMESTAMPNS {
		return 0
	}
	return r.time.Nano()
}
