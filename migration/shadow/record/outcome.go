package record

// A Class is how a call ended, as the people on it would tell it.
type Class string

// The classes. Codes of one class are not told apart: platforms choose between them freely.
const (
	Answered       Class = "answered"
	Busy           Class = "busy"
	NoAnswer       Class = "no-answer"
	Rejected       Class = "rejected"
	NotFound       Class = "not-found"
	NetworkFailure Class = "network-failure"
	Challenged     Class = "challenged"
	Cancelled      Class = "cancelled"
	Redirected     Class = "redirected" // a 3xx that reached the caller: its device must place the call elsewhere
)

// Classes are all of them, in the order of a report's matrix.
var Classes = []Class{Answered, Busy, NoAnswer, Rejected, NotFound, NetworkFailure, Challenged, Cancelled, Redirected}

// An Outcome is how a leg ended.
type Outcome struct {
	Class Class `json:"class"`
	Code  int   `json:"code,omitzero"` // the final status; 0: there was none
}

// Words says in plain words what the caller met.
func (c Class) Words() string {
	switch c {
	case Answered:
		return "the call was answered"
	case Busy:
		return "the caller heard busy"
	case NoAnswer:
		return "nobody answered"
	case Rejected:
		return "the call was refused"
	case NotFound:
		return "the number was not known"
	case NetworkFailure:
		return "the platform failed to place the call"
	case Challenged:
		return "the platform asked for a password"
	case Cancelled:
		return "the caller hung up before an answer"
	case Redirected:
		return "the caller's device was told to call elsewhere"
	}
	return "unknown"
}

// Words is c.Words.
func Words(c Class) string { return c.Words() }

// class of a final status. cancelled: the caller had sent CANCEL, so a 487 is what it asked for; without one a platform
// that says 487 gave up ringing.
func class(code int, cancelled bool) Class {
	switch {
	case (code == 487 || code == 0) && cancelled:
		return Cancelled
	case code >= 200 && code < 300:
		return Answered
	case code >= 300 && code < 400:
		return Redirected
	}
	switch code {
	case 486, 600:
		return Busy
	case 408, 480, 487:
		return NoAnswer
	case 404, 410, 484, 485, 604:
		return NotFound
	case 401, 407:
		return Challenged
	}
	if code < 300 || code >= 500 && code < 600 {
		return NetworkFailure // none at all included: the caller's transaction times out
	}
	return Rejected
}
