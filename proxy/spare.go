package proxy

// Copies of messages that a shard keeps live for milliseconds: a request until its final answer, what left until it was
// answered, a 180 until the 200. They are a third of what a call allocates, so a shard keeps a few buffers for the next call.
// A kept buffer has one of two sizes; what is longer is left to the collector, and so is what the shelf has no room for.

const (
	spareSmall = 1 << 10
	spareLarge = 2 << 10
	spareMost  = 8 // of each size, on a shard's shelf: 6 MiB of an edge at most
)

type spare struct {
	shelf [2][][]byte // small and large ones, ready
	given [][]byte    // given back in this step: somebody up the stack may still read them
}

// copy returns a copy of b that is the caller's until it is given back.
func (p *spare) copy(b []byte) []byte {
	size, i := spareSmall, 0
	if len(b) > spareSmall {
		size, i = spareLarge, 1
	}
	if len(b) > spareLarge {
		size = len(b)
	} else if n := len(p.shelf[i]); n > 0 {
		buf := p.shelf[i][n-1]
		p.shelf[i] = p.shelf[i][:n-1]
		return append(buf, b...)
	}
	return append(make([]byte, 0, size), b...)
}

// giveBack takes *b, which may be nil, and sets it to nil. The bytes stay as they are until the step's end.
func (p *spare) giveBack(b *[]byte) {
	if c := cap(*b); (c == spareSmall || c == spareLarge) && len(p.given) < spareMost {
		p.given = append(p.given, (*b)[:0])
	}
	*b = nil
}

// stepped makes what was given back ready for the next step.
func (p *spare) stepped(poison bool) {
	for i, b := range p.given {
		if poison {
			b = b[:cap(b)]
			for k := range b {
				b[k] = poisonByte
			}
		}
		if to := &p.shelf[cap(b)/spareLarge]; len(*to) < spareMost {
			*to = append(*to, b[:0])
		}
		p.given[i] = nil
	}
	p.given = p.given[:0]
}

const poisonByte = 0xDB
