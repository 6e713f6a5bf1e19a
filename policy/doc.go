// Package policy says who is served where: one immutable, numbered Snapshot of all tenants, and one pure function,
// Snapshot.Decide, that never fails, blocks or allocates.
//
// It promises:
//
//   - A Snapshot never changes. The next one is made by Apply (an edge) or Next (a store), which copies what the change
//     touches and shares the rest: a flip among 100,000 tenants takes well under a millisecond.
//   - What does not follow is not taken: another epoch, a gap, a chain that does not fit is ErrForked; a record that is
//     not what the change says it was is ErrConflict.
//   - What is wrong is refused whole, as a *Refusal that lists every fault with tenant, field, value and what to write
//     instead; two tenants that claim one number, domain or trunk are both named.
//   - Equal policies have equal roots and equal exports; equal histories have equal chains.
//   - Direction is a fact about records, not about verbs: MotionOf and Change.Motions say of every tenant whether anybody
//     could move, and where to.
//
// It refuses to read a clock on the path of a call, to reach for a network or a disk (see Store, whose implementations live
// beside it), and to guess: a record field that it does not know is an error.
package policy
