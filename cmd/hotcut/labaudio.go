package main

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/hotcut/hotcut/policy"
	"github.com/hotcut/hotcut/proxy/lab"
)

// labTalk is the audio of a call at some moment: what each end has heard so far.
type labTalk struct{ phone, far lab.Audio }

const (
	labAudible = 5   // packets that must come in order to say that somebody is heard
	labJudged  = 105 // packets after which the relay ventures a MOS
)

// voices are the two ends of a call's audio; false, and a fault, if one is not there.
func (s *labStory) voices(c *labCall) (phone, far *lab.Voice, ok bool) {
	phone, far = c.Voice(), s.side(c.want).Voice(c.ID)
	if far == nil {
		s.fault("%s -> %s: %s has no audio for it", c.From, c.To, c.want)
		return nil, nil, false
	}
	return phone, far, true
}

// talks waits until each end of a call has heard so many packets more, and all that the other had said by then.
func (s *labStory) talks(c *labCall, more int) (now labTalk, ok bool) {
	phone, far, ok := s.voices(c)
	if !ok {
		return now, false
	}
	ctx, cancel := s.patience()
	defer cancel()
	for _, side := range []struct {
		who       string
		ear, tell *lab.Voice
		now       *lab.Audio
	}{{c.want.String(), far, phone, &now.far}, {c.From, phone, far, &now.phone}} {
		goal := side.ear.Heard().Packets + more
		err := side.ear.Await(ctx, "audio", func(h lab.Audio) bool { return h.Packets >= goal })
		if err == nil {
			newest := side.tell.Newest()
			err = side.ear.Await(ctx, fmt.Sprintf("packet %d", newest), func(h lab.Audio) bool { return int16(uint16(h.Newest)-newest) >= 0 })
		}
		if err != nil {
			s.fault("%s -> %s: to %s, %v", c.From, c.To, side.who, err)
			return now, false
		}
		*side.now = side.ear.Heard()
	}
	return now, true
}

// unbroken checks that both ends of a call hear each other, that nothing was lost since some moment, and that the phone still
// sends where it always did. It says so.
func (s *labStory) unbroken(c *labCall, since labTalk, through string) {
	_, heard, at, ok := s.heardSince(c, since)
	if ok && s.lossless(c, heard.far, heard.phone) {
		s.say("%-22s audio at %s before, during and after %s: %d + %d packets, 0 lost", c.From, at, through, heard.far.Packets, heard.phone.Packets)
	}
}

// heardSince checks that both ends of a call hear each other, and that the phone sends where it always did: at. heard is what came since
// some moment.
func (s *labStory) heardSince(c *labCall, since labTalk) (now, heard labTalk, at netip.AddrPort, ok bool) {
	if now, ok = s.talks(c, labAudible); ok {
		at, ok = s.oneAddress(c)
	}
	return now, labTalk{far: now.far.Since(since.far), phone: now.phone.Since(since.phone)}, at, ok
}

// oneAddress is where a phone sends its audio in a call; false, and a fault, if that has ever changed.
func (s *labStory) oneAddress(c *labCall) (netip.AddrPort, bool) {
	list := c.Voice().Remotes()
	if len(list) != 1 {
		s.fault("%s -> %s: SDP sent the phone's audio to %v", c.From, c.To, list)
		return netip.AddrPort{}, false
	}
	return list[0], true
}

// lossless checks what was heard in both directions of a call.
func (s *labStory) lossless(c *labCall, far, phone lab.Audio) bool {
	faults := len(s.faults)
	for _, d := range []struct {
		way string
		lab.Audio
	}{{fmt.Sprintf("%s -> %s", c.From, c.want), far}, {fmt.Sprintf("%s -> %s", c.want, c.From), phone}} {
		if d.Lost > 0 {
			s.fault("audio %s lost %s: %v", d.way, plural(d.Lost, "packet"), d.Missing)
		}
		if what := d.Faults(); what != "" {
			s.fault("audio %s: %s", d.way, what)
		}
	}
	return len(s.faults) == faults
}

