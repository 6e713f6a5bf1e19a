package lab

import (
	"context"
	"fmt"

	"github.com/emiago/sipgo/sip"
)

// fork places the second half of a back-to-back call: from the caller's address to every contact of the callee at once, each
// through the Path that it registered with. The first 2xx wins and the others are cancelled; what one contact refuses ends
// only that branch, save a 6xx. It returns the answered call, or nil after it has refused the first half, or heard that the
// caller gave up.
func (s *Switch) fork(ctx context.Context, req *sip.Request, tx sip.ServerTransaction, tag string, contacts []Binding) *Call {
	branches := make([]*Call, 0, len(contacts))
	events := make(chan branchEvent, 2*len(contacts))
	for _, b := range contacts {
		c, err := s.invite(ctx, s.toward(b, req))
		if err != nil {
			s.log.Warn("a contact was not called", "contact", b.Contact, "error", err)
			continue
		}
		branches = append(branches, c)
		go c.report(ctx, events)
	}
	rang, best := false, Answer{Code: 480, Reason: "Temporarily Unavailable"}
	for left := len(branches); left > 0; {
		select {
		case e := <-events:
			switch {
			case e.answer == nil: // it rings
				if !rang {
					rang = true
					s.respond(req, tx, tag, 180, "Ringing", nil, s.identity()...)
					s.presence.rings(req.CallID().Value())
				}
				continue
			case e.answer.Answered():
				s.drop(ctx, branches, e.call)
				return e.call
			case e.answer.Code >= 600:
				best, left = *e.answer, 0
				continue
			case best.Code == 480 && !unreachable(e.answer.Code):
				best = *e.answer
			}
			left--
		case ack := <-tx.Acks(): // the caller cancelled: the transaction layer has sent 487
			s.hear(ack)
			s.drop(ctx, branches, nil)
			return nil
		case <-tx.Done():
			s.drop(ctx, branches, nil)
			return nil
		case <-ctx.Done():
			return nil
		}
	}
	s.drop(ctx, branches, nil)
	s.refuseInvite(ctx, req, tx, tag, best.Code, best.Reason)
	return nil
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
		events <- branchEvent{call: c}
	case <-c.final:
	case <-ctx.Done():
		return
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
