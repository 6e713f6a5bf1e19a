// Package digest reads and edits SIP digest authentication between platforms that
// challenge and phones that answer: where a challenge came from, which nonce was
// whose, and the answers that Hotcut gives for registrations of its own.
//
// It promises: a value is either understood whole or not touched at all; an edit
// changes the one parameter that it is about and no other byte; what a phone sends
// back is believed only under a MAC; the table of nonces has a fixed size, whatever
// strangers invent. Reading, wrapping, opening and restoring allocate nothing when
// dst has room.
//
// It refuses: schemes other than Digest (they pass), to verify a password (platforms
// do), to know whether a platform serves somebody, and to print a secret in any way.
//
// # Values
//
// A value is that of one header line, without the name, trimmed and unfolded: a CR or
// LF in it refuses it. SIP never lists challenges by commas (RFC 3261 section 20.44
// has one per header), so a value that holds two is not understood. Phones and
// platforms quote what should be bare, and the reverse: both are read for every
// parameter. Two parameters of one name are refused, since nobody knows which of them
// the other side obeys.
//
// # Provenance
//
// opaque is the one part of a challenge that a phone must repeat (RFC 7616 section
// 3.4) and that no digest covers. So the platform, the time and a hash of the Call-ID
// travel in it, in front of what the platform had put there:
//
//	"hc1." base64url(platform 1, flags 1, unix seconds 4, Call-ID hash 6, MAC 12, original opaque)
//
// The MAC is HMAC-SHA-256, cut to 96 bits, over the other fields and the realm. It does
// not cover the nonce: Authentication-Info may give a next one, to be used with the same
// opaque. It covers the hash of the Call-ID, not the Call-ID: phones use the nonce of
// their REGISTER for an INVITE, and provenance must survive that. The key does not
// rotate; a value under another key is known by its mark and can be told from one that
// was never ours. Wrapped values can be wrapped again, by a challenge that crosses the
// edge twice.
package digest
