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
//
// # Decisions
//
// Emergency ranks below an edge's own order and the global halt (and above everything of the tenant), as the order of
// reasons has it; the edge's text ranks it above them. They differ only for a tenant whose emergency calls are
// certified on core and that is not done: an order that says "core is failing, everything to legacy" then takes
// emergency calls along. An emergency call of an unknown tenant goes to legacy even where the default is to drop.
//
// An order for all (halt, Overrides.AllLegacy) leaves out what is done; an override that names a tenant does not.
//
// The unit that is hashed is the user part without its domain. Any domain of the tenant gives the same unit, which is
// what canonicalising is for, the salt already separates tenants, and a renamed domain moves nobody.
//
// A number that a tenant's users map does not mention is nobody's unit (bad_unit), unless the record names it as a
// user. A tenant without such a map has its numbers as units. bad_unit is a reason only where a bucket is asked for, in
// canary: elsewhere the stage decides without one. SUBSCRIBE follows the rule of calls: the subscriber where he is the
// tenant's own, else the subscribed.
//
// What comes from a platform for the tenant's own is inbound and its unit is the callee: the question there is who
// serves that phone.
//
// Claims on numbers are compared length by length, because a prefix and a range are sets of different kinds: the number
// +13035550150, which as a prefix also takes longer numbers, lies inside the range +13035550100-+13035550199.
//
// In canary what legacy serves is kept on core, but not while it is there because of a rollback, halt or override.
//
// A test that failed before a change does not refuse it: else one rollback past a test would stop every other tenant's
// changes until somebody had edited the tests. It stays a warning.
//
// A rule that matches everything is refused: REGISTER would not obey it, and the stage says the same. Any expiry of a
// rule to legacy is refused, whatever the stage is now: the stage may move before it passes.
//
// Entering done is a move towards core and leaving it one towards legacy, although nobody moves: it is the way back
// that ends. Being dropped (default none) counts as towards core, so that it is gated. A change hidden by a halt or
// rollback that would move people to core when that ends is towards core when it is written.
//
// The root also covers the globals.
package policy
