package main

import (
	"slices"
	"strings"

	"github.com/hotcut/hotcut/migration"
	"github.com/hotcut/hotcut/policy"
	"github.com/hotcut/hotcut/proxy/lab"
)

// phonesRegister is the beginning of every phone's day, on legacy, through both edges.
func (s *labStory) phonesRegister() error {
	w := s.world
	s.begin("The phones register, and lamps are lit")
	var early []*labPhone
	for _, p := range w.of("") {
		if !p.late {
			early = append(early, p)
		}
	}
	if err := s.register(policy.Legacy, early...); err != nil {
		return err
	}
	s.holds(policy.Legacy, "", "digest")
	ctx, cancel := s.patience()
	defer cancel()
	for _, l := range w.lamps {
		w.running.Go(func() error { return l.Run(w.life) })
		if err := l.AwaitSubscribed(ctx, 1); err != nil {
			return err
		}
	}
	if err := s.lampsShow(policy.Legacy); err != nil {
		return err
	}
	if err := s.reach(policy.Legacy, "anna", "adam@acme.example"); err != nil {
		return err
	}
	return s.commands([]string{"registrations"})
}

// register begins the day of some phones and tells of those of acme.
func (s *labStory) register(want policy.Platform, phones ...*labPhone) error {
	ctx, cancel := s.patience()
	defer cancel()
	for _, p := range phones {
		s.world.running.Go(func() error { return p.StayRegistered(s.world.life, p.asks) })
	}
	others := 0
	for _, p := range phones {
		if err := p.AwaitRegistrations(ctx, 1); err != nil {
			return err
		}
		if p.Challenges() == 0 {
			s.fault("%s was not challenged", p.name)
		}
		if p.domain() != "acme.example" {
			others++
			continue
		}
		s.say("%-22s %-24s registers: %s 200, for %s", p.AOR(), p.way(), want, migration.Ago(p.Granted()))
	}
	if others > 0 {
		s.say("and so do %d phones of birch and cedar; each was challenged, and knew its password", others)
	}
	return nil
}

// holds checks that a platform has every phone of a domain, each once. by says who registered it there: "digest" (the
// phone), "trust" (an edge), or "" for either.
func (s *labStory) holds(side policy.Platform, domain, by string) {
	ctx, cancel := s.patience()
	defer cancel()
	phones := s.world.registered(domain)
	err := s.side(side).AwaitBindings(ctx, func(held []lab.Binding) bool {
		n := 0
		for _, b := range held {
			if domain == "" || strings.HasSuffix(b.AoR, "@"+domain) {
				if by != "" && b.By != by {
					return false
				}
				n++
			}
		}
		return n == len(phones)
	})
	if err != nil {
		s.fault("%s does not hold the %d phones of %s: %v", side, len(phones), dash(domain), err)
	}
}

// labMark is how often each phone had registered at some moment.
type labMark map[*labPhone]int

func (s *labStory) mark() labMark {
	m := make(labMark)
	for _, p := range s.world.of("") {
		m[p] = p.Registrations()
	}
	return m
}

// undisturbed checks that no phone has registered since the mark, and that none has ever been asked for a password.
func (s *labStory) undisturbed(since labMark, but ...*labPhone) bool {
	faults := len(s.faults)
	for _, p := range s.world.of("") {
		if n := p.Registrations() - since[p]; n != 0 && !slices.Contains(but, p) {
			s.fault("%s has registered %s since", p.name, plural(n, "time"))
		}
	}
	s.checkLogins()
	return len(s.faults) == faults
}

// checkLogins: no phone asked its user for a password, and no platform saw a nonce that it had not minted.
func (s *labStory) checkLogins() {
	for _, p := range s.world.of("") {
		if n := p.PasswordPrompts(); n > 0 {
			s.fault("%s has asked for a password %s", p.name, plural(n, "time"))
		}
	}
	for _, at := range []*lab.Switch{s.world.legacy, s.world.core} {
		if c := at.Auth(); c.ForeignNonces+c.WrongPasswords+c.WrongOpaque > 0 {
			s.fault("%s saw credentials that are not for it: %+v", at.Platform(), c)
		}
	}
}

// checkNAT: nobody wrote to a phone behind the box by the address that it believes it has, or by a port that was gone.
func (s *labStory) checkNAT() {
	if n := s.world.nat; n != nil && n.Strays()+n.Lost() > 0 {
		s.fault("%d messages went to phones past their NAT, %d to a port that it had given up", n.Strays(), n.Lost())
	}
}

// reach calls a user from a phone and checks that every phone of the user rings.
func (s *labStory) reach(want policy.Platform, from, aor string) error {
	c, err := s.ring(want, from, aor)
	if err != nil {
		return err
	}
	return s.hangup(c, false)
}

// ring is reach without the hanging up.
func (s *labStory) ring(want policy.Platform, from, aor string) (*labCall, error) {
	phones := s.world.user(aor)
	rang := make([]int, len(phones))
	for i, p := range phones {
		rang[i] = p.Received.Total("INVITE")
	}
	c, err := s.place(from, aor, want, 200)
	if err != nil {
		return nil, err
	}
	ctx, cancel := s.patience()
	defer cancel()
	for i, p := range phones {
		if err := p.Received.AwaitTotal(ctx, "INVITE", rang[i]+1); err != nil {
			s.fault("%s was called and %s (%s) did not ring: %v", aor, p.name, p.way(), err)
		}
	}
	if len(phones) > 1 {
		s.say("%s has %s: each of them rang", aor, plural(len(phones), "phone"))
	}
	return c, s.ctx.Err()
}
