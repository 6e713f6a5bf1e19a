package main

import (
	"context"
	"errors"
	"fmt"
	"testing"
)

// A story that waits in vain is no unreachable store: its exit code is 1, as README says, and nothing is to be typed next.
func TestABrokenStoryIsNoStore(t *testing.T) {
	s := &labStory{act: "act 7"}
	f := judge(s.broken(fmt.Errorf("a phone did not ring: %w", context.DeadlineExceeded)))
	if f.exit != exitError || len(f.next) != 0 || !errors.Is(f, context.DeadlineExceeded) {
		t.Errorf("exit %d, next %q, %v", f.exit, f.next, f)
	}
}
