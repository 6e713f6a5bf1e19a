// Package interop holds the tests of the whole: the real binary, real Redis, SIPp and Kamailio, under load. It has no
// code of its own; the tests run with -tags interop and start and stop every server themselves.
package interop
