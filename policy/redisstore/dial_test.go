package redisstore_test

import (
	"errors"
	"testing"

	"github.com/alicebob/miniredis/v2"

	"github.com/hotcut/hotcut/policy"
	"github.com/hotcut/hotcut/policy/storetest"
)

// A Redis that is back answers the next question, however often it was asked in vain, and a commit as well.
func TestBackAtTheNextQuestion(t *testing.T) {
	m := miniredis.RunT(t)
	s := open(t, m)
	snap := storetest.Seed(t, s, 1)
	m.Close()
	for range 10 { // more dials than the client has connections
		if _, err := s.Head(t.Context()); !errors.Is(err, policy.ErrUnreachable) {
			t.Fatalf("Head: %v", err)
		}
		if _, _, err := s.Apply(t.Context(), storetest.Rollback(snap, "t0")); !errors.Is(err, policy.ErrUnreachable) || errors.Is(err, policy.ErrUnknownOutcome) {
			t.Fatalf("Apply: %v", err)
		}
	}
	if err := m.Restart(); err != nil {
		t.Fatal(err)
	}
	if h, err := s.Head(t.Context()); err != nil || h.Rev != 1 {
		t.Errorf("Head: %+v, %v", h, err)
	}
	storetest.Commit(t, s, storetest.Rollback(snap, "t0"))
}
