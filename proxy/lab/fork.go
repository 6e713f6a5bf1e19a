package lab

import (
	"context"
	"fmt"
	"time"

	"github.com/emiago/sipgo/sip"
)

// fork places the second half of a back-to-back call to every contact of the callee at once, and refuses the first half with
// what the contacts say when none takes it. It returns the answered call, or nil when there is none.
func (s *Switch) fork(ctx context.Context, req *sip.Request, tx sip.ServerTransaction, tag string, contacts []Binding) *Call {
	far, best := s.ring(ctx, req, tx, tag, s.towards(contacts, req), 0)
	if far == nil && best.Code != 0 {
		s.refuseInvite(ctx, req, tx, tag, best.Code, best.Reason)
	}
	return far
}

// ring calls several at once, for so long (0: until they have all said something final). The first 2xx wins and the others are
// cancelled; what one refuses ends only that branch, save a 6xx. It returns the answered call; or the best refusal (408 when
// the time was over); or neither: the caller has given up.
func (s *Switch) ring(ctx context.Context, req *sip.Request, tx sip.ServerTransaction, tag string, calls []invitation, patience time.Duration) (*Call, Answer) {
	branches := make([]*Call, 0, len(calls))
	events := make(chan branchEvent, 2*len(calls))
	for _, in := range calls {
		c, err := s.invite(ctx, in)
		if err != nil {
			s.log.Warn("a contact was not called", "contact", in.target.String(), "error", err)
			continue
		}
		branches = append(branches, c)
		go c.report(ctx, events)
	}
	var over, slow <-chan time.Time
	if patience > 0 {
		t := time.NewTimer(patience)
		defer t.Stop()
		over = t.C
	}
	heard := events
	best := Answer{Code: 480, Reason: "Temporarily Unavailable"}
	rang := false
	for left := len(branches); left > 0; {
		select {
		case e := <-heard:
			switch {
			case e.answer == nil: // it rings
				if rang {
					continue
				}
				rang = true
				if wait := s.Faults().SlowRing; wait > 0 {
					t := time.NewTimer(wait)
					defer t.Stop()
					heard, slow = nil, t.C // what the contacts say meanwhile waits too
					continue
				}
				s.ringing(req, tx, tag)
				continue
			case e.answer.Answered():
				s.drop(ctx, branches, e.call)
				return e.call, Answer{}
			case e.answer.Code >= 600:
				best, left = *e.answer, 0
				continue
			case best.Code == 480 && !unreachable(e.answer.Code):
				best = *e.answer
			}
			left--
		case <-slow:
			heard, slow = events, nil
			s.ringing(req, tx, tag)
		case <-over:
			s.drop(ctx, branches, nil)
			return nil, Answer{Code: 408, Reason: "Request Timeout"}
		case ack := <-tx.Acks(): // the caller cancelled: the transaction layer has sent 487
			s.hear(ack)
			s.drop(ctx, branches, nil)
			return nil, Answer{}
		case <-tx.Done():
			s.missedACK(req, tx)
			s.drop(ctx, branches, nil)
			return nil, Answer{}
		case <-ctx.Done():
			return nil, Answer{}
		}
	}
	s.drop(ctx, branches, nil)
	return nil, best
}

// ringing tells the caller that it rings.
func (s *Switch) ringing(req *sip.Request, tx sip.ServerTransaction, tag string) {
	s.respond(req, tx, tag, 180, "Ringing", nil, s.identity()...)
	s.presence.rings(req.CallID().Value())
}

// towards are the INVITEs to contacts, from the caller's address, each through the Path that it registered with.
func (s *Switch) towards(contacts []Binding, req *sip.Request) []invitation {
	calls := make([]invitation, len(contacts))
	for i, b := range contacts {
		calls[i] = s.toward(b, req)
	}
	return calls
}

// toward is the INVITE to one contact.
func (s *Switch) toward(b Binding, req *sip.Request) invitation {
	in := invitation{
		from: req.From().Address, to: req.To().Address, target: b.uri, callID: newCallID("b2b"), session: s.server,
		asserted: true, // it is an account that has logged in, or what somebody vouched for
	}
	in.routes, in.destination, in.transport = s.way(b)
	return in
}

// way is how a binding is reached: the routes to preload, the first hop and its transport.
func (s *Switch) way(b Binding) (routes []sip.Uri, hop, transport string) {
	switch {
	case len(b.path) > 0:
		return b.path, hostPort(b.path[0]), transportOf(b.path[0])
	case s.toSource:
		return nil, b.Source, b.transport
	default:
		return nil, hostPort(b.uri), b.transport
	}
}

// unreachable are the refusals that say nothing about the callee: another one's word counts more.
func unreachable(code int) bool {
	return code == 408 || code == 410 || code == 430 || code == 480
}

// branchEvent is news of one branch: it rings (no answer yet), or its final response.
type branchEvent struct {
	call   *Call
	answer *Answer
}

// report tells of a branch; events has room for both.
func (c *Call) report(ctx context.Context, events chan<- branchEvent) {
	select {
	case <-c.ringing:
	case <-c.final:
	case <-ctx.Done():
		return
	}
	select { // both may be here by now, and the caller hears of both
	case <-c.ringing:
		events <- branchEvent{call: c}
	default:
	}
	a, err := c.Answer(ctx)
	if err != nil {
		a = Answer{Code: 408, Reason: "Request Timeout"}
	}
	events <- branchEvent{c, &a}
}

// drop cancels every branch but the winner, in the background. One whose 2xx crosses its CANCEL is hung up.
func (s *Switch) drop(ctx context.Context, branches []*Call, winner *Call) {
	for _, c := range branches {
		if c == winner {
			continue
		}
		go func() {
			if _, err := c.Cancel(ctx); err != nil {
				s.log.Debug("a branch was over before its CANCEL", "call", c.ID, "error", err)
			}
			if a, err := c.Answer(ctx); err == nil && a.Answered() {
				if err := c.Hangup(ctx); err != nil {
					s.log.Warn("a branch that answered too late was not hung up", "call", c.ID, "error", err)
				}
			}
		}()
	}
}

// Qualify asks the contacts of an address-of-record with OPTIONS how they are, and returns each one's status code; 0 is
// no answer.
func (s *Switch) Qualify(ctx context.Context, aor string) (map[string]int, error) {
	codes := make(map[string]int)
	for _, b := range s.reg.find(aorKey(aor), s.guard.now()) {
		routes, hop, transport := s.way(b)
		req := newRequest(sip.OPTIONS, b.uri, s.contact("qualify", transport), b.uri, newCallID("qualify"), 1)
		for _, r := range routes {
			req.AppendHeader(&sip.RouteHeader{Address: r})
		}
		req.SetDestination(hop)
		req.SetTransport(transport)
		codes[b.Contact] = 0
		res, err := s.ask(ctx, req)
		if ctx.Err() != nil {
			return codes, fmt.Errorf("OPTIONS %s: %w", b.Contact, context.Cause(ctx))
		}
		if err == nil {
			codes[b.Contact] = res.StatusCode
		}
	}
	return codes, nil
}
