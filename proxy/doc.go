// Package proxy is Hotcut's SIP edge: a stateful, record-routing proxy that asks the policy once per dialog and then
// carries the decision in the messages.
//
// It promises:
//
//   - A living dialog stays with the parties that its token names, on any edge, after any restart, with the store gone.
//   - A retransmitted INVITE goes where the first went, with the same branch, also after kill -9.
//   - What it does not own it forwards byte for byte; what a sender may not say of itself it removes.
//   - Nothing waits under a shard's lock: no socket, no name, no store.
//   - Every refusal has a cause: one constant, one metric label (causes.go).
//
// It refuses to fork, to answer REGISTER, to choose a carrier, to resolve a name that came from outside, and to move a
// call to the other platform because a target is ill.
//
// Where to find things: serve.go is the life of a request, response.go that of a response; route.go finds the next hop,
// pin.go and seal.go are the tokens, forward.go splices and sends, shard.go explains concurrency once.
//
// # Decisions
//
// The 100 is sent by a timer 200 ms after the INVITE unless something else went up before (edge.md has it in the
// INVITE's own batch). Batches of two sockets leave by two goroutines: on a loaded machine the callee's 180 overtook a
// 100 that stood in the batch, which strict callers (SIPp) take for an error. RFC 3261 section 17.2.1 asks for a 100 only
// if nothing else comes within 200 ms. The order of edge.md, forwarded INVITE first, holds all the more.
//
// Branches are 39 characters of lower case (base32), since some peers fold the case of tokens; the key's id travels in the
// clear as four hex digits. The listener is an input of the MAC, and a response without a transaction is tried against
// every listener of its transport: there are few.
//
// A dialog handed to the edge that owns the flow travels with the token in a Route that names that edge; the owner adds
// its Via and no second pin. What makes it believe the other edge is the token's MAC; the other edge's address (from the
// roster) only lets it speak for the platform's side.
//
// The leaf packages choice, health, limit, config, admin, callrecord and metrics are not in DESIGN.md's table. Each is a
// table or a file format that knows nothing of SIP routing, and is tested alone.
package proxy
