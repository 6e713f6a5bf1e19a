package main

import (
	"fmt"

	"github.com/hotcut/hotcut/policy"
)

// tell is the story, act by act. An error means that it can not go on; what merely went wrong is a fault.
func (s *labStory) tell() error {
	acts := []func() error{
		s.opening, s.phonesRegister, s.flipUnderACall, s.rollbackUnderACall, s.canary, s.refusedAndCancelled, s.shadowed, s.edgeKilled, s.storeGone,
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
