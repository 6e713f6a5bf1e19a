// Package transaction holds the transaction machines of RFC 3261 section 17,
// with the Accepted states of RFC 6026 and a proxy's Timer C, and the timer
// wheel that drives them.
//
// It promises: a Machine is a small value that knows no message, no socket and
// no clock. (state, event, now) gives (state, what to do), the same each time,
// so a simulator can replay a year of calls. Every machine that was started
// ends by its own timers, except an INVITE server transaction that nobody
// answers: that one is ended by the client transactions behind it, which do.
//
// It refuses: to send, to match messages to transactions, to keep a message,
// to answer on its own (no 100, no 408), and to retransmit a 2xx, which in a
// proxy is the work of the two ends (RFC 6026 section 7.1).
//
// # Reading a result
//
// Do is a set of bits. The owner acts on all of them, DoEnd last: a machine
// over TCP may say DoSend|DoEnd. After every call of Init or Step the owner
// puts Next into the wheel; a Next of 0 stops the timer.
//
// # Decisions
//
// A client ends in exactly one of three ways: a first final response (DoPass),
// DoTimeout|DoEnd or DoError|DoEnd. So a transport error counts only while no
// final response came, and for an INVITE only until it rings: the request has
// arrived then, the error belongs to something else (a late retransmission, our
// CANCEL, a forged ICMP message), and a ringing call must not die of it. RFC 3261
// figure 5 tells the user of an error in Completed too; but that is our hop ACK,
// which the target asks for again by repeating its final response.
//
// A non-INVITE server transaction that got no final response ends after
// Timer F + T4. RFC 3261 leaves it to its user; but the client upstream has
// given up by then, RFC 4320 forbids to answer it, and a table without an end is
// a leak. T4 on top lets the client transactions behind it time out first.
//
// A 2xx that its user sends after a non-2xx final passes (RFC 3261 section 16.7
// step 5), and a 2xx that arrives after one too; neither changes the state.
package transaction
