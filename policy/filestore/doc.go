// Package filestore keeps the policy in files: Store is a policy.Store in one directory, shared by the edge and the
// command line of one machine; Disk is an edge's last-good copy in its state directory; OverridesFile is its local orders.
//
// Promises: what Apply acknowledged has been fsynced; a file that was torn by a crash is noticed by its SHA-256 and the
// one before it is used; two processes never commit at once (flock); a reader never waits for a writer.
//
// Refuses: network file systems (flock and rename must be those of one kernel), records of more than policy.MaxChange bytes, and to
// guess: a damaged record in the middle of the log is an error that names the file, never skipped.
//
// Layout of a Store: MANIFEST (JSON: epoch, checkpoints, segments; replaced by rename) names everything else:
// ckpt-<gen>-<rev> and log-<gen>-<rev>, the records after that rev, a line each: hex SHA-256, space, JSON. past holds
// the chains of trimmed revs, nodes/ a file per edge, lock the flock.
//
// Watch polls size, time and inode of two files every 50 ms: two stat calls, the same on every file system and in
// every container, and no limit of watches to run into. inotify would save less than a thousandth of a core.
package filestore
