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
//   - What escapes stops it, in this process, until the edge is started again; so does a fault of ours, which costs the edge nothing else.
//
// It refuses: to mirror emergency calls, MESSAGE and PUBLISH; to pass a phone's credentials on; to take an ambiguous pair of far legs for a
// match; to compare (compare) or to keep (store) what it has seen.
//
// A far leg may pass another edge than its call: edges do not share calls. It has its twin there, and the two legs are compared by
// themselves, as a record of one leg.
//
// # How it works
//
// One goroutine owns everything (machine): an event (a tapped message, a datagram of a dark core, a timer) and the time go
// in, datagrams come out. It reads no clock and no socket, so a simulation runs thousands of calls in virtual time with
// every loss and order that a seed asks for. Around it: the tap's ring, one reading goroutine per socket that hands datagrams
// over by a bounded channel, and sends that never wait. After each message, and between the steps of a comparison, it offers its processor
// to whoever is more urgent (Options.Yield): without that a live message that comes meanwhile waits for as long as the copies want.
//
// Where to find things: machine.go takes the events. A live call: call.go (its life), live.go (a far leg), exchange.go (what is handed
// over). The caller's side: agent.go and lockstep.go, the table of rules. The callee's: sink.go (who is let in), twin.go, pair.go (whose
// leg is it). What is sent: rewrite.go, scrub.go, sdp.go, replaces.go, identity.go. Under both: dialog.go, session.go, client.go,
// server.go. Besides calls: bindings.go (phones as the dark core knows them), canary.go, answer.go (a dark core's
// challenges, from imported HA1s). Without a dark core: recorder.go, file.go, replay.go.
//
// # Decisions
//
// A 200 that meets the end of the live call is acknowledged and hung up at once; only a shadow that has said nothing final yet gets the 4 s.
// When the live platform hangs up, the dark core has 4 s to do so itself: its callee's twin hangs up too.
//
// A far leg that arrives at another place than the live one is paired with it after 4 s, if both are known to be of one call: that is the
// difference that matters most. Without a common call a pair must agree in place, caller and time.
//
// A subscription is compared for its first minute and then ended: living ones last for weeks. A call is compared for an hour (Options.Longest).
//
// Edges do not tell each other of their calls. A phone is registered at the dark core by the edge that has its flow, so the far leg of a
// call that came in by another edge meets its live leg here, without its near one: its twin plays, and the far legs are in no exchange.
//
// A header that nobody here knows goes out without its addresses and host names rather than not at all: platforms act on their own headers.
//
// The line of a recording is sealed and not redacted: a dark core can not route a token.
package shadow
