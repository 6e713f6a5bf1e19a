// Package sdp reads session descriptions (RFC 4566, 8866) strictly and rewrites the few fields that a media relay owns.
//
// It promises: one bounded pass over the bytes gives an index of spans (Description.Scan); a rewrite (Description.Append)
// changes the address of c=, the port of m=, a=rtcp and, when asked, the ICE lines and the address of o=; every other byte
// goes out as it came in. A part of a multipart body is found and put back without touching its neighbours. No input
// panics, and none is read in two ways: what has two readings is refused with a named Fault.
//
// It refuses to know what a call is: which body is an offer, what was agreed, which ports are ours. It resolves no names
// and generates no ICE credentials, keys or sessions.
//
// Reading order:
//
//	scan.go       lines -> sections            medialine.go, connection.go, attribute.go, bundle.go
//	endpoint.go   what a section says          codec.go
//	splice.go     new addresses -> bytes       ice.go
//	multipart.go  body -> the SDP in it        fault.go: every refusal and its label
//
// # Decisions
//
// Lines end in CRLF, or all of them in LF (RFC 4566 section 5 asks parsers to bear that); the last may have no end. A mixture is
// refused: a reader that splits at CRLF only would see other lines than one that splits at LF. Empty lines are borne after the
// last line only.
//
// A line that we do not own is not judged. A missing s= or t=, lines in the wrong order, unknown types and an o= of too
// few words pass, because refusing them would end calls that both ends understand.
//
// c= of 0.0.0.0 or :: is a hold (RFC 3264 section 8.4) and stays one, in the address family that is asked for; the exception is a section
// with ICE credentials, where it says "candidates follow" (RFC 8840).
package sdp