// presses presses keys on the phone and checks that the platform heard them.
func (s *labStory) presses(c *labCall, keys string) {
	phone, far, ok := s.voices(c)
	if !ok {
		return
	}
	before := far.Heard().Keys
	if err := phone.Press(keys); err != nil {
		s.fault("%v", err)
		return
	}
	ctx, cancel := s.patience()
	defer cancel()
	err := far.Await(ctx, "keys "+keys, func(h lab.Audio) bool { return len(h.Keys) >= len(before)+len(keys) })
	if got := strings.TrimPrefix(far.Heard().Keys, before); err != nil || got != keys {
		s.fault("%s pressed %s, %s heard %q (%v)", c.From, keys, c.want, got, err)
		return
	}
	s.say("%-22s presses %s, and %s hears it", c.From, keys, c.want)
}

// holds puts a call on hold and takes it back: the platform falls silent in between, and is heard again.
func (s *labStory) holdAndResume(c *labCall) {
	ctx, cancel := s.patience()
	defer cancel()
	if err := c.Hold(ctx); err != nil {
		s.fault("%v", err)
		return
	}
	_, far, ok := s.voices(c)
	if !ok {
		return
	}
	said, heard := far.Said(), far.Heard().Packets
	if err := far.Await(ctx, "the phone's audio on hold", func(h lab.Audio) bool { return h.Packets >= heard+labAudible }); err != nil {
		s.fault("%s -> %s: %v", c.From, c.To, err)
		return
	}
	if n := far.Said() - said; n > 0 {
		s.fault("%s -> %s: %s said %s on hold", c.From, c.To, c.want, plural(n, "packet"))
	}
	if err := c.Resume(ctx); err != nil {
		s.fault("%v", err)
	}
}

// aloud waits until some calls can be judged by how they sound.
func (s *labStory) aloud(calls ...*labCall) {
	for _, c := range calls {
		phone, far, ok := s.voices(c)
		if !ok {
			continue
		}
		if less := labJudged - min(phone.Heard().Packets, far.Heard().Packets); less > 0 {
			s.talks(c, less)
		}
	}
}

// silencedBy checks that a call is heard again after its edge was killed, at the same address, and says what that cost. What
// follows must be without loss again.
func (s *labStory) silencedBy(c *labCall, since labTalk) {
	now, heard, at, ok := s.heardSince(c, since)
	if !ok {
		return
	}
	far, phone := heard.far, heard.phone
	c.excused = &now
	if len(far.Missing) > 1 || len(phone.Missing) > 1 || far.Faults()+phone.Faults() != "" {
		s.fault("audio of %s -> %s: lost %v %s and %v %s; one gap was to be expected", c.From, c.To, far.Missing, far.Faults(), phone.Missing, phone.Faults())
		return
	}
	s.say("%-22s audio goes on at %s: %d + %d packets lost, %s of silence", c.From, at, far.Lost, phone.Lost,
		max(far.Pause, phone.Pause).Round(10*time.Millisecond))
}

// sounded checks the audio of a call that is about to end, from its beginning, or from where it was excused: both ends have
// heard the other, and all of it.
func (s *labStory) sounded(c *labCall) {
	now, ok := s.talks(c, 0)
	if !ok {
		return
	}
	if now.far.Packets == 0 || now.phone.Packets == 0 {
		if now, ok = s.talks(c, 1); !ok {
			return
		}
	}
	if c.excused != nil {
		now.far, now.phone = now.far.Since(c.excused.far), now.phone.Since(c.excused.phone)
	}
	s.lossless(c, now.far, now.phone)
}

// checkAudio reads, at the end, what all phones and platforms have heard in all calls, those that the platforms placed too.
func (s *labStory) checkAudio() (heard int) {
	s.act = "in all"
	excused := func(id string) bool {
		return slices.ContainsFunc(s.calls, func(c *labCall) bool { return c.ID == id && c.excused != nil })
	}
	check := func(who string, t lab.Tally) {
		heard += t.Packets
		for _, f := range t.Faulty {
			if !excused(f.CallID) {
				s.fault("%s heard a call with %s lost %v %s", who, plural(f.Lost, "packet"), f.Missing, f.Faults())
			}
		}
	}
	for _, p := range s.world.of("") {
		check(p.name, p.Tally())
	}
	for _, side := range []policy.Platform{policy.Legacy, policy.Core} {
		check(side.String(), s.side(side).Tally())
	}
	return heard
}
