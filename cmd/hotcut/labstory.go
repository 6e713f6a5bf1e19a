package main

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/hotcut/hotcut/policy"
	"github.com/hotcut/hotcut/proxy/lab"
)

// labPatience is how long one call or one message may take. They take milliseconds; the UDP timers of a lost datagram
// and a loaded machine need more.
const labPatience = 15 * time.Second

// labStory tells what happens and checks it: each call must be answered by the platform that the policy names, and every
// message of it must reach that platform and no other.
type labStory struct {
	ctx    context.Context
	world  *labWorld
	out    io.Writer
	began  time.Time
	pace   time.Duration // before each line
	limit  time.Duration // of one call or one message; 0: labPatience
	hotcut func(ctx context.Context, args ...string) (exit int, shown string, err error)

	act    string // title of the act
	n      int
	calls  []*labCall
	faults []labFault
}

// begin starts an act.
func (s *labStory) begin(title string) {
	s.n++
	s.act = fmt.Sprintf("act %d", s.n)
	fmt.Fprintf(s.out, "\n%d  %s\n", s.n, title)
}

// say adds a line to the act, at a pace that can be read.
func (s *labStory) say(format string, args ...any) {
	if s.pace > 0 {
		select {
		case <-time.After(s.pace):
		case <-s.ctx.Done():
		}
	}
	fmt.Fprintf(s.out, "   "+format+"\n", args...)
}

// fault notes what went wrong, and says so.
func (s *labStory) fault(format string, args ...any) {
	what := fmt.Sprintf(format, args...)
	s.faults = append(s.faults, labFault{act: s.act, what: what})
	s.say("WRONG: %s", what)
}

func (s *labStory) patience() (context.Context, context.CancelFunc) {
	return context.WithTimeout(s.ctx, cmp.Or(s.limit, labPatience))
}

// command runs a hotcut command, shows it and what it said, and notes an exit code other than want.
func (s *labStory) command(want int, args ...string) error {
	s.say("$ hotcut %s", typed(args))
	exit, shown, err := s.hotcut(s.ctx, args...)
	for line := range strings.Lines(shown) {
		s.say("  %s", strings.TrimRight(line, "\n"))
	}
	if err != nil {
		return fmt.Errorf("hotcut %s: %w", typed(args), err)
	}
	if exit != want {
		s.fault("hotcut %s: exit code %d, want %d", typed(args), exit, want)
	} else if want != exitDone {
		s.say("  (exit code %d, as it should)", exit)
	}
	return nil
}

// typed is a command as a person types it: what has blanks in it is quoted.
func typed(args []string) string {
	words := make([]string, len(args))
	for i, a := range args {
		if words[i] = a; strings.ContainsAny(a, " '\"") {
			words[i] = strconv.Quote(a)
		}
	}
	return strings.Join(words, " ")
}

// commands runs several that must all succeed.
func (s *labStory) commands(list ...[]string) error {
	for _, args := range list {
		if err := s.command(exitDone, args...); err != nil {
			return err
		}
	}
	return nil
}

func (s *labStory) side(p policy.Platform) *lab.Switch {
	if p == policy.Core {
		return s.world.core
	}
	return s.world.legacy
}

func (s *labStory) sideNamed(platform string) (*lab.Switch, bool) {
	for _, at := range []*lab.Switch{s.world.legacy, s.world.core} {
		if at.Platform() == platform {
			return at, true
		}
	}
	return nil, false
}

// policy reads the policy in force from the store.
func (s *labStory) policy() (*policy.Snapshot, error) {
	b, err := s.world.data(s.ctx, "policy", "export")
	if err != nil {
		return nil, err
	}
	return policy.Decode(bytes.NewReader(b))
}

// says asks the policy itself, not an edge, who serves a call.
func (s *labStory) says(snap *policy.Snapshot, from *labPhone, to string) policy.Decision {
	user, domain, _ := strings.Cut(from.AOR(), "@")
	toUser, toDomain, _ := strings.Cut(to, "@")
	var trace policy.Trace
	return snap.Decide(snap.Resolve(&policy.Question{
		Method: "INVITE", ToUser: toUser, ToHost: toDomain, FromUser: user, FromHost: domain,
		Transport: from.transport, Now: time.Now().Unix(),
	}, &trace))
}

// broken is the end of a story that can not go on. What waited in vain was a call or a phone of the lab: it says nothing of a store.
func (s *labStory) broken(err error) error {
	return &failure{exit: exitError, code: "story", err: fmt.Errorf("the story could not go on: %s: %w%s", s.act, err, s.wrong())}
}
