package main

import (
	"github.com/hotcut/hotcut/policy"
)

// flipUnderACall moves acme while two of its calls are up: one ends from the phone, one from the platform. Its phones can
// be called on core before any of them has registered there.
func (s *labStory) flipUnderACall() error {
	s.begin("acme moves to core while two of its calls are up")
	mine, err := s.place("alice", "answer@acme.example", policy.Legacy, 200)
	if err != nil {
		return err
	}
	theirs, err := s.place("anna", "answer@acme.example", policy.Legacy, 200)
	if err != nil {
		return err
	}
	alice, _ := s.talks(mine, labAudible)
	anna, _ := s.talks(theirs, labAudible)
	before, lit := s.mark(), s.lit()
	if err := s.commands([]string{"flip", "acme", "--to", "core", "--yes"}); err != nil {
		return err
	}
	after, err := s.place("adam", "answer@acme.example", policy.Core, 200)
	if err != nil {
		return err
	}
	if err := s.quick(policy.Core, "answer@acme.example", "alice", "anna"); err != nil {
		return err
	}
	if err := s.quick(policy.Legacy, "answer@cedar.example", "carol"); err != nil {
		return err
	}
	if err := s.phonesFollow(policy.Core, before, lit); err != nil {
		return err
	}
	if err := s.newPhone(policy.Core, policy.Legacy); err != nil {
		return err
	}
	if err := s.commands([]string{"draining", "acme"}); err != nil {
		return err
	}
	s.presses(after, "1984#")
	s.holdAndResume(mine)
	s.unbroken(mine, alice, "the flip and a hold")
	s.unbroken(theirs, anna, "the flip")
	s.aloud(mine, theirs, after)
	if err := s.commands([]string{"calls", "acme"}); err != nil {
		return err
	}
	if err := s.hangup(after, false); err != nil {
		return err
	}
	if err := s.hangup(mine, true); err != nil {
		return err
	}
	return s.hungUpBy(theirs)
}

// rollbackUnderACall takes acme back while a call is up on core.
func (s *labStory) rollbackUnderACall() error {
	s.begin("acme comes back to legacy while a call is up on core")
	c, err := s.place("anna", "answer@acme.example", policy.Core, 200)
	if err != nil {
		return err
	}
	anna, _ := s.talks(c, labAudible)
	before, lit := s.mark(), s.lit()
	if err := s.commands([]string{"rollback", "acme", "--reason", "no ringback tone", "--yes"}); err != nil {
		return err
	}
	if err := s.quick(policy.Legacy, "answer@acme.example", "alice", "anna"); err != nil {
		return err
	}
	if err := s.phonesFollow(policy.Legacy, before, lit); err != nil {
		return err
	}
	s.unbroken(c, anna, "the rollback")
	return s.hangup(c, true)
}

// phonesFollow checks after a move of acme that its phones are reachable where they are served now, at once and without
// any having registered since, and that the lamps have followed.
func (s *labStory) phonesFollow(to policy.Platform, before labMark, lit labLit) error {
	if err := s.reach(to, "alice", "anna@acme.example"); err != nil {
		return err
	}
	if err := s.reach(to, "anna", "alice@acme.example"); err != nil {
		return err
	}
	if err := s.reach(to, "alice", "adam@acme.example"); err != nil {
		return err
	}
	if amy := s.world.phones["amy"]; amy.Registrations() > 0 {
		if err := s.reach(to, "alice", amy.AOR()); err != nil {
			return err
		}
	}
	s.holds(policy.Legacy, "acme.example", "")
	s.holds(policy.Core, "acme.example", "")
	if s.undisturbed(before) {
		s.say("no phone has registered again, none has asked for a password; legacy and core hold %s of acme each",
			plural(len(s.world.registered("acme.example")), "phone"))
	}
	return s.lampsFollow(to, lit)
}

// newPhone is plugged in after the flip, and is kept on the platform that may have to take it back.
func (s *labStory) newPhone(serves, keeps policy.Platform) error {
	amy := s.world.phones["amy"]
	if err := s.register(serves, amy); err != nil {
		return err
	}
	s.holds(keeps, amy.domain(), "")
	s.say("%s holds it too, by a REGISTER of the edge's own: it has never heard of the phone itself", keeps)
	return nil
}
