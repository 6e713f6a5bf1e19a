// Package follow keeps an edge on the policy: it takes what the store commits, and nothing else.
//
// It promises: a reader of Current loads one pointer and never waits; a rev is taken only if it chains from the one in
// force; what is in force stays in force when the store is away, torn, forked, emptied or of another epoch, and says
// so (state, alarms, nack); a restart serves from the disk copy before it has met the store; the edge's own orders
// (overrides) rank before the policy and survive with it.
//
// It refuses: to write the policy, to go backwards, to guess. Which lineage is the right one after an accident is said
// by a person (AcceptEpoch).
package follow
