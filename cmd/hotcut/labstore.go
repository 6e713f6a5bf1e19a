package main

import (
	"github.com/hotcut/hotcut/policy"
)

// storeGone takes Redis away, and gives it back empty.
func (s *labStory) storeGone() error {
	r := s.world.redis
	if r == nil {
		s.begin("Redis gone: left out, since the lab does not stop a Redis that is not its own")
		return nil
	}
	s.begin("Redis goes away while calls go on")
	if err := s.commands([]string{"flip", "acme", "--to", "core", "--yes"}); err != nil {
		return err
	}
	before, err := s.policy()
	if err != nil {
		return err
	}
	up, err := s.place("alice", "answer@acme.example", policy.Core, 200)
	if err != nil {
		return err
	}
	r.Stop()
	s.say("Redis is gone")
	if err := s.quick(policy.Core, "answer@acme.example", "alice", "anna"); err != nil {
		return err
	}
	if err := s.reach(policy.Core, "anna", "adam@acme.example"); err != nil {
		return err
	}
	if err := s.quick(policy.Legacy, "answer@cedar.example", "carol", "cyril"); err != nil {
		return err
	}
	if err := s.command(exitStore, "flip", "cedar", "--to", "core", "--yes"); err != nil {
		return err
	}
	if err := s.quick(policy.Legacy, "answer@cedar.example", "carol"); err != nil {
		return err
	}
	if err := s.commands([]string{"rollback", "acme", "--direct", "--yes"}); err != nil {
		return err
	}
	if err := s.quick(policy.Legacy, "answer@acme.example", "alice", "anna"); err != nil {
		return err
	}
	if err := s.reach(policy.Legacy, "anna", "adam@acme.example"); err != nil {
		return err
	}
	if err := s.hangup(up, true); err != nil {
		return err
	}
	return s.storeBackEmpty(before)
}

// storeBackEmpty seeds the empty Redis from an edge: a number is never used twice, and no edge goes backwards.
func (s *labStory) storeBackEmpty(before *policy.Snapshot) error {
	s.begin("Redis comes back, empty")
	if err := s.world.redis.Restart(true); err != nil {
		return err
	}
	if err := s.commands([]string{"policy", "resync", "--yes"}); err != nil {
		return err
	}
	after, err := s.policy()
	if err != nil {
		return err
	}
	switch {
	case after.Epoch() != before.Epoch():
		s.fault("the store came back with another epoch")
	case after.Rev() <= before.Rev():
		s.fault("rev %d after the resync is not above rev %d", after.Rev(), before.Rev())
	}
	s.say("the order of --direct still stands on the edges; it goes into the policy, then off the edges")
	err = s.commands(
		[]string{"rollback", "acme", "--yes"},
		[]string{"resume", "--direct", "acme", "--yes"},
		[]string{"status"},
	)
	if err != nil {
		return err
	}
	if err := s.quick(policy.Legacy, "answer@acme.example", "alice", "anna"); err != nil {
		return err
	}
	return s.quick(policy.Legacy, "answer@cedar.example", "carol", "cyril")
}
