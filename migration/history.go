package migration

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/hotcut/hotcut/policy"
)

// Past reads the log back to a time (zero: to its beginning) or to at least n changes (0: however many), whichever needs
// more. whole is false when the store has trimmed what would be older.
func (e *Engine) Past(ctx context.Context, since time.Time, n int) (log []policy.Change, whole bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, e.Limit)
	defer cancel()
	head, err := e.Store.Head(ctx)
	if err != nil {
		return nil, false, err
	}
	for back := uint64(max(64, n)); ; back *= 4 {
		from := head.Rev - min(back, head.Rev)
		got, err := e.Store.Since(ctx, from)
		if errors.Is(err, policy.ErrTrimmed) {
			got, err = e.oldest(ctx, from, head.Rev)
			return got, false, err
		}
		if err != nil {
			return nil, false, err
		}
		old := len(got) > 0 && got[0].At < since.UnixMilli()
		if from == 0 || (len(got) >= n && (n > 0 && since.IsZero() || !since.IsZero() && old)) {
			return got, true, nil
		}
	}
}

// oldest finds the longest tail of the log that the store still has, by bisection.
func (e *Engine) oldest(ctx context.Context, trimmed, head uint64) ([]policy.Change, error) {
	var best []policy.Change
	for lo, hi := trimmed, head; lo+1 < hi; {
		mid := lo + (hi-lo)/2
		got, err := e.Store.Since(ctx, mid)
		switch {
		case errors.Is(err, policy.ErrTrimmed):
			lo = mid
		case err != nil:
			return nil, err
		default:
			best, hi = got, mid
		}
	}
	return best, nil
}

// ChangeAt reads the change that made one rev.
func (e *Engine) ChangeAt(ctx context.Context, rev uint64) (policy.Change, error) {
	ctx, cancel := context.WithTimeout(ctx, e.Limit)
	defer cancel()
	if rev == 0 {
		return policy.Change{}, &GoalError{Problem: "rev 0 was made by nothing", Fix: "hotcut history"}
	}
	log, err := e.Store.Since(ctx, rev-1)
	if err != nil {
		return policy.Change{}, err
	}
	i := slices.IndexFunc(log, func(c policy.Change) bool { return c.Rev == rev })
	if i < 0 {
		return policy.Change{}, &GoalError{Problem: fmt.Sprintf("no change made rev %d", rev), Fix: "hotcut history"}
	}
	return log[i], nil
}
