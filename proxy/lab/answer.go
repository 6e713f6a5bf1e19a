package lab

import (
	"time"

	"github.com/emiago/sipgo/sip"
)

// respond sends one response of ours. tag is the To-tag of a response that may make a dialog.
func (a *agent) respond(req *sip.Request, tx sip.ServerTransaction, tag string, code int, reason string, body []byte, extra ...sip.Header) {
	if err := tx.Respond(a.response(req, tag, code, reason, body, extra...)); err != nil {
		a.log.Warn("a response was not sent", "code", code, "call", req.CallID().Value(), "error", err)
	}
}

func (a *agent) response(req *sip.Request, tag string, code int, reason string, body []byte, extra ...sip.Header) *sip.Response {
	res := sip.NewResponseFromRequest(req, code, reason, body)
	if tag != "" && !req.To().Params.Has("tag") {
		res.To().Params.Add("tag", tag)
	}
	if req.IsInvite() && code > 100 && code < 300 {
		res.AppendHeader(contactHeader(a.contact(req.Recipient.User, req.Transport())))
	}
	for _, h := range extra {
		res.AppendHeader(h)
	}
	if len(body) > 0 {
		contentType := sip.ContentTypeHeader("application/sdp")
		res.AppendHeader(&contentType)
	}
	return res
}

// accept sends the 2xx of an INVITE, with our description of the call, and repeats it, T1, 2*T1 and so on up to T2, until heard has the ACK or 64*T1 have
// passed (RFC 3261 section 13.3.1.4). It reports whether the ACK came.
func (a *agent) accept(req *sip.Request, tx sip.ServerTransaction, tag string, heard *Journal, sdp []byte, extra []sip.Header) bool {
	res := a.response(req, tag, 200, "OK", sdp, extra...)
	id, cseq := req.CallID().Value(), req.CSeq().SeqNo
	give := time.NewTimer(64 * sip.T1)
	defer give.Stop()
	for wait := sip.T1; ; wait = min(2*wait, sip.T2) {
		if err := tx.Respond(res); err != nil {
			a.log.Warn("a 200 was not sent", "call", id, "error", err)
			return false
		}
		again := time.NewTimer(wait)
		acked, over := heard.awaitACK(id, cseq, again.C, give.C)
		again.Stop()
		if acked || over {
			return acked
		}
	}
}

// awaitACK waits for the ACK of an INVITE's CSeq until again (repeat the 2xx) or give (stop repeating) fires.
func (j *Journal) awaitACK(callID string, cseq uint32, again, give <-chan time.Time) (acked, over bool) {
	for {
		j.mu.Lock()
		heard, changed := j.calls[callID], j.changed
		j.mu.Unlock()
		for _, h := range heard {
			if h.Method == "ACK" && h.CSeq == cseq {
				return true, false
			}
		}
		select {
		case <-changed:
		case <-again:
			return false, false
		case <-give:
			return false, true
		}
	}
}
