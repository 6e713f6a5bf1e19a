package lab

import (
	"context"
	"net/netip"
	"slices"
	"time"

	"github.com/emiago/sipgo/sip"
)

// Treatment is what a switch does with the calls to one of its users, other than ringing the phones registered for it. The
// first field that is set is done.
type Treatment struct {
	Dials   string   // a short number: the user that it stands for
	Forward string   // the user that takes the calls instead; its phones see who called, and by whom it came
	Hunt    []string // a group: these users ring one after the other, each for Rings
	Mailbox bool     // the user's phones ring for Rings, then the switch says something and answers

	Rings time.Duration
}

// treat takes a call through a treatment, to its answer or its end.
func (s *Switch) treat(ctx context.Context, req *sip.Request, tx sip.ServerTransaction, tag string, t Treatment) {
	f, user := s.Faults(), req.Recipient.User
	switch {
	case t.Dials != "":
		meant := t.Dials
		if f.ShortDigits {
			meant = meant[:len(meant)-1]
		}
		s.finish(ctx, req, tx, tag, s.callsTo(req, meant), 0)
	case t.Forward != "":
		calls := s.callsTo(req, t.Forward)
		for i := range calls {
			calls[i].diverted = &req.To().Address
			if f.LostCaller {
				calls[i].from = req.To().Address
			}
		}
		s.finish(ctx, req, tx, tag, calls, 0)
	case len(t.Hunt) > 0:
		users := slices.Clone(t.Hunt)
		if f.HuntBackward {
			slices.Reverse(users)
		}
		s.hunt(ctx, req, tx, tag, users, t.Rings)
	case t.Mailbox:
		far, refused := s.ring(ctx, req, tx, tag, s.callsTo(req, user), t.Rings+f.LateMailbox)
		switch {
		case far != nil:
			s.answer(ctx, req, tx, tag, far, nil)
		case refused.Code != 0:
			s.takeMessage(ctx, req, tx, tag, !f.NoEarlyMedia)
		default:
			s.presence.over(req.CallID().Value())
		}
	default:
		s.finish(ctx, req, tx, tag, s.callsTo(req, user), 0)
	}
}

// callsTo are the INVITEs to every phone of a user in the domain that was called; none when nobody is there.
func (s *Switch) callsTo(req *sip.Request, user string) []invitation {
	to := req.Recipient
	to.User = user
	calls := s.towards(s.reg.find(keyOf(to), s.guard.now()), req)
	for i := range calls {
		calls[i].to = sip.Uri{Scheme: "sip", User: user, Host: to.Host}
	}
	return calls
}

// trunk is the INVITE of a call to a number, to where it came from.
func (s *Switch) trunk(req *sip.Request) invitation {
	to := sip.Uri{Scheme: "sip", User: req.Recipient.User, Host: req.Recipient.Host}
	target := to
	at := netip.MustParseAddrPort(req.Source()) // of the socket that it was read from
	target.Host, target.Port = at.Addr().String(), int(at.Port())
	return invitation{from: req.From().Address, to: to, target: target, destination: at.String(), transport: req.Transport(),
		callID: newCallID("trunk"), session: s.server, asserted: true}
}

// finish rings and answers, or refuses with what was said; 404 where there was nobody to call.
func (s *Switch) finish(ctx context.Context, req *sip.Request, tx sip.ServerTransaction, tag string, calls []invitation, patience time.Duration) {
	if len(calls) == 0 {
		s.presence.over(req.CallID().Value())
		s.refuseInvite(ctx, req, tx, tag, 404, "Not Found")
		return
	}
	far, refused := s.ring(ctx, req, tx, tag, calls, patience)
	s.end(ctx, req, tx, tag, far, refused)
}

// hunt rings users one after the other.
func (s *Switch) hunt(ctx context.Context, req *sip.Request, tx sip.ServerTransaction, tag string, users []string, each time.Duration) {
	last := Answer{Code: 480, Reason: "Temporarily Unavailable"}
	for _, u := range users {
		calls := s.callsTo(req, u)
		if len(calls) == 0 {
			continue
		}
		var far *Call
		if far, last = s.ring(ctx, req, tx, tag, calls, each); far != nil || last.Code == 0 {
			s.end(ctx, req, tx, tag, far, last)
			return
		}
	}
	s.end(ctx, req, tx, tag, nil, last)
}

// end answers with the call that was taken, or refuses, or forgets whom the caller gave up.
func (s *Switch) end(ctx context.Context, req *sip.Request, tx sip.ServerTransaction, tag string, far *Call, refused Answer) {
	if far != nil {
		s.answer(ctx, req, tx, tag, far, nil)
		return
	}
	s.presence.over(req.CallID().Value())
	if refused.Code != 0 {
		s.refuseInvite(ctx, req, tx, tag, refused.Code, refused.Reason)
	}
}

// greeting is how long a mailbox is heard before it answers: callers pay from the answer on.
const greeting = 200 * time.Millisecond

func (s *Switch) takeMessage(ctx context.Context, req *sip.Request, tx sip.ServerTransaction, tag string, early bool) {
	var sdp []byte
	if early {
		var ok bool
		if sdp, ok = s.answerTo(req); ok {
			s.respond(req, tx, tag, 183, "Session Progress", sdp, s.identity()...)
		}
	}
	heard := time.NewTimer(greeting)
	defer heard.Stop()
	select {
	case <-heard.C:
		s.answer(ctx, req, tx, tag, nil, sdp)
		return
	case ack := <-tx.Acks(): // cancelled
		s.hear(ack)
	case <-tx.Done():
		s.missedACK(req, tx)
	case <-ctx.Done():
	}
	id := req.CallID().Value()
	s.hush(id)
	s.presence.over(id)
}
