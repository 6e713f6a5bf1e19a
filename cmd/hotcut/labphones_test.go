package main

import (
	"strings"
	"testing"
	"time"

	"github.com/hotcut/hotcut/policy"
	"github.com/hotcut/hotcut/proxy/lab"
)

// found checks that the story noticed each of these, and nothing else.
func found(t *testing.T, s *labStory, want ...string) {
	t.Helper()
	if len(s.faults) != len(want) {
		t.Errorf("%d faults, want %d: %v", len(s.faults), len(want), s.faults)
	}
	for _, w := range want {
		if !strings.Contains(s.wrong(), w) {
			t.Errorf("it was not noticed that %q:\n%s", w, s.wrong())
		}
	}
}

func TestLabIsContentWithPhonesThatAreLeftAlone(t *testing.T) {
	s := labStage(t, toLegacy, lab.Account{AoR: "alice@acme.example", Password: labPassword})
	if err := s.register(policy.Legacy, s.world.of("")...); err != nil {
		t.Fatal(err)
	}
	before := s.mark()
	s.holds(policy.Legacy, "acme.example", "digest")
	if err := s.reach(policy.Legacy, "alice", "alice@acme.example"); err != nil { // she rings herself
		t.Fatal(err)
	}
	if !s.undisturbed(before) {
		t.Error("disturbed")
	}
	found(t, s)
}

func TestLabNoticesARegistration(t *testing.T) {
	s := labStage(t, toLegacy, lab.Account{AoR: "alice@acme.example", Password: labPassword})
	alice := s.world.phones["alice"]
	before := s.mark()
	if err := alice.Register(t.Context(), time.Hour); err != nil {
		t.Fatal(err)
	}
	if !s.undisturbed(before, alice) {
		t.Error("who may register did, and was blamed")
	}
	if s.undisturbed(before) {
		t.Error("a registration was not noticed")
	}
	found(t, s, "alice has registered 1 time since")
}

func TestLabNoticesAPasswordPrompt(t *testing.T) {
	s := labStage(t, toLegacy, lab.Account{AoR: "alice@acme.example", Password: "another"})
	alice := s.world.phones["alice"]
	if err := alice.Register(t.Context(), time.Hour); err == nil {
		t.Fatal("registered with a wrong password")
	}
	if err := s.verdict(); err == nil {
		t.Error("the verdict is good")
	}
	found(t, s, "alice has asked for a password 1 time", "legacy saw credentials that are not for it")
}

func TestLabNoticesAMissingBinding(t *testing.T) {
	s := labStage(t, toLegacy, lab.Account{AoR: "alice@acme.example", Password: labPassword})
	if err := s.world.phones["alice"].Register(t.Context(), time.Hour); err != nil {
		t.Fatal(err)
	}
	s.limit = 50 * time.Millisecond
	s.holds(policy.Core, "acme.example", "")
	s.holds(policy.Legacy, "acme.example", "trust")
	found(t, s, "core does not hold the 1 phones of acme.example: core holds []", "legacy does not hold the 1 phones of acme.example: legacy holds [alice@acme.example")
}

func TestLabNoticesAPhoneThatDoesNotRing(t *testing.T) {
	s := labStage(t, toLegacy)
	alice := s.world.phones["alice"]
	if err := alice.Register(t.Context(), time.Hour); err != nil {
		t.Fatal(err)
	}
	if err := alice.Register(t.Context(), 0); err != nil { // legacy forgets her, and answers in her stead
		t.Fatal(err)
	}
	s.limit = 500 * time.Millisecond
	if _, err := s.ring(policy.Legacy, "alice", "alice@acme.example"); err != nil {
		t.Fatal(err)
	}
	found(t, s, "alice@acme.example was called and alice (no edge udp) did not ring: 0 INVITE arrived, not 1")
}

func TestLabNoticesALampThatStaysBehind(t *testing.T) {
	s := labStage(t, toLegacy)
	if err := s.world.addLamp("alice", "alice"); err != nil {
		t.Fatal(err)
	}
	l := s.world.lamps[0]
	s.world.running.Go(func() error { return l.Run(s.world.life) })
	ctx, cancel := s.patience()
	defer cancel()
	if err := l.AwaitSubscribed(ctx, 1); err != nil {
		t.Fatal(err)
	}
	if !s.watches(policy.Legacy, l) || s.watches(policy.Core, l) {
		t.Error("the lamp is legacy's")
	}
	s.limit = 50 * time.Millisecond
	if err := s.lampsFollow(policy.Core, s.lit()); err != nil {
		t.Fatal(err)
	}
	found(t, s, "after the move to core: the lamp of alice@acme.example for alice@acme.example shows off after 1 subscriptions")
}
