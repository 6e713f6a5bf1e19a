// Package location remembers where phones are: the bindings that registrars confirmed, by an id that is the same on every
// edge, at every refresh, under every token key.
//
// It promises: Get takes no lock, allocates nothing and waits for nobody. News of one binding may arrive in any order, any
// number of times, from any edge: Merge ends in the same. The table holds at most Limit bindings (131,072) and refuses
// more with a count; one takes about 900 bytes of memory when it came from disk or Redis (TestMemory), up to 8 KB when its
// phone writes that much. What was put survives kill -9 of the process a moment later, and a power failure a second
// later; 100,000 bindings are read back in less than 2 s. The log keeps below twice what lives in it and a megabyte.
// A disk that is full, torn or gone is counted, said once, and never in the way.
//
// It refuses: to know what a binding is good for. Which platform serves, whether to keep a phone elsewhere and whether its
// flow is alive is for others to say; so is who else hears of it (package share).
//
// # Decisions
//
// Buckets of linked nodes with atomic pointers, and not a map under a lock: the readers are every call, the writers one
// REGISTER now and then. A node is unlinked under its stripe and keeps its own link, so a reader that stands on it walks
// on.
//
// A change is owed to the disk and to the other edges by a flag on its node. A queue of changes would have to drop or
// grow when its reader is away; a flag does neither, and a phone that refreshed ten times meanwhile is written once.
//
// The log has JSON, the same as in Redis, one record per line with a checksum before it: whatever happens to a line, the
// next one is found, and a person can read it. The log is read twice, the first time for checksums and ids only: of the
// records of one id only the newest is worth decoding. It holds no lock file: the lock (flock) is on the log itself, and
// on a compacted log before it takes the name.
//
// Bindings that un-registered or ended stay for 90 s (Grace) as tombstones: older news that another edge still sends must
// find something newer here.
package location
