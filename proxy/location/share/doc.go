// Package share gives every edge the bindings of all edges, through Redis.
//
// It promises: what Put brought into one edge's table is Learn-ed by the others' soon after; nothing ever waits for Redis,
// and nothing is lost while it is away, since what is owed stays owed in the table; whatever state Redis comes back in
// (empty, older, another one) the edges fill it again, each with the bindings whose flow it owns and with whatever it
// knows better; two edges that hear of each other end with the same bindings, whoever wrote first. What Redis holds that
// no edge can have written is counted and ignored.
//
// It refuses: to be asked on a call's path. A miss may Ask once, with a budget of 50 ms and a bounded queue, and the
// answer comes as an event.
//
// # Keys
//
// All begin with {hotcut:NS:bindings}:, one hash tag, so that a Cluster keeps them together.
//
//	<id>   string, JSON of one binding, expires when the binding is location.Gone
//	ids    sorted set: id -> when its string expires, unix milliseconds. What a new edge reads first
//	news   stream of the same JSON, about 32,768 entries. What edges follow
//
// # Decisions
//
// Records are joined, not overwritten: location.Merge is commutative, associative and idempotent, so followers need no
// order and no reader of a key. What would break is the key itself: an edge that had not heard of the other's news yet
// would write it away. So a record is written by a script that compares stamps: if what is there has a newer part, it is
// handed back, merged here, and written again. Of two records of the same microsecond the follower who knows better
// writes once more.
//
// Ids in the stream are <microsecond of the stream's birth>-<1, 2, 3 ...>: a hole says that the stream was trimmed past us
// and another birth that Redis was emptied, and either means to read everything anew. Redis' own ids say neither.
//
// A follower reads on one connection of its own that is never silently replaced by another: a failover shows as an error,
// and after an error everything is read anew. That costs one read of all bindings per failover and edge.
//
// The reader of ids and strings asks for no more bytes of a string than a record may have. An entry of the stream can not
// be read in part: who may write to this Redis can make edges read as much as Redis lets an entry be.
package share
