// Package wire reads SIP messages strictly and writes them byte for byte.
//
// It promises: one pass over the bytes gives an index of offsets (Message.Scan),
// nothing is copied and nothing is allocated in steady state; a message with two
// readings is refused with a named Fault before anything else sees it; what is not
// edited goes out as it came in (Splice), with one exception: folded header lines
// are unfolded. A Scan never panics, whatever the bytes.
//
// It refuses to know meaning: no transactions, no routing, no policy, no sockets.
// Check holds the few rules of the header section that need no state; what depends
// on configuration (which option tags we support, which hosts are us) is the
// caller's.
//
// Reading order:
//
//	scan.go      lines -> Headers          startline.go, fields.go, via.go, nameaddr.go
//	check.go     rules on meaning          uri.go, param.go, elems.go
//	splice.go    edits -> bytes            received.go, answer.go
//	frame.go     stream -> messages        fault.go: every refusal, its label and its code
//
// # Decisions
//
// Strict where two readers could disagree (line ends, control characters, header
// names, lengths, duplicates, quotes, commas), lenient where they can not and the
// field is full of it: any printable ASCII in a Call-ID, '#' in the user part and '_'
// in the host of a URI, any text but the separators in an unquoted display name,
// 8-bit bytes in values that we do not interpret.
//
// A refused request is answered when its topmost Via names an address and it has a
// CSeq (Message.Answerable), even if From, To or Call-ID are missing: RFC 4475
// section 3.3.1 asks for a 400 and the Via is all that a response needs to travel.
// Such an answer leaves out what the request did not have.
//
// A fold is accepted after the colon and between the words of a value, also within a
// quoted string, but not between a backslash and what it quotes: unfolding would
// change which character is quoted.
package wire
