package transport

import (
	"time"

	"github.com/hotcut/hotcut/proxy/wire"
)

// Limits bound what peers can make a Transport hold. A zero field means its default.
type Limits struct {
	Conns          int           // accepted connections open at once; default 16,384
	ConnsPerSource int           // of them from one IPv4 address or IPv6 /64; default 512
	Dialled        int           // pooled connections open or being dialled; default 4,096
	Queue          int           // bytes waiting for one connection; default 256 KiB
	Header         time.Duration // from a message's first byte (or accept) to its last; default 10 s
	Idle           time.Duration // without a byte received; default 1 h, longer than the usual registration lives
	Write          time.Duration // without the peer taking a byte that waits; default 30 s
	Dial           time.Duration // default 5 s
	Wire           *wire.Limits  // of a message on a stream; nil means wire's defaults
	Poison         bool          // overwrite receive buffers after each batch, so that tests see who kept a slice
}

// DefaultLimits returns the defaults.
func DefaultLimits() Limits { return Limits{}.withDefaults() }

func (l Limits) withDefaults() Limits {
	def := func(n *int, d int) {
		if *n == 0 {
			*n = d
		}
	}
	dur := func(v *time.Duration, d time.Duration) {
		if *v == 0 {
			*v = d
		}
	}
	def(&l.Conns, 16<<10)
	def(&l.ConnsPerSource, 512)
	def(&l.Dialled, 4<<10)
	def(&l.Queue, 256<<10)
	dur(&l.Header, 10*time.Second)
	dur(&l.Idle, time.Hour)
	dur(&l.Write, 30*time.Second)
	dur(&l.Dial, 5*time.Second)
	return l
}
