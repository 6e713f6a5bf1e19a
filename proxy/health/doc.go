// Package health knows which targets answer, and picks one for a call.
//
// It promises: the order of targets for a call is the rendezvous order of its
// hash over the configured pool, the same on every edge and after every restart;
// health only moves a call down that list, never to another pool. Reading
// (Pick, Up) takes no lock and allocates nothing. Adding or removing one of n
// targets moves one n-th of the calls.
//
// It refuses: to send a probe (Due says which are due), to read a clock, and to
// eject more than half a pool: when most targets look dead it is more likely the
// view that is wrong. Where nothing is left to try, a target that is down is
// tried anyway.
//
// # Verdict and ejection
//
// Three misses in a row give a target the verdict "failing", two hits in a row
// take it away; a 503 with Retry-After takes it out for that time. Of those with a
// verdict the first to fail are ejected, up to half the pool; the others take
// calls although they fail, and take the place of one that comes back.
//
// Passive signs count like probes: a transport error or a timeout is a miss, an
// answer a hit. A 503 without Retry-After is neither: the target answered, and
// refused one call (RFC 3261 section 21.5.4 has it treated like a 500).
package health
