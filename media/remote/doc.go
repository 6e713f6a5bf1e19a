// Package remote has the sessions of calls on servers that speak the NG protocol, rtpengine or `hotcut media`: what
// media/relay is for an engine in this process. One party's description goes in, and what the other party must see comes
// out, but not at once: what a server must be asked is a Question, and its Reply comes back by a function.
//
// It promises: Describe never waits. Each Question has one Reply, within Options.Wait, whatever the servers do; a Reply that
// is not Anchored means that the body goes on as it came. The commands of one dialog leave one at a time, in the order in
// which they were asked for. How many questions wait at once is bounded. A description that no reader may trust is refused
// before any server sees it.
//
// It refuses to know SIP, to choose interfaces and codecs (what a server makes of the bytes of a description is its own), and
// to keep anything on disk: after a restart a dialog is looked for on all servers when it is next spoken of.
//
// Reading order: question.go (what is asked, and what is known without asking), jobs.go (one at a time), dialog.go (offers,
// answers, early dialogs, roll-back), command.go (what is said to a server, and to which), quality.go, relay.go.
//
// # Names
//
// A server knows a dialog by Call-ID, "~" and the leg id that the edge has sealed into its token, which is also the via-branch:
// rtpengine would take two passes of one Call-ID with one From tag for one call. The tags are "outside" and "inside". A
// server need not know early dialogs: each answer takes the place of the one before, and which of them counts is decided here,
// as media/relay decides it.
package remote
