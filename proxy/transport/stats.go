package transport

import (
	"iter"
	"sync/atomic"
)

// A Reason names why something was dropped, refused or closed. The name is the metric label.
type Reason uint8

// The reasons. Those marked (in) are also told to Handler.Refused, with the address they came from.
const (
	reasonNone    Reason = iota
	Keepalive            // UDP: a datagram without content or of CR and LF only: a NAT keepalive, dropped
	PortZero             // UDP: a source port of 0 can not be answered
	SendFull             // UDP: the socket buffer or the device queue was full, the datagram is lost
	SendError            // UDP: the kernel refused the datagram (no route, too long, wrong family, socket closed)
	PathMTU              // UDP: ICMP says that a datagram of ours was too long for the path; the kernel fragments the next one
	Unreachable          // UDP: an ICMP error for a datagram of ours, told to Handler.Unreachable
	ConnLimit            // (in) TCP: Limits.Conns accepted connections are open
	SourceLimit          // (in) TCP: Limits.ConnsPerSource connections of this address are open
	Framing              // (in) TCP: what the stream holds is no SIP message; Handler.Refused gets the name of wire's fault
	HeaderTimeout        // (in) TCP: a message was not complete Limits.Header after its first byte (or after accept)
	IdleTimeout          // TCP: nothing was received for Limits.Idle
	SlowReader           // (in) TCP: more than Limits.Queue bytes wait for a peer that does not read
	WriteTimeout         // (in) TCP: the peer took no byte for Limits.Write, or answers no keepalive
	AcceptError          // TCP: accept failed (descriptors are used up); the loop waits and goes on
	DialError            // TCP: a dial failed
	DialLimit            // TCP: Limits.Dialled connections are open or being dialled
	NoConnection         // TCP: a message for a connection that is gone
	FailuresLost         // TCP: more failures are waiting than the handler keeps up with; these messages end by their timers
	reasons
)

var reasonNames = [reasons]string{
	reasonNone: "none", Keepalive: "keepalive", PortZero: "port_zero", SendFull: "send_full", SendError: "send_error",
	PathMTU: "path_mtu", Unreachable: "unreachable", ConnLimit: "conn_limit", SourceLimit: "source_limit",
	Framing: "framing", HeaderTimeout: "header_timeout", IdleTimeout: "idle_timeout", SlowReader: "slow_reader",
	WriteTimeout: "write_timeout", AcceptError: "accept_error", DialError: "dial_error", DialLimit: "dial_limit",
	NoConnection: "no_connection", FailuresLost: "failures_lost",
}

// String returns the metric label.
func (r Reason) String() string {
	if r < reasons {
		return reasonNames[r]
	}
	return "unknown"
}

// Reasons yields every reason.
func Reasons() iter.Seq[Reason] {
	return func(yield func(Reason) bool) {
		for r := reasonNone + 1; r < reasons; r++ {
			if !yield(r) {
				return
			}
		}
	}
}

// Stats are the counters of a Transport. They only grow, but for ConnsOpen; any goroutine may read them at any time.
type Stats struct {
	DatagramsIn, DatagramsOut atomic.Uint64
	MessagesIn, MessagesOut   atomic.Uint64 // of streams; out: put into a connection's queue
	BytesIn, BytesOut         atomic.Uint64 // of both kinds of transport, without IP, UDP and TCP headers
	Batches                   atomic.Uint64 // recvmmsg calls that brought at least one datagram
	Wakeups                   atomic.Uint64 // times a UDP reader was woken, for whatever cause
	ConnsOpen                 atomic.Int64  // accepted and dialled connections open now
	Accepted, Dialled         atomic.Uint64 // connections opened since the start

	counts [reasons]atomic.Uint64
}

// Count returns how often r happened.
func (s *Stats) Count(r Reason) uint64 {
	if r >= reasons {
		return 0
	}
	return s.counts[r].Load()
}

func (s *Stats) add(r Reason, n int) {
	if n > 0 {
		s.counts[r].Add(uint64(n))
	}
}
