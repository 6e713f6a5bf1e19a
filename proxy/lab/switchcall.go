package lab

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/emiago/sipgo/sip"
)

// refuseInvite sends a final refusal and hears its ACK.
func (s *Switch) refuseInvite(ctx context.Context, req *sip.Request, tx sip.ServerTransaction, tag string, code int, reason string) {
	s.respond(req, tx, tag, code, reason, nil, s.identity()...)
	s.hearACK(ctx, req, tx)
}

// hearACK notes the ACK of a refusal, which the transaction layer absorbs.
func (s *Switch) hearACK(ctx context.Context, req *sip.Request, tx sip.ServerTransaction) {
	select {
	case ack := <-tx.Acks():
		s.hear(ack)
	case <-tx.Done():
		s.missedACK(req, tx)
	case <-ctx.Done():
	}
}

// missedACK notes an ACK that sipgo did not hand over: over TCP it ends the transaction at once, and then hands nothing to
// who is not waiting already. A transaction that did not time out has had its ACK.
func (s *Switch) missedACK(req *sip.Request, tx sip.ServerTransaction) {
	if errors.Is(tx.Err(), sip.ErrTransactionTerminated) {
		s.Received.add(req.CallID().Value(), Heard{Method: "ACK", CSeq: req.CSeq().SeqNo, URI: req.Recipient.String(), From: req.Source(), At: time.Now()})
	}
}

func (s *Switch) onInvite(ctx context.Context, req *sip.Request, tx sip.ServerTransaction) {
	s.hear(req)
	if req.To().Params.Has("tag") {
		s.onReinvite(req, tx)
		return
	}
	tx.OnCancel(func(cancel *sip.Request) { s.hear(cancel) })
	caller, callee := keyOf(req.From().Address), keyOf(req.Recipient)
	if _, known := s.guard.account(caller); known && s.challengeCalls && s.admit(req, tx, caller) == "" {
		s.hearACK(ctx, req, tx)
		return
	}
	tag := sip.GenerateTagN(12)
	user := strings.ToLower(req.Recipient.User)
	if user == UserBusy {
		code, reason := s.Faults().busy()
		s.refuseInvite(ctx, req, tx, tag, code, reason)
		return
	}
	id := req.CallID().Value()
	s.presence.begin(id, caller, callee)
	if t, treated := s.plan[user]; treated {
		s.treat(ctx, req, tx, tag, t)
		return
	}
	if s.trunkBack && strings.HasPrefix(user, "+") {
		s.finish(ctx, req, tx, tag, []invitation{s.trunk(req)}, 0)
		return
	}
	if user != UserAnswer && user != UserHangup && user != UserRing {
		contacts := s.reg.find(callee, s.guard.now())
		if _, known := s.guard.account(callee); known || len(contacts) > 0 {
			if far := s.fork(ctx, req, tx, tag, contacts); far != nil {
				s.answer(ctx, req, tx, tag, far, nil)
			} else {
				s.presence.over(id)
			}
			return
		}
	}
	s.respond(req, tx, tag, 180, "Ringing", nil, s.identity()...)
	s.presence.rings(id)
	if user == UserRing {
		s.hearACK(ctx, req, tx) // the transaction layer answers the CANCEL with 487
		s.presence.over(id)
		return
	}
	s.answer(ctx, req, tx, tag, nil, nil)
}

// answer accepts the call and keeps it until a BYE. What it answers to the caller's description, early may have said already.
func (s *Switch) answer(ctx context.Context, req *sip.Request, tx sip.ServerTransaction, tag string, far *Call, early []byte) {
	id := req.CallID().Value()
	l := &leg{dialog: calleeDialog(req, tag, s.contact(req.Recipient.User, req.Transport())), far: far}
	sdp, ok := early, true
	if sdp == nil {
		sdp, ok = s.answerTo(req)
	}
	s.mu.Lock()
	full := !ok || len(s.calls) >= switchCalls
	if !full {
		s.calls[id] = l
	}
	s.mu.Unlock()
	if full {
		s.hush(id)
		s.presence.over(id)
		s.refuseInvite(ctx, req, tx, tag, 503, "Service Unavailable")
		if far != nil {
			s.drop(ctx, []*Call{far}, nil)
		}
		return
	}
	s.presence.answered(id)
	if far != nil {
		go func() {
			select {
			case <-far.Ended():
				if s.up(id) { // the callee hung up first: so does the switch
					s.hangupLogged(ctx, id)
				}
			case <-ctx.Done():
			}
		}()
	}
	acked := s.accept(req, tx, tag, s.Received, sdp, s.identity())
	if !acked || strings.ToLower(req.Recipient.User) == UserHangup || s.Faults().StrayBye {
		s.hangupLogged(ctx, id) // no ACK: RFC 3261 section 13.3.1.4 ends the call with BYE
	}
}

func (s *Switch) onReinvite(req *sip.Request, tx sip.ServerTransaction) {
	s.mu.Lock()
	l := s.calls[req.CallID().Value()]
	s.mu.Unlock()
	v := s.Voice(req.CallID().Value())
	if l == nil || v == nil {
		s.refuse(req, tx, 481, "Call/Transaction Does Not Exist")
		return
	}
	s.accept(req, tx, "", s.Received, v.describe(s.server, v.follow(req.Body())), s.identity())
}

func (s *Switch) onBye(ctx context.Context, req *sip.Request, tx sip.ServerTransaction) {
	s.hear(req)
	l := s.take(req.CallID().Value())
	if l == nil {
		s.refuse(req, tx, 481, "Call/Transaction Does Not Exist")
		return
	}
	s.respond(req, tx, "", 200, "OK", nil, s.identity()...)
	s.endFar(ctx, l)
}

// endFar hangs up the second half of a back-to-back call, unless it is over.
func (s *Switch) endFar(ctx context.Context, l *leg) {
	if l.far == nil {
		return
	}
	select {
	case <-l.far.Ended():
		return
	default:
	}
	if err := l.far.Hangup(ctx); err != nil {
		s.log.Warn("the far leg did not take its BYE", "error", err)
	}
}

// take removes a call and returns it.
func (s *Switch) take(id string) *leg {
	s.mu.Lock()
	l := s.calls[id]
	delete(s.calls, id)
	s.mu.Unlock()
	if l != nil {
		s.hush(id)
		s.presence.over(id)
	}
	return l
}

// up says whether a call is.
func (s *Switch) up(id string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.calls[id] != nil
}

// Calls returns the Call-IDs of the calls that are up, sorted.
func (s *Switch) Calls() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	ids := make([]string, 0, len(s.calls))
	for id := range s.calls {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	return ids
}

// Hangup ends a call from the platform's side.
func (s *Switch) Hangup(ctx context.Context, callID string) error {
	l := s.take(callID)
	if l == nil {
		return errors.New("the switch has no such call")
	}
	defer s.endFar(ctx, l)
	res, err := s.ask(ctx, l.dialog.request(sip.BYE))
	if err != nil {
		return fmt.Errorf("BYE of %s: %w", s.platform, err)
	}
	if !res.IsSuccess() {
		return fmt.Errorf("BYE of %s was refused: %d %s", s.platform, res.StatusCode, res.Reason)
	}
	return nil
}

func (s *Switch) hangupLogged(ctx context.Context, callID string) {
	if err := s.Hangup(ctx, callID); err != nil {
		s.log.Info("a call was not hung up", "call", callID, "error", err)
	}
}
