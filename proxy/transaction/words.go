package transaction

import "strings"

// Kind is one of the four machines.
type Kind uint8

// The kinds. Server and Client are the machines of every method but INVITE.
const (
	InviteServer Kind = iota + 1
	Server
	InviteClient
	Client
)

var kindNames = [...]string{"None", "InviteServer", "Server", "InviteClient", "Client"}

func (k Kind) String() string { return name(kindNames[:], int(k)) }

// State is where a machine stands. The zero State is a machine before Init.
type State uint8

// The states of RFC 3261 section 17 and RFC 6026.
const (
	Trying State = iota + 1
	Calling
	Proceeding
	Completed
	Confirmed
	Accepted
	Terminated
)

var stateNames = [...]string{"None", "Trying", "Calling", "Proceeding", "Completed", "Confirmed", "Accepted", "Terminated"}

func (s State) String() string { return name(stateNames[:], int(s)) }

// Event is what happened. An event of the other side (a response received by a
// server machine) does nothing.
type Event uint8

// The events.
const (
	// Server machines.
	Retransmission Event = iota + 1 // the same request again
	Ack                             // an ACK that matches this INVITE transaction
	Send1xx                         // the owner has a 100-199 to send
	Send2xx                         // the owner has a 2xx to send
	SendFinal                       // the owner has a 300-699 to send

	// Client machines.
	Recv100    // a 100 came
	Recv1xx    // a 101-199 came
	Recv2xx    // a 2xx came
	RecvFinal  // a 300-699 came
	SendCancel // the owner sends a CANCEL: wait 64*T1 for the final response, no longer

	// Both.
	TransportError // the last send failed, or its connection died
	TimerFired     // Next has come; harmless when it has not
)

var eventNames = [...]string{"None", "Retransmission", "Ack", "Send1xx", "Send2xx", "SendFinal",
	"Recv100", "Recv1xx", "Recv2xx", "RecvFinal", "SendCancel", "TransportError", "TimerFired"}

func (e Event) String() string { return name(eventNames[:], int(e)) }

// Do is the set of things that the owner must do now. 0: nothing, drop the event.
type Do uint16

// The bits, in the order in which an owner acts on them.
const (
	// DoSend: send the message of this event (server: the response; client, from Init: the request).
	DoSend Do = 1 << iota
	// DoResend: send the last message again. Client: the request. Server: the
	// last response given with Send1xx or SendFinal (never a 2xx to an INVITE).
	DoResend
	// DoPass: hand the message of this event up. Client: every 101-199, every
	// 2xx to an INVITE including late and repeated ones, the first final. Server:
	// an ACK that matched after a 2xx.
	DoPass
	// DoAck: send the hop ACK for this non-2xx final, first or repeated.
	DoAck
	// DoTimeout: no final in time (client), no ACK in time (InviteServer, Timer
	// H), nobody answered (Server). Always with DoEnd.
	DoTimeout
	// DoTimerC: a 1xx came but Timer C fired: send CANCEL. The machine waits
	// another 64*T1 for the final response, then says DoTimeout. Where no 1xx came,
	// Timer C says DoTimeout|DoEnd at once: treat it as a 408.
	DoTimerC
	// DoError: the transport failed. Client: no final response will come, always
	// with DoEnd. InviteServer: the response is lost, the transaction lives on.
	DoError
	// DoEnd: terminated, free it.
	DoEnd
)

var doNames = [...]string{"send", "resend", "pass", "ack", "timeout", "timerc", "error", "end"}

func (d Do) String() string {
	if d == 0 {
		return "-"
	}
	var b strings.Builder
	for i, n := range doNames {
		if d&(1<<i) != 0 {
			if b.Len() > 0 {
				b.WriteByte('|')
			}
			b.WriteString(n)
		}
	}
	return b.String()
}

func name(names []string, i int) string {
	if i >= len(names) {
		return "Unknown"
	}
	return names[i]
}
