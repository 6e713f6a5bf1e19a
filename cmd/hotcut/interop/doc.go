// Package interop holds the tests of the whole: the real binary, real Redis, SIPp, Kamailio and baresip, under load and with
// real audio, of which tshark is the judge. It has no code of its own; the tests run with -tags interop and start and stop
// every server themselves.
package interop
