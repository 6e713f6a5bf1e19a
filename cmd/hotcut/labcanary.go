package main

import (
	"slices"
	"strings"
	"time"

	"github.com/hotcut/hotcut/policy"
)

// labSettles is a little more than how old a rev is before an edge turns calls between platforms over by it.
const labSettles = 2200 * time.Millisecond

// canary gives core a share of birch, then a larger one: who was on core stays there.
func (s *labStory) canary() error {
	s.begin("birch: some of its phones first, then more")
	var before []string
	var moved time.Time
	registered := s.mark()
	for _, share := range []string{"30", "60"} {
		if err := s.commands([]string{"flip", "birch", "--to", "canary", "--share", share, "--yes"}); err != nil {
			return err
		}
		moved = time.Now()
		onCore, err := s.callEveryDesk()
		if err != nil {
			return err
		}
		s.say("on core: %s", dash(strings.Join(onCore, " ")))
		for _, desk := range before {
			if !slices.Contains(onCore, desk) {
				s.fault("%s was on core with a smaller share and is not any more", desk)
			}
		}
		before = onCore
	}
	s.holds(policy.Legacy, "birch.example", "")
	s.holds(policy.Core, "birch.example", "")
	if s.undisturbed(registered) {
		s.say("no phone has registered again; legacy and core hold all %d of birch", labBirchDesks)
	}
	return s.acrossTheShare(before, moved)
}

// acrossTheShare calls between two phones of birch that are on different platforms: the platform of the caller knows the
// other phone too, and must not ring it past the platform that serves it.
func (s *labStory) acrossTheShare(onCore []string, moved time.Time) error {
	if len(onCore) == 0 || len(onCore) == labBirchDesks {
		s.say("all phones of birch happen to be on one platform: there is no call between the two to show")
		return nil
	}
	caller := ""
	for i := range labBirchDesks {
		if desk := labDesk(i); !slices.Contains(onCore, desk) {
			caller = desk
			break
		}
	}
	// An edge that has just learned who serves lets the other edges learn it too before it turns calls over: two seconds.
	select {
	case <-time.After(time.Until(moved.Add(labSettles))):
	case <-s.ctx.Done():
		return s.ctx.Err()
	}
	heard := s.world.core.Received.Total("INVITE")
	callee := s.world.phones[onCore[0]]
	if err := s.reach(policy.Legacy, caller, callee.AOR()); err != nil {
		return err
	}
	ctx, cancel := s.patience()
	defer cancel()
	if err := s.world.core.Received.AwaitTotal(ctx, "INVITE", heard+1); err != nil {
		s.fault("legacy rang %s, which core serves: %v", callee.AOR(), err)
		return s.ctx.Err()
	}
	s.say("legacy has %s too, but core serves it: the edge sent the call there first", callee.AOR())
	return nil
}

// callEveryDesk calls once from each phone of birch and returns those that core served.
func (s *labStory) callEveryDesk() ([]string, error) {
	snap, err := s.policy()
	if err != nil {
		return nil, err
	}
	var onCore []string
	for i := range labBirchDesks {
		desk := labDesk(i)
		want := s.says(snap, s.world.phones[desk], "answer@birch.example").Platform
		if err := s.quick(want, "answer@birch.example", desk); err != nil {
			return nil, err
		}
		if want == policy.Core {
			onCore = append(onCore, desk)
		}
	}
	return onCore, nil
}
