// Package media relays RTP between two parties without looking inside: the address that a phone sends to never changes,
// whichever platform serves its call.
//
// It promises: what comes from a leg's proven peer leaves by the other leg at once, in the order in which it came, byte
// for byte. A leg accepts one source and sends to one address; before it has a proven peer it sends nowhere but to the
// address of the SDP, and nothing at all to an address that can only be meant in somebody else's network. An unknown
// packet is never answered. Every drop has a name ([Drop]). No packet allocates, locks or waits. Nothing that goes
// wrong here ends a call: silence is an [Event]. A process that is killed and started again binds the same ports and
// goes on (Options.State).
//
// It refuses to transcode, mix, buffer, repeat, record, decrypt or generate media; to know tenants, SIP or SDP (media/sdp
// and media/ng do); to hang up; and to say how a call sounded without evidence ([MOS]).
//
//	e, err := media.New(media.Options{Outside: public, Inside: private, OnEvent: note})
//	go e.Run(ctx)
//	s, err := e.Open(media.SessionKey{CallID: id, Leg: branch}, media.Families{})
//	addr, port, _ := s.Local(media.Inside)      // goes into the offer to the platform
//	s.SetRemote(media.Outside, offer)           // and so on with every offer and answer
//	s.Close()
//
// # Limits
//
// A range of P pairs of ports bears P / (D + 30) new calls per second of D seconds each, per address (twice that many ports
// where both sides share one address): a closed pair rests for 30 s, so that a phone that missed its BYE is not heard in the
// next call. 20000-39999 is 10,000 pairs: with calls of three minutes, 47 per second and 8,400 at a time. Beyond that the pair
// that has rested longest is taken early, which is counted; when none rests, Open fails with ErrPorts. A session has
// four descriptors.
//
// A phone behind NAT that speaks DTLS-SRTP needs an address in its SDP that is its own (ICE, STUN): DTLS passes before
// the lock but locks nothing, and its answer goes only to an address that SDP named or media has proved.
//
// # The engine's shape
//
// Measured before the rest was built, on two cores of a shared virtual machine: n two-way calls of 50 packets a second
// each way, the shapes in turn in every round, CPU of the relaying process alone per packet (getrusage). Medians of four
// rounds (800 calls: of those three in which the neighbours were quiet), as a ratio to one goroutine per socket
// (net.UDPConn with ReadFromUDPAddrPort and WriteToUDPAddrPort), which took 31, 14 and 11 µs.
//
//	shape                                                            100 calls   400 calls   800 calls
//	one goroutine per socket                                              1           1           1
//	one thread, own epoll, blocking in the scheduler's sight            0.68        0.58        0.62
//	two such threads                                                    1.8         0.98        1.1
//	one thread that keeps its processor while packets come (chosen)     0.46        0.58        0.59
//	two of those                                                        0.57        0.66        0.78
//
// So the cost is not the relaying but waking up: a goroutine that blocks in epoll_wait hands its processor over and
// fetches it back, with a futex and a round of the scheduler's monitor each time. A thread therefore waits up to 2 ms without
// telling the scheduler (a signal of the collector interrupts that wait, so it stops no one), and only then the polite
// way; Run adds a processor per thread so that nobody else misses one. And one thread takes 800 sessions before the next gets
// any, because a wake that finds more packets is cheaper for each. What was built takes 11, 7 and 7 µs per packet with
// all that it does, of which deciding and counting is 0.04 (go test -run '^$' -bench 'Relay|Route'). Also tried: sleeping 100 to 500 µs after each wake to
// gather more packets (no gain at 400 calls and more; at 100 calls 25 % for half a millisecond of delay), and draining a
// socket until it is empty (a leg never has two packets at 50 a second, so the second call is for nothing).
//
// Losses in the kernel are read from SO_MEMINFO every eight seconds and at the end: the counter that SO_RXQ_OVFL
// attaches to packets, without a control message on each.
//
// A locked leg is one immutable value (aim): a later engine can put it into a kernel table and take the packet from
// there; what the table does not know still comes up here.
package media
