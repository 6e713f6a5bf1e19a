package wire

// Limits bound what is read, in bytes unless said otherwise. They hold before
// anything is stored or copied.
type Limits struct {
	Message     int // whole message
	HeaderBytes int // start line and header section, with the empty line
	Headers     int // number of header lines
	CallID      int // Call-ID value
	Branch      int // branch parameter of any Via
	Tag         int // tag of From and To
	URI         int // Request-URI, and the URI of From and To
}

// DefaultLimits are the limits of an edge that was not told otherwise. A nil *Limits
// means these.
var DefaultLimits = Limits{
	Message:     64 << 10,
	HeaderBytes: 32 << 10,
	Headers:     128,
	CallID:      256,
	Branch:      256,
	Tag:         256,
	URI:         1024,
}

// maxHeaders bounds Limits.Headers: the first line of each kind is remembered in 16 bits.
const maxHeaders = 1<<16 - 2

func (l *Limits) orDefault() *Limits {
	if l == nil {
		return &DefaultLimits
	}
	return l
}
