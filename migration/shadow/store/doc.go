// Package store keeps what shadow calls have shown: counts, triage and examples of all edges in Redis or in files, and the
// exchanges of one edge as JSON lines on its disk.
//
// Promises: each life of an edge (edge, boot) overwrites its own counts and readers sum, so nothing counts twice;
// everything expires after the retention (30 days by default) by itself; files and queues have bounds in bytes; Purge
// leaves nothing of a tenant, also on edges that were down when it was asked for: they find the mark when they come back.
//
// Refuses: to hold up whoever has a verdict (a full queue drops, and counts), and to write what is not redacted:
// exchanges are redacted on the way in, once more if they were already.
//
// # Redis
//
// All keys of a tenant begin with {hotcut:NS:shadow:TENANT}: so that a Cluster keeps them together.
//
//	tally:<edge>|<boot>  string: JSON of compare.Tenant, with expiry
//	tallies              sorted set: edge|boot by when it was written, ms
//	call:<token>         string: JSON of an Example, with expiry
//	calls                sorted set: tokens by when they were written, ms
//	triage               hash: cluster -> JSON of compare.Triage
//
// {hotcut:NS:shadow}:tenants is a sorted set of tenants by when one was last written, and :purged one of the hashes of
// tenants that were purged, by when. An edge needs nothing that redisstore.EdgeRules does not allow.
//
// # Files
//
//	tallies/<tenant>/<edge>~<boot>.json   triage/<tenant>.json   purged/<hash>   replaced by rename
//	exchanges/<tenant>/<ms>.jsonl         appended, a new one each day, each start of the edge and each 16 MiB
package store
