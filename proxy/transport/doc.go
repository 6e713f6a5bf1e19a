// Package transport moves whole SIP messages between sockets and one handler: UDP in batches, TCP as framed messages.
//
// It promises: a message handed to [Handler.Message] is one datagram or one framed unit of a stream, complete and
// within limits; messages of one connection arrive in order; what one goroutine (or several, on one connection)
// hands to [Out.End] leaves in that order; nothing on the sending side ever waits for a peer: a full socket buffer
// drops the datagram, a connection that does not read is cut off. What could not be sent over a connection is
// reported by tag. Everything that grows has a bound and every refusal a named [Reason].
//
// It refuses to understand SIP: beyond framing it knows neither methods nor transactions, it does not retransmit,
// resolve names or choose targets, and it dials only what the caller addresses as a pooled peer.
//
// # Decisions
//
// Flush order: all datagrams of one socket leave with one sendmmsg, which would let a later message for one socket
// overtake an earlier one for another. Where the order is a promise (the forwarded INVITE before our 100, the final
// response before our hop ACK: a kill -9 between them must lose nothing) both belong to one call of the handler, so
// Out counts the changes of socket within a call ("tiers") and flushes tier by tier: the batch still leaves with a
// few system calls, and within a call the order of the kernel is the order of End.
//
// One goroutine reads all UDP sockets (of a lane: more with Spec.Readers), outside the runtime's poller. A call's messages come by
// two sockets, its cost is mostly waking up, and a goroutine that blocks in the poller hands its processor over and fetches
// it back, with a futex and a round of the scheduler's monitor each time. So a lane waits up to 2 ms without telling the scheduler (a
// signal of the scheduler interrupts that wait, and it begins anew), then the polite way; Run adds a processor per lane. Whole edge, 2,000 calls/s on two
// shared cores, in alternating rounds, CPU per call to one goroutine per socket in the poller (147 us, of which the call records' share
// was about a tenth, see callrecord):
//
//	goroutine per socket                             1
//	thread per socket that keeps its processor     0.82
//	one thread, blocking in the scheduler's sight  0.80
//	one thread that keeps its processor (chosen)   0.72
//	the same, sleeping 200 us after each wake      0.82, and 130 us more delay
//
// A lane was bound to its thread (runtime.LockOSThread) for a time. The scheduler interrupts it every 10 ms, as it does every goroutine that
// runs on, and a bound one it hands to another thread and back: four futexes and two switches. Unbound it goes on at once. With that, with
// waits that begin anew, and with sendto(2) for a message that leaves alone: 0.93 of the CPU per call.
//
// The handler's timers tick on the first lane: a goroutine of their own cost a round of the scheduler each 10 ms, more than the timers do.
//
// Batches save wake-ups and system calls, not the kernel's work: on loopback, where a send also delivers, nine tenths of an echo's time is
// that work, and BenchmarkEcho finds only a few per cent between this reader and a plain loop of one call per datagram. What the
// batch buys is one clock reading and one flush for many messages, no allocation, and never waiting for a full buffer.
//
// Failures are told by one goroutine of their own, never from within End or Flush: those run under the caller's
// locks, which Handler.Failed is going to take.
package transport
