package lab

import (
	"context"

	"github.com/emiago/sipgo/sip"
)

// callBack places the second half of a back-to-back call: from the caller's address to the registered contact of the
// callee, through the Path that it registered with. It returns the answered call, or nil after it has refused the
// first half with what the callee (or the caller's CANCEL) said.
func (s *Switch) callBack(ctx context.Context, req *sip.Request, tx sip.ServerTransaction, tag string, b binding) *Call {
	in := invitation{
		from: req.From().Address, to: req.To().Address, target: b.contact, routes: b.path,
		transport: b.transport, callID: newCallID("b2b"), session: s.server,
	}
	if len(b.path) > 0 {
		in.destination, in.transport = hostPort(b.path[0]), transportOf(b.path[0])
	} else {
		in.destination = hostPort(b.contact)
	}
	far, err := s.invite(ctx, in)
	if err != nil {
		s.log.Warn("the callee was not called", "error", err)
		s.refuseInvite(ctx, req, tx, tag, 480, "Temporarily Unavailable")
		return nil
	}
	cancel := func() *Call {
		if _, err := far.Cancel(ctx); err != nil {
			s.log.Info("the far leg was not cancelled", "error", err)
		}
		return nil
	}
	select {
	case <-far.final:
	case ack := <-tx.Acks(): // the caller cancelled: the transaction layer has sent 487
		s.hear(ack)
		return cancel()
	case <-tx.Done():
		return cancel()
	case <-ctx.Done():
		return nil
	}
	a, err := far.Answer(ctx)
	switch {
	case err != nil:
		s.refuseInvite(ctx, req, tx, tag, 480, "Temporarily Unavailable")
		return nil
	case !a.Answered():
		s.refuseInvite(ctx, req, tx, tag, a.Code, a.Reason)
		return nil
	}
	return far
}
