package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/hotcut/hotcut/policy"
)

// tell is the story, act by act. An error means that it can not go on; what merely went wrong is a fault.
func (s *labStory) tell() error {
	acts := []func() error{
		s.opening, s.flipUnderACall, s.rollbackUnderACall, s.canary, s.refusedAndCancelled, s.edgeKilled, s.storeGone,
	}
	for _, act := range acts {
		if err := act(); err != nil {
			return err
		}
		if err := s.ctx.Err(); err != nil {
			return err
		}
	}
	return nil
}

// opening shows the parts, makes the policy and calls once from every tenant.
func (s *labStory) opening() error {
	w := s.world
	fmt.Fprintf(s.out, "The lab: loopback only, nothing to install.\n\n")
	fmt.Fprintf(s.out, "   legacy switch   %s\n   new core        %s\n   policy store    %s\n", w.legacy.Addr(), w.core.Addr(), w.store)
	for _, e := range w.edges {
		fmt.Fprintf(s.out, "   %-15s %s outside, %s inside\n", e.Name, e.Outside, e.Inside)
	}

	s.begin("Three tenants, all on legacy")
	err := s.commands(
		[]string{"init"},
		[]string{"tenant", "add", "acme", "--domain", "acme.example"},
		[]string{"tenant", "add", "birch", "--domain", "birch.example"},
		[]string{"tenant", "add", "cedar", "--domain", "cedar.example"},
	)
	if err != nil {
		return err
	}
	if len(s.faults) > 0 {
		return fmt.Errorf("there is no policy to play with: %s", s.faults[0].what)
	}
	for _, e := range w.edges {
		if err := e.Start(w.life); err != nil {
			return err
		}
		s.say("$ hotcut edge --config %s/edge.yaml    # pid %d", e.Name, e.PID())
	}
	if err := w.writeCLIFile(w.edges); err != nil {
		return err
	}
	if err := s.quick(policy.Legacy, "answer@acme.example", "alice", "anna"); err != nil {
		return err
	}
	if err := s.quick(policy.Legacy, "answer@birch.example", labDesk(0), labDesk(3)); err != nil {
		return err
	}
	return s.quick(policy.Legacy, "answer@cedar.example", "carol", "cyril")
}

// flipUnderACall moves acme while two of its calls are up: one ends from the phone, one from the platform.
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
	if err := s.commands([]string{"flip", "acme", "--to", "core", "--yes"}); err != nil {
		return err
	}
	if err := s.quick(policy.Core, "answer@acme.example", "alice", "anna"); err != nil {
		return err
	}
	if err := s.quick(policy.Legacy, "answer@cedar.example", "carol"); err != nil {
		return err
	}
	if err := s.commands([]string{"draining", "acme"}); err != nil {
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
	if err := s.commands([]string{"rollback", "acme", "--reason", "no ringback tone", "--yes"}); err != nil {
		return err
	}
	if err := s.quick(policy.Legacy, "answer@acme.example", "alice", "anna"); err != nil {
		return err
	}
	return s.hangup(c, true)
}

// canary gives core a share of birch, then a larger one: who was on core stays there.
func (s *labStory) canary() error {
	s.begin("birch: some of its phones first, then more")
	var before []string
	for _, share := range []string{"30", "60"} {
		if err := s.commands([]string{"flip", "birch", "--to", "canary", "--share", share, "--yes"}); err != nil {
			return err
		}
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

// refusedAndCancelled: a 486 and a CANCEL belong to the platform of their INVITE as a BYE does.
func (s *labStory) refusedAndCancelled() error {
	s.begin("A busy callee, and a caller who gives up")
	if _, err := s.place("carol", "busy@cedar.example", policy.Legacy, 486); err != nil {
		return err
	}
	ctx, cancel := s.patience()
	defer cancel()
	p := s.world.phones["cyril"]
	c, err := p.Dial(s.world.life, "ring@cedar.example")
	if err != nil {
		return err
	}
	call := s.note(c, policy.Legacy)
	call.over = true
	a, err := c.Cancel(ctx)
	if err != nil {
		return err
	}
	s.checkAnswer(call, a, 487)
	if err := s.world.legacy.Received.Await(ctx, c.ID, "CANCEL"); err != nil {
		s.fault("the CANCEL of %s -> %s: %v", c.From, c.To, err)
	}
	if err := s.world.legacy.Received.Await(ctx, c.ID, "ACK"); err != nil {
		s.fault("the ACK of %s -> %s: %v", c.From, c.To, err)
	}
	s.say("%-22s %s %s -> %-22s %-6s %d after CANCEL", p.AOR(), p.edge.Name, p.transport, c.To, a.Platform, a.Code)
	return s.ctx.Err()
}

// edgeKilled kills an edge with calls up: what routes them is sealed in their messages.
func (s *labStory) edgeKilled() error {
	e := s.world.edges[1]
	s.begin(e.Name + " is killed with calls up, and started again")
	overUDP, err := s.place("cyril", "answer@cedar.example", policy.Legacy, 200)
	if err != nil {
		return err
	}
	overTCP, err := s.place("anna", "answer@acme.example", policy.Legacy, 200)
	if err != nil {
		return err
	}
	s.say("$ kill -9 %d    # %s", e.PID(), e.Name)
	if err := e.Kill(); err != nil {
		return err
	}
	if err := s.quick(policy.Legacy, "answer@cedar.example", "carol"); err != nil { // by the other edge
		return err
	}
	if err := e.Start(s.world.life); err != nil {
		return err
	}
	s.say("%s is back, pid %d", e.Name, e.PID())
	if err := s.hangup(overUDP, true); err != nil {
		return err
	}
	return s.hangup(overTCP, true)
}

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
