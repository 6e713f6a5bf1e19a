package media

// Leg is one of the two ends of a session.
type Leg uint8

const (
	Outside Leg = iota // phones and carriers
	Inside             // the platforms
)

func (l Leg) String() string {
	if l == Outside {
		return "outside"
	}
	return "inside"
}

// other is the leg that packets of l leave by.
func (l Leg) other() Leg { return l ^ 1 }

// port is one of the four sockets of a session.
type port uint8

const (
	outsideRTP port = iota
	outsideRTCP
	insideRTP
	insideRTCP
	portsPerSession
)

func rtpPort(l Leg) port  { return port(l) << 1 }
func rtcpPort(l Leg) port { return port(l)<<1 | 1 }

func (p port) leg() Leg   { return Leg(p >> 1) }
func (p port) rtcp() bool { return p&1 == 1 }
