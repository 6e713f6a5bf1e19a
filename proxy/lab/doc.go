// Package lab is a small telephone world on loopback: phones, two switches told apart by what they answer, an embedded
// Redis and edges as child processes. `hotcut lab` tells its story with it, and tests borrow its parts.
//
// It promises that every peer behaves as a real user agent does: a 2xx is acknowledged and a BYE sent along the route
// set of the dialog (RFC 3261 section 12), a 2xx is sent again until its ACK, responses go back by the connection that
// brought the request. A Switch writes down, per Call-ID, what reached it, so that "where did this call go" is
// answered by the two platforms and not by the edge under test.
//
// A Switch is also a registrar with accounts: it challenges with nonces that no other switch takes, keeps contacts by the rules
// of RFC 3261 section 10.3 with their Path, calls all of them at once, and tells subscribers who is on the phone. A Phone
// is as touchy as the one on a desk: one challenge too many and it counts a password prompt and goes silent; it looks for its
// own Contact, byte for byte, in what comes back; its lamps go dark when their subscription ends. So "reachable without a
// re-registration, and nobody was asked for a password" can be read off the two ends. A NAT stands between a phone and the
// world and forgets.
//
// Every call has audio: PCMU and RFC 4733 keys, fifty packets a second each way between what SDP names, with a content that
// only one end of one call makes. Each end checks sequence, source, stream and content of what it hears (Audio), so loss
// is counted and named by who listens, not by the relay in between. Sockets are opened per call and closed at its end.
//
// It refuses to be a load generator (every table is small and bounded, SIPp is better at it), and it leaves the loopback
// network never. It sends no RTCP, and a switch is an end of each call's audio: it does not connect the two halves of a call.
//
// # Decisions
//
//   - Dialogs are the lab's own (dialog.go), not sipgo's: sipgo's client session sends what arrives without a
//     Record-Route to the Contact and its server session ignores strict routers, while the point here is to catch an edge
//     whose route set is wrong. sipgo keeps what it is good at: sockets, parsing, transactions.
//   - Legacy, core and every edge have a loopback address of their own (127.0.0.0/8 is all local on Linux), because an
//     edge tells platforms apart by their networks, as it does in production.
//   - Digest is computed here (digest.go), not by the edge's package and not by sipgo's: the two ends that judge an edge must
//     not share its mistakes.
//   - The socket of a phone behind a NAT is replaced, not the address that it sends to: a phone follows Record-Route in a
//     dialog, and would walk around a box that merely relays one address. The address in its Contact leads nowhere; what is
//     sent there is counted.
//   - A phone over TCP opens its connection itself and lets sipgo serve it as an accepted one: sipgo does not tell when a
//     connection breaks.
//   - A phone talks as soon as it knows where to, a switch when it is talked to: a relay sends nothing to an address that can
//     only be meant in somebody else's network, as all of loopback is, before it has heard from there. So nothing need be lost
//     at the beginning, and loss counts from the first packet that was heard.
//   - Descriptions are read by the lab's own few lines (description.go), for the same reason as digests are.
//   - Edges are child processes of the own binary: an edge can be killed with SIGKILL in the middle of a call, which is
//     what the lab has to show, and the process that runs is the one that production runs.
package lab
