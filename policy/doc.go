// Package policy says who is served where: one immutable, numbered Snapshot of all tenants, and one pure function,
// Snapshot.Decide, that never fails, blocks or allocates.
package policy
