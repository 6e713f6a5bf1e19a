package lab

import (
	"bytes"
	"time"

	"github.com/emiago/sipgo/sip"
)

// Faults are ways in which a switch is wrong on purpose: what a comparison with a switch that is right must find. The zero
// value is right.
type Faults struct {
	Busy         int           // callers of who is busy hear this code instead of 486
	ShortDigits  bool          // what a short number stands for loses its last digit
	LostCaller   bool          // forwarded calls come from who forwarded them
	NoEarlyMedia bool          // the mailbox rings where it should already be heard
	CodecOrder   bool          // answers name the codecs in another order than the offer
	SlowRing     time.Duration // passes before a caller hears that it rings
	HuntBackward bool          // groups ring from their end
	LateMailbox  time.Duration // more passes before the mailbox answers
	StrayBye     bool          // calls end as soon as they are answered: a request that nothing asked for, which a comparison reports as minor
}

// Faults are those in force.
func (s *Switch) Faults() Faults { return *s.faults.Load() }

// SetFaults changes them, for calls that come from now on.
func (s *Switch) SetFaults(f Faults) { s.faults.Store(&f) }

func (f Faults) busy() (code int, reason string) {
	switch f.Busy {
	case 0, 486:
		return 486, "Busy Here"
	case 600:
		return 600, "Busy Everywhere"
	case 603:
		return 603, "Decline"
	}
	return f.Busy, "Not Here"
}

// answerTo opens our audio and answers the description in req. False: there is no audio to be had.
func (s *Switch) answerTo(req *sip.Request) ([]byte, bool) {
	v, err := s.speak(req.CallID().Value(), false)
	if err != nil {
		s.log.Warn("a call was not answered", "call", req.CallID().Value(), "error", err)
		return nil, false
	}
	body := v.describe(s.server, v.follow(req.Body()))
	if s.Faults().CodecOrder {
		body = bytes.Replace(body, []byte("RTP/AVP 0 8 "), []byte("RTP/AVP 8 0 "), 1)
	}
	return body, true
}
