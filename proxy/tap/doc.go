// Package tap carries copies of SIP messages from the edge's hot path to whoever compares them: an Event says what a message
// is, a Ring hands both over.
//
// It promises: Put never waits, takes no lock and allocates nothing; what it is given is copied before it returns. What was
// put comes out once, and what one goroutine put, or several under one lock, in that order. A full ring drops the new message
// and counts it, one that is larger than a slot as well, each under its own word. The memory is taken once, by NewRing: slots x
// (slot size + 128 bytes); what is never filled is never touched.
//
// It refuses: to know what SIP is, to wake its reader (who looks when it has time: a wake would be a lock or a system call in
// the path of a call), and to have two readers.
//
// # Decisions
//
// A full ring drops the newest, and not the oldest message: to overwrite what the reader may be reading needs a lock or a second
// copy, and the beginning of a call is worth more than its end: without its INVITE nothing of it can be compared.
//
// Put and Done are two calls. What a copy costs is not the copying but to wait for memory that the reader's processor has: a locked
// instruction after it waits, whatever else is done in between does not. For the same reason an Event holds one pointer, and no field that
// somebody has to look up a second time: a call of six copied messages may cost 0.8 µs, which is eight misses of the cache.
package tap
