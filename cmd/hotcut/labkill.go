package main

import (
	"github.com/hotcut/hotcut/policy"
	"github.com/hotcut/hotcut/proxy/lab"
)

// edgeKilled kills an edge with calls up: what routes them is sealed in their messages.
func (s *labStory) edgeKilled() error {
	e, before := s.world.edges[1], s.mark()
	s.begin(e.Name + " is killed with calls up, and started again")
	overUDP, err := s.place("cyril", "answer@cedar.example", policy.Legacy, 200)
	if err != nil {
		return err
	}
	overTCP, err := s.place("anna", "answer@acme.example", policy.Legacy, 200)
	if err != nil {
		return err
	}
	cyril, _ := s.talks(overUDP, labAudible)
	anna, _ := s.talks(overTCP, labAudible)
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
	s.silencedBy(overUDP, cyril)
	s.silencedBy(overTCP, anna)
	if err := s.phonesSurvive(e, before); err != nil {
		return err
	}
	if err := s.hangup(overUDP, true); err != nil {
		return err
	}
	return s.hangup(overTCP, true)
}

// phonesSurvive checks after a restart that the edge's phones over UDP are reachable at once, and those over TCP as soon
// as they are connected again, which is theirs to do.
func (s *labStory) phonesSurvive(e *lab.Edge, before labMark) error {
	if err := s.reach(policy.Legacy, "carol", "cyril@cedar.example"); err != nil {
		return err
	}
	if err := s.reach(policy.Legacy, "alice", "adam@acme.example"); err != nil {
		return err
	}
	ctx, cancel := s.patience()
	defer cancel()
	var connected []*labPhone
	for _, p := range s.world.of("") {
		if p.edge == e && p.transport == "tcp" {
			connected = append(connected, p)
			if err := p.AwaitRegistrations(ctx, before[p]+1); err != nil {
				s.fault("%s lost its connection and did not register: %v", p.name, err)
			}
		}
	}
	if s.undisturbed(before, connected...) {
		s.say("%s over TCP connect and register again, those over UDP have noticed nothing", plural(len(connected), "phone"))
	}
	return s.reach(policy.Legacy, "alice", "anna@acme.example")
}
