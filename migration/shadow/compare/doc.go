// Package compare says in which respects two canonical call records differ, and keeps count of it.
//
// Promises: Compare and Judge are pure; two records of the same call give no difference whatever their tags, ports,
// order or spelling; every difference has the severity of the specification's table and words that a support desk
// understands; a Tally is bounded and names what did not fit; Merge is commutative and associative, and idempotent
// where it must be (an (edge, boot) overwrites its own blob, readers merge each once).
//
// Refuses: to judge a call of which a side is missing (it is counted by reason, never as a match), to compare times call
// by call (only as distributions), and to keep anything that is not redacted: it never sees a message, only record.Call.
package compare
