// Package migration moves tenants and takes them back: every change of policy that a person makes goes through it.
//
// It promises that direction decides, per tenant, and not the verb: what could bring any unit of a tenant to core
// meets hold, halt, freeze, overrides and gates, and is confirmed; what goes to legacy meets nothing, is retried until
// it holds, and works without the store (Direct). A change is pure first (a Plan: the change, whom it moves, what the
// gates say), then confirmed, then committed, and done only when every listed edge says that it runs it: a silent edge
// is named and never left out of the count.
//
// It refuses to move anybody by itself, to make up evidence (the gate "ready" says "not measured" until something
// measures it), and to reuse a rev: a store that fell behind its edges is brought past the highest of them first.
//
// It knows the edges only as a struct of funcs (Edge) and prints nothing.
//
// # Decisions
//
// Direction is judged under the halt that is in force and, while all is on legacy, also as if it were lifted: a flip
// moves nobody at that moment, yet it is a move to core that the next resume would complete, so it is gated as one.
//
// Undo works by field: it gives back the fields that the change altered and keeps what others altered since, saying so.
// Whole records would silently take back a domain that somebody added in between.
//
// A change that names its tenants reads only them, where the store can (policy.Peeker). What they can not tell by
// themselves, such as new claims or an id that does not exist, is planned by the whole policy, with the same outcome.
//
// A plan that could bring anybody to core is made twice: once to learn whom it moves, and again with what the edges then
// said of those tenants' phones and of both registrars (Preflight). So gates stay pure functions over the Present, and a
// rollback asks nobody anything before its commit.
//
// Of registrations an edge speaks for itself: its own rows are believed even when it says that it has none. Only of an
// edge that does not answer is it believed what another last heard, and then that is said.
//
// A mass rollback is committed in pieces of at most 1,000 tenants. Towards legacy nothing is gained by all or nothing,
// and a single tenant in the way must not hold up the rest.
package migration
