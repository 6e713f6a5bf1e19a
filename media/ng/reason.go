package ng

// A Reason is why a server refused a command: the text of "error-reason". Known ones compare with errors.Is.
type Reason string

// Error is the text.
func (r Reason) Error() string { return string(r) }

// The reasons that have a meaning here, in rtpengine's words, because proxies' configurations look for them.
const (
	ErrNoPayload    Reason = "Invalid data (no payload)"
	ErrFormat       Reason = "Invalid NG data format"
	ErrNoCommand    Reason = `Dictionary contains no key "command"`
	ErrCommand      Reason = "Unrecognized command"
	ErrNoSDP        Reason = "No SDP body in message"
	ErrNoCallID     Reason = "No call-id in message"
	ErrNoFromTag    Reason = "No from-tag in message"
	ErrNoToTag      Reason = "No to-tag in message"
	ErrSDP          Reason = "Failed to parse SDP"
	ErrUnknownCall  Reason = "Unknown call-id"
	ErrNoSuchBranch Reason = "Call-ID not found or tags didn't match" // delete
	ErrNoPorts      Reason = "Ran out of ports"
	ErrTooLong      Reason = "Response does not fit into a datagram"
)

// ErrLoadLimit: the server takes no more calls; others may. It travels as a result of its own to clients that know it.
const ErrLoadLimit Reason = "load limit"

// RefusedPrefix begins the reason of a description that our relay refuses for what it says of the relay itself: the rest is
// the word of relay.Verdict.Reason.
const RefusedPrefix = "Refused: "
