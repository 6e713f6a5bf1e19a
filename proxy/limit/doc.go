// Package limit bounds what one source and one tenant may start.
//
// It promises: memory is fixed when a table is made, whatever addresses packets
// claim to come from; a flood from ten million spoofed sources evicts only
// buckets of sources that have been silent for longest. A source is an IPv4
// address or an IPv6 /64. What belongs to living calls has a second budget, which
// new work can not eat. Nothing allocates on the way of a message (a tenant's
// first call does).
//
// It refuses: to know who is exempt (its owner does), to be fair between sources
// behind one address, and to say anything of verified sources, which have limits
// of their own by configuration.
//
// # Decisions
//
// A source whose bucket was evicted begins with a full one. So a flood that is
// large enough to evict gives each of its members a burst again; it pays for that
// with more other addresses than the table has entries, and no table that is
// bounded can do better. A filter that errs the other way (a shared counter per
// hash) would let the flood refuse honest phones.
package limit
