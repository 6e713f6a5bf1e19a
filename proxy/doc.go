// Package proxy is Hotcut's SIP edge: a stateful, record-routing proxy that asks the policy once per dialog and then
// carries the decision in the messages.
//
// It promises:
//
//   - A living dialog stays with the parties that its token names, on any edge, after any restart, with the store gone.
//   - A retransmitted INVITE goes where the first went, with the same branch, also after kill -9.
//   - A phone is reached by its binding, on the newest flow that any edge knows, whichever platform it registered with.
//   - What it does not own it forwards byte for byte; what a sender may not say of itself it removes.
//   - Nothing waits under a shard's lock: no socket, no name, no store.
//   - Every refusal has a cause: one constant, one metric label (causes.go).
//
// It refuses to fork, to answer REGISTER, to choose a carrier, to resolve a name that came from outside, and to move a
// call to the other platform because a target is ill (emergency calls excepted: across.go).
//
// Where to find things: serve.go is the life of a request, response.go that of a response; route.go finds the next hop,
// pin.go and seal.go are the tokens, forward.go splices and sends, upstream.go answers, lateresponse.go is what comes after a restart, shard.go explains concurrency once. Registrations:
// register.go (what a phone asks), bind.go (what the 2xx says), flow.go (Path), deliver.go and intercept.go (what a platform
// asks of a phone), credentials.go (whose challenge), keep.go (our own REGISTERs), subscription.go (lamps), doctor.go. Media:
// media.go and its siblings; media/relay behind them, or media/remote (mediaplane.go, mediawait.go). Less common ways: failover.go, across.go and emergency.go (the next target),
// best.go (which refusal goes up), strict.go (RFC 2543 routers), named.go (Replaces and the like), large.go (over 1,300 bytes),
// fuse.go (loops that only their rate shows), hangup.go (lost connections), session.go (lost BYEs).
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
// A Contact of ours (reach_back: contact) keeps the phone's parameters but for transport: it says how the platform comes to
// us, and the phone's would say something else. Its host is the name of `via:` where the edges share one, since the registrar
// must see one contact whichever edge relayed the refresh.
//
// One Path stands for all contacts of a REGISTER: they came by one flow, and the Request-URI says which is meant. A flow
// that nobody remembers is still reached over UDP by what its Path seals; over a stream it is gone with its connection.
//
// A phone counts as reachable until 32 s after it was to come back, however long a platform holds it: callers hear 430, not
// half a minute of nothing. A final answer to a REGISTER whose transaction a restart has lost is dropped: the phone repeats
// it, the registrar repeats its answer, and then it is bound. A 2xx that lists no contact at all confirms all that were asked.
//
// An answer to a challenge of the last 32 s goes to the platform that gave it, with the reason `challenge`, although the
// policy may have moved on: only then does a flip between 401 and answer cost nothing.
//
// The media leg id that a pin seals is the beginning of the INVITE's own key, so a retransmission after a restart, and a late
// answer to it, name the same session. A session ends with its dialog; if its BYE passes us by, after an hour in which
// nothing was heard or said. A call that was on hold all that time gets other ports with its next description, which both
// sides read. How a call sounded is known a moment after its end: its last record waits for that.
//
// media.engine is none until somebody says otherwise. A relay needs a range of UDP ports that firewalls let through, and addresses
// of one interface, which a listener on 0.0.0.0 does not have: an edge that relayed by default would take the audio of calls
// that work today, without a word.
//
// Where servers relay (media.engine: ng) a request waits as a parked transaction, so that CANCEL and repetitions find it; a
// response and an ACK wait as bytes and go through their step again, since the client machine must not have moved before. A
// refused offer is told to the server behind the 488's back: nobody waits for a roll-back. An offer whose server has gone is made
// to another one: the call gets its audio back with its next re-INVITE.
//
// An emergency call is decided in policy.md's order: node_override and global_halt come before it, and both only ever say legacy.
// edge.md ranks it above them; the two agree where legacy takes the calls, and where core does, an operator who says halt means
// core. It reaches core all the same when legacy does not take it. A 100 ends its three seconds: the target has it.
//
// Replaces, Join and Target-Dialog are looked up in this edge's own dialog index; edges do not share it. Another edge's dialog is
// found by where the sender's own dialogs are, or not.
//
// ICE: the relay takes the place of all candidates (sdp.ICEReplace), so that ends which speak it check each other through us
// and find no path around us.
//
// The leaf packages choice, health, limit, config, admin, callrecord, metrics, digest, location and tap are not in DESIGN.md's
// table. Each is a table or a format that knows nothing of SIP routing, and is tested alone. location/share needs Redis and is
// handed to the edge as funcs, as its store is.
//
// # Where the time goes
//
// Of the CPU of a call of seven messages (perf, 2,000 calls/s, 10,000 tenants, metrics and records on; make bench has the sum): two fifths
// are the kernel's: sending (29 %, on loopback that includes delivering), receiving (5 %) and waiting (6 %); 42 % are the steps: splicing
// 5, scanning 4, looking up 4, tokens and branches 4, allocating 3, cutting header fields into elements 4, the tables that outlive a
// kill 2, the rest routing, timers' and counters' bookkeeping; 3 % the collector at GOGC 200; 6 % the Go scheduler and its monitor; 4 %
// timers that fire; 2 % call records. BenchmarkCall is the steps alone.
// Tried and dropped, with the CPU per call to that before: sleeping after a wake so that batches grow, a thread per socket
// (transport/doc.go); a profile of the edge for the compiler (default.pgo, go build -pgo), 1.00, and every build takes a minute more;
// GOGC 400, 1.01, since a call allocates 6 KiB instead of 10 (spare.go). The heap is what lives 64*T1 after a call: two requests of 1 KiB
// each, most of that the hop, and the INVITE's branch; some 4 KiB for each call of the last half minute, and up to three times that at
// the shipped GOGC before the collector looks.
package proxy
