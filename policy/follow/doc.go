// Package follow keeps an edge on the policy: it takes what the store commits, and nothing else.
//
// It promises: a reader of Current loads one pointer and never waits; a rev is taken only if it chains from the one in
// force and its content has the root that the store's head names; what is in force stays in force when the store is
// away, torn, forked, emptied or of another epoch, and says so (state, alarms, nack); a restart serves from the disk copy
// before it has met the store; the edge's own orders (overrides) rank before the policy, need no store, and survive.
//
// It refuses: to write the policy, to go backwards, to guess. Which lineage is the right one after an accident is said
// by a person (AcceptEpoch).
//
// # Decisions
//
// Of several records that arrive together, those before one that does not validate are taken, and that one is nacked: a
// rollback is not held back by what was committed after it. Of records that do not chain none is taken.
//
// A bell (Watch, or 2 s) only makes the follower ask for the head: two sources of heads could overtake each other, and
// an old head would look like a store that lost commits. While no stream rings the head is asked for every 250 ms, and
// the first answer ends the stream's backoff: a rollback right after an outage is the one that must not wait.
//
// Overrides with freeze hold back no rev: what follows it in the chain may be a rollback. Freeze is enforced where
// changes are made, which sees it in this edge's report.
package follow
