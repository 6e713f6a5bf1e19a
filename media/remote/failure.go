package remote

import (
	"context"
	"errors"
	"iter"
	"strings"

	"github.com/hotcut/hotcut/media/ng"
	"github.com/hotcut/hotcut/media/relay"
)

// Failure is why a description goes on as it came although it should be relayed.
type Failure uint8

// Every reason.
const (
	FailureNone    Failure = iota
	FailureSilence         // no server has answered in time
	FailurePorts           // the servers have no ports left, or take no more calls
	FailureBusy            // too many questions wait
	FailureUnknown         // the server does not know the call any more
	FailureRefused         // the server would not
	FailureReply           // what the server made of it is no description of so many lines
	FailureClosed          // this process ends

	failures
)

var failureWords = [failures]string{"none", "no_answer", "no_ports", "busy", "unknown_call", "refused", "bad_reply", "closed"}

// String is the metric label.
func (f Failure) String() string { return failureWords[f] }

// Failures yields every reason but FailureNone.
func Failures() iter.Seq[Failure] {
	return func(yield func(Failure) bool) {
		for f := FailureSilence; f < failures; f++ {
			if !yield(f) {
				return
			}
		}
	}
}

var errReply = errors.New("remote: the reply is no description of so many lines")

// refusedBy is why a server of ours takes nobody's word for a description: it names the relay wrongly. Other servers have no
// such word.
func refusedBy(err error) (why string, ok bool) {
	var r ng.Reason
	if !errors.As(err, &r) {
		return "", false
	}
	return strings.CutPrefix(string(r), ng.RefusedPrefix)
}

func failureOf(err error) Failure {
	switch {
	case err == nil:
		return FailureNone
	case errors.Is(err, errReply):
		return FailureReply
	case errors.Is(err, ng.ErrNoPorts), errors.Is(err, ng.ErrLoadLimit):
		return FailurePorts
	case errors.Is(err, ng.ErrBusy):
		return FailureBusy
	case errors.Is(err, ng.ErrUnknownCall), errors.Is(err, ng.ErrNoSuchBranch):
		return FailureUnknown
	case errors.Is(err, ng.ErrClosed):
		return FailureClosed
	case errors.Is(err, ng.ErrTimeout), errors.Is(err, ng.ErrRefused), errors.Is(err, context.DeadlineExceeded):
		return FailureSilence
	}
	return FailureRefused
}

// verdict is what a description gets that a server should have taken.
func (f Failure) verdict() relay.Verdict {
	switch f {
	case FailureNone:
		return relay.Verdict{}
	case FailurePorts:
		return relay.Verdict{Outcome: relay.NoPorts, Reason: f.String()}
	}
	return relay.Verdict{Outcome: relay.Passed, Reason: f.String()}
}
