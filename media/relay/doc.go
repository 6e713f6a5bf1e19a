// Package relay turns the session descriptions of a call into the sessions of a media.Engine: one party's description
// goes in, and what the other party must see comes out.
//
// It promises: Describe changes the address of c=, the port of m=, a=rtcp and, as asked, ICE lines and the address of o=;
// every other byte of a body goes out as it came in. A description that is said twice changes nothing and gives the same
// bytes. A line of a dialog has one address and port per leg from its first description to the end of the dialog.
// Whatever goes wrong, the body that came in comes back and the call can go on; only a description that no reader may
// trust is refused, by name. No input panics, and End gives back all that a dialog took.
//
// It refuses to know SIP: which message is an offer's answer follows from who spoke last; which dialog a message belongs
// to, and that a transaction failed, is said by the caller (Key, Failed, End).
//
// Reading order:
//
//	describe.go   the life of a description from top to bottom
//	lines.go      which line has which ports        said.go    what a party says of a line
//	dialog.go     offers, answers, early dialogs, roll-back
//	own.go        our own addresses in a description
//	quality.go    how it sounds                     relay.go   the table of dialogs
//
// # Rules
//
// Early dialogs: the newest 18x with a description wins until a 2xx, which wins for good. A 2xx without one keeps what the
// 18x of its tag said. What other tags say after that is rewritten and changes nothing.
//
// A failed offer leads back to what was in force before it, lines and ports that it opened included. An offer that turns
// audio into T.38, or back, is in force only with its answer: until then the parties go on hearing each other.
//
// T.38 has the ports of the audio line that it takes the place of (the same line, or another while the audio line's port is
// 0), and ports of its own if both lines are live.
//
// Lines of one bundle that name the same address and port have the same ports here. What does not travel over UDP (MSRP,
// BFCP over TCP) stays as it is.
//
// A description that names an address of ours is accepted if that port is a living session's: a call that a proxying
// platform sends back to us crosses twice. From inside it may name any port that is not a relay's, for a platform that
// lives on the same machine. Descriptions that would send packets in a circle are refused.
//
// A name in c= is not resolved: the address that the message came from takes its place, if it is known.
package relay
