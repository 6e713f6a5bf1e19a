package main

import (
	"github.com/hotcut/hotcut/policy"
	"github.com/hotcut/hotcut/proxy/lab"
)

// labLit is how many subscriptions each lamp had made at some moment.
type labLit map[*labLamp]int

func (s *labStory) lit() labLit {
	n := make(labLit)
	for _, l := range s.world.lamps {
		n[l] = l.Subscribed()
	}
	return n
}

// lampsFollow waits until every lamp has subscribed anew since, with the platform that serves now, and lets them show it.
func (s *labStory) lampsFollow(want policy.Platform, since labLit) error {
	ctx, cancel := s.patience()
	defer cancel()
	for _, l := range s.world.lamps {
		if err := l.AwaitSubscribed(ctx, since[l]+1); err != nil {
			s.fault("after the move to %s: %v", want, err)
			return s.ctx.Err()
		}
		if !s.watches(want, l) {
			s.fault("the lamp of %s for %s has subscribed, but not with %s", l.on.name, l.whose, want)
		}
	}
	return s.lampsShow(want)
}

// watches says whether a platform has a lamp's subscription.
func (s *labStory) watches(side policy.Platform, l *labLamp) bool {
	for _, sub := range s.side(side).Subscriptions() {
		if sub.Watcher == l.on.AOR() && sub.AoR == l.whose {
			return true
		}
	}
	return false
}

// lampsShow puts alice and anna on the phone with each other: the lamps that watch them must say so, and go off again.
func (s *labStory) lampsShow(want policy.Platform) error {
	c, err := s.ring(want, "alice", "anna@acme.example")
	if err != nil {
		return err
	}
	busy := s.allLamps(lab.LampBusy)
	if err := s.hangup(c, false); err != nil {
		return err
	}
	if off := s.allLamps(lab.LampOff); busy && off {
		for _, l := range s.world.lamps {
			s.say("%s's lamp for %s, by %s: busy while they talk, then off", l.on.name, l.whose, want)
		}
	}
	return s.ctx.Err()
}

func (s *labStory) allLamps(show lab.LampState) bool {
	ctx, cancel := s.patience()
	defer cancel()
	for _, l := range s.world.lamps {
		if err := l.Await(ctx, show); err != nil {
			s.fault("%v", err)
			return false
		}
	}
	return true
}
