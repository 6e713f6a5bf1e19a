package redisstore_test

import (
	"errors"
	"fmt"
	"os"
	"testing"

	"github.com/alicebob/miniredis/v2"

	"github.com/hotcut/hotcut/policy"
	"github.com/hotcut/hotcut/policy/storetest"
)

// startMini runs a miniredis at an address of this process's own: nobody gets its port while it is away.
func startMini(t *testing.T) *miniredis.Miniredis {
	t.Helper()
	m := miniredis.NewMiniRedis()
	if err := m.StartAddr(fmt.Sprintf("127.%d.%d.1:0", 32+os.Getpid()>>8&127, os.Getpid()&255)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(m.Close)
	return m
}

// A Redis that is back answers the next question, however often it was asked in vain, and a commit as well.
func TestBackAtTheNextQuestion(t *testing.T) {
	m := startMini(t)
	s, addr := open(t, m), m.Addr()
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
	if err := m.StartAddr(addr); err != nil {
		t.Fatal(err)
	}
	if h, err := s.Head(t.Context()); err != nil || h.Rev != 1 {
		t.Errorf("Head: %+v, %v", h, err)
	}
	storetest.Commit(t, s, storetest.Rollback(snap, "t0"))
}
