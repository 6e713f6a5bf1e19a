// Package shadow keeps, for each mirrored call, a second one: a dialog of its own towards a dark core, in lockstep with the live
// call, with a twin of the callee at its far end. Both are handed to whoever compares them.
//
// It promises:
//
//   - Nothing of it is in the way of a live call: Put copies bytes into a bounded ring and returns.
//   - It sends to configured dark cores only, and nothing that it sends names a place at which anybody could be reached: every
//     address in it is the shadow listener's, a black hole, or a domain that the dark core serves itself.
//   - No dialog with a dark core outlives its live call by more than a transaction, whatever the dark core does.
//   - Every table, every exchange and the bytes kept in all are bounded; what is let go is counted by reason (Drop).
//   - What escapes stops it, in this process, until somebody has looked.
//
// It refuses: to mirror emergency calls, MESSAGE and PUBLISH; to answer a challenge with a phone's credentials; to take an
// ambiguous pair of far legs for a match; to compare (compare) or to keep (store) what it has seen.
//
// # How it works
//
// One goroutine owns everything (machine): an event (a tapped message, a datagram of a dark core, a timer) and the time go
// in, datagrams come out. It reads no clock and no socket, so a simulation runs thousands of calls in virtual time with
// every loss and order that a seed asks for. Around it: the tap's ring, one reading goroutine per socket that hands datagrams
// over by a bounded channel, and sends that never wait.
package shadow
