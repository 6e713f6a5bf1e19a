// Package redisstore keeps the policy in Redis: one node, Sentinel or Cluster. It is a policy.Store that several command
// lines, a controller and any number of edges share.
//
// Promises: a commit is one Lua script and linear (epoch, rev and chain of the tip are compared in it); a change that
// was validated is what is written; nothing is sent twice by itself; a connection lost after the commit was sent is
// ErrUnknownOutcome, never success or failure made up; a flip moves kilobytes, not the policy; passwords stand in no
// error.
//
// Refuses: to start from an empty store by anything but init or resync, to give a rev number a second time, and to
// believe a reply that is not ours (every reply carries what it answers: namespace, epoch, rev, tenant or key).
//
// # Keys
//
// All begin with {hotcut:NS}: so that a Cluster keeps them together.
//
//	log            stream, id <rev>-0: the change; the truth
//	head           hash: ns, epoch, rev, chain, root, halt, globals
//	tenants        hash: id -> record at head
//	roots          string: the hashes of the root's 1,024 buckets, 32 bytes each
//	buckets        hash: bucket -> ids and hashes of its records
//	chains         hash: rev -> chain, for edges that ask whether a checkpoint descends from theirs
//	ckpts          hash: rev -> what a checkpoint is made of;  ckpt:<rev>:<i> its zstd pieces, at most 1 MB each
//	pieces         hash: rev -> where the pieces of a large import are;  piece:<key>:<i> those pieces
//	nodes          hash without expiry: edge -> time and state
//	idem:<key>     rev of a committed change, 24 h
//	lease          hash: holder, until, fence
//
// # Decisions
//
// roots is a string and not a hash of 1,024 entries: a commit writes 32 bytes of it with SETRANGE and a fresh command
// reads it in one piece. buckets is what lets such a command compute the new root from one bucket of a hundred hashes.
//
// The time of a record is Redis' TIME, asked on the commit's connection just before: it is inside what the chain hashes,
// and Lua in Redis can not compute SHA-256.
//
// WAIT is sent only when ROLE names a replica: without one it would hold every commit of a lone Redis for 500 ms.
package redisstore
