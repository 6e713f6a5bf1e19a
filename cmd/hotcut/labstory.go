package main

import (
	"bytes"
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
	hotcut func(ctx context.Context, args ...string) (exit int, shown string, err error)

	act    string // title of the act
	n      int
	calls  []*labCall
	faults []labFault
}

// labCall is a call and where the policy wanted it.
type labCall struct {
	*lab.Call
	want policy.Platform
	over bool // BYE or final refusal was seen
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
	return context.WithTimeout(s.ctx, labPatience)
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

// place dials, waits for the final response and checks who gave it.
func (s *labStory) place(from, to string, want policy.Platform, code int) (*labCall, error) {
	ctx, cancel := s.patience()
	defer cancel()
	p := s.world.phones[from]
	c, a, err := p.Call(ctx, s.world.life, to)
	if err != nil {
		return nil, err
	}
	call := s.note(c, want)
	call.over = !a.Answered()
	s.say("%-22s %s %s -> %-22s %-6s %d in %s", p.AOR(), p.edge.Name, p.transport, to, dash(a.Platform), a.Code, a.Setup.Round(100*time.Microsecond))
	s.checkAnswer(call, a, code)
	// A call is up once its platform has the ACK; what a killed edge still had in its hands is another matter.
	if at, known := s.sideNamed(a.Platform); known {
		if err := at.Received.Await(ctx, c.ID, "ACK"); err != nil {
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
