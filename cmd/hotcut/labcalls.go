package main

import (
	"fmt"
	"time"

	"github.com/hotcut/hotcut/policy"
	"github.com/hotcut/hotcut/proxy/lab"
)

// labCall is a call and where the policy wanted it.
type labCall struct {
	*lab.Call
	want    policy.Platform
	over    bool     // BYE or final refusal was seen
	excused *labTalk // what was lost until then was the price of what the story did
}

// place dials, waits for the final response and checks who gave it.
func (s *labStory) place(from, to string, want policy.Platform, code int) (*labCall, error) {
	ctx, cancel := s.patience()
	defer cancel()
	p := s.world.phones[from]
	c, a, err := p.Call(ctx, s.world.life, to)
	if err != nil {
		return nil, fmt.Errorf("%s calls %s: %w", p.name, to, err)
	}
	call := s.note(c, want)
	call.over = !a.Answered()
	s.say("%-22s %s %s -> %-22s %-6s %d in %s", p.AOR(), p.edge.Name, p.transport, to, dash(a.Platform), a.Code, a.Setup.Round(100*time.Microsecond))
	s.checkAnswer(call, a, code)
	// A call is up once its platform has the ACK; what a killed edge still had in its hands is another matter.
	if at, known := s.sideNamed(a.Platform); known {
		if err := at.Received.AwaitACK(ctx, c.ID); err != nil {
			s.fault("the ACK of %s -> %s: %v", c.From, c.To, err)
		}
	}
	return call, s.ctx.Err()
}

func (s *labStory) note(c *lab.Call, want policy.Platform) *labCall {
	call := &labCall{Call: c, want: want}
	s.calls = append(s.calls, call)
	return call
}

func (s *labStory) checkAnswer(c *labCall, a lab.Answer, code int) {
	if a.Platform != c.want.String() {
		s.fault("%s -> %s was answered by %s; the policy says %s", c.From, c.To, dash(a.Platform), c.want)
	}
	if a.Code != code {
		s.fault("%s -> %s got %d, want %d", c.From, c.To, a.Code, code)
	}
}

// quick places calls that are hung up at once.
func (s *labStory) quick(want policy.Platform, to string, from ...string) error {
	for _, f := range from {
		c, err := s.place(f, to, want, 200)
		if err != nil {
			return err
		}
		if err := s.hangup(c, false); err != nil {
			return err
		}
	}
	return nil
}

// hangup sends BYE from the phone and checks that it arrived where the INVITE did.
func (s *labStory) hangup(c *labCall, tell bool) error {
	if c.over {
		return nil
	}
	s.sounded(c)
	c.over = true
	ctx, cancel := s.patience()
	defer cancel()
	if err := c.Hangup(ctx); err != nil {
		s.fault("%v", err)
		return s.ctx.Err()
	}
	if err := s.side(c.want).Received.Await(ctx, c.ID, "BYE"); err != nil {
		s.fault("the BYE of %s -> %s did not reach %s: %v", c.From, c.To, c.want, err)
		return s.ctx.Err()
	}
	if tell {
		s.say("%s hangs up: BYE -> %s, where the call began", c.From, c.want)
	}
	return nil
}

// hungUpBy lets the platform end a call and checks that the phone hears of it.
func (s *labStory) hungUpBy(c *labCall) error {
	s.sounded(c)
	c.over = true
	ctx, cancel := s.patience()
	defer cancel()
	if err := s.side(c.want).Hangup(ctx, c.ID); err != nil {
		s.fault("%s -> %s: %v", c.From, c.To, err)
		return s.ctx.Err()
	}
	select {
	case <-c.Ended():
		s.say("%s hangs up: BYE -> %s", c.want, c.From)
	case <-ctx.Done():
		s.fault("%s did not hear that %s hung up", c.From, c.want)
	}
	return s.ctx.Err()
}

// checkCalls reads, at the end, what both platforms heard of every call.
func (s *labStory) checkCalls() {
	s.act = "in all"
	for _, c := range s.calls {
		other := s.world.core
		if c.want == policy.Core {
			other = s.world.legacy
		}
		for _, h := range other.Received.Of(c.ID) {
			s.fault("%s of %s -> %s reached %s; the call was on %s", h.Method, c.From, c.To, other.Platform(), c.want)
		}
		if s.side(c.want).Received.Count(c.ID, "INVITE") == 0 {
			s.fault("%s never heard the INVITE of %s -> %s", c.want, c.From, c.To)
		}
	}
}
