package policy

import (
	"context"
	"errors"
)

// Store keeps the policy: a log of changes, and the roster of edges. redisstore and filestore implement it; storetest
// states the contract. Every method may be called from several goroutines.
type Store interface {
	// Head returns the tip. ErrNoPolicy when the store was never initialised or has been emptied.
	Head(ctx context.Context) (Head, error)
	// LoadAt returns the snapshot at rev; 0 means the head. Checkpoint plus replay; ErrTrimmed when rev is too old.
	LoadAt(ctx context.Context, rev uint64) (*Snapshot, error)
	// Since returns the changes after rev, oldest first. ErrTrimmed when they are no longer all there.
	Since(ctx context.Context, rev uint64) ([]Change, error)
	// Watch calls f with the head now and whenever it moves, until ctx ends; it may coalesce. It returns the first
	// error of the store, so that the caller decides when to try again.
	Watch(ctx context.Context, f func(Head)) error
	// Apply commits c, rebased on the tip if nothing that it touched or read has changed since c.Base.
	// ErrConflict, ErrForked, ErrNoPolicy, ErrUnknownOutcome, or a *Refusal (validation, tests).
	Apply(ctx context.Context, c Change) (Head, Durability, error)
	// ByKey returns the rev committed under an idempotency key, 0 if none.
	ByKey(ctx context.Context, key string) (uint64, error)
	// Resync commits s as rev newRev (greater than any rev an edge ever ran) of its own epoch into an empty or
	// regressed store.
	Resync(ctx context.Context, s *Snapshot, newRev uint64, c Change) (Head, error)
	Report(ctx context.Context, n NodeState) error
	Nodes(ctx context.Context) ([]NodeState, error)
	// Forget takes an edge off the roster.
	Forget(ctx context.Context, edge string) error
	Close() error
}

// Sentinels of every Store, for errors.Is.
var (
	ErrConflict       = errors.New("someone changed this since you looked")
	ErrForked         = errors.New("the change belongs to another epoch or chain")
	ErrNoPolicy       = errors.New("the store holds no policy")
	ErrTrimmed        = errors.New("the log no longer reaches back that far")
	ErrUnknownOutcome = errors.New("the store went away before it answered: outcome unknown")
	ErrUnreachable    = errors.New("the store is unreachable")
)
