package media

// Drop says why a packet was not relayed. The word is the metric label.
type Drop uint8

const (
	dropNone          Drop = iota
	DropShort              // smaller than the smallest packet of its kind
	DropLong               // over 1,500 bytes
	DropMalformed          // a header that contradicts itself
	DropKind               // neither RTP, RTCP, STUN, DTLS nor an expected UDPTL packet, or RTP on an RTCP port
	DropForeign            // from an address that has no business with this leg
	DropUnproven           // from an address that may be the party's and has not proved it yet
	DropNoRemote           // the other party's address is not known yet
	DropPrivateTarget      // the other party named a private address and has not sent yet
	DropHeld               // the other party wants nothing sent
	DropNoRTCP             // nowhere to send this RTCP packet to
	DropSendFull           // the send buffer or the device queue was full
	DropSendError          // the kernel refused the packet
	drops
)

var dropNames = [drops]struct{ name, meaning string }{
	DropShort:         {"short", "smaller than the smallest packet of its kind"},
	DropLong:          {"long", "over 1,500 bytes"},
	DropMalformed:     {"malformed", "a header that contradicts itself"},
	DropKind:          {"kind", "neither RTP, RTCP, STUN, DTLS nor an expected UDPTL packet, or RTP on an RTCP port"},
	DropForeign:       {"foreign_source", "from an address that has no business with this leg"},
	DropUnproven:      {"unproven", "from an address that may be the party's and has not proved it yet"},
	DropNoRemote:      {"no_remote", "the other party's address is not known yet"},
	DropPrivateTarget: {"private_target", "the other party named a private address and has not sent yet"},
	DropHeld:          {"held", "the other party wants nothing sent"},
	DropNoRTCP:        {"no_rtcp", "nowhere to send this RTCP packet to"},
	DropSendFull:      {"send_full", "the send buffer or the device queue was full"},
	DropSendError:     {"send_error", "the kernel refused the packet"},
}

// String is the metric label.
func (d Drop) String() string { return dropNames[d].name }

// Meaning is one line for the documentation.
func (d Drop) Meaning() string { return dropNames[d].meaning }

// Drops lists every reason.
func Drops() []Drop {
	list := make([]Drop, 0, drops-1)
	for d := dropNone + 1; d < drops; d++ {
		list = append(list, d)
	}
	return list
}
